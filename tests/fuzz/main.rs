//! Every parser under bytes that nobody meant: mutations of the sample events, scraps and noise.
//!
//! Some thousand runs a parser with every test run, millions in `cargo xtask soak`. An input that breaks a parser is
//! kept in `corpus/`, and every later run begins with it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod files;
mod firmware;
mod inputs;
mod owners;
mod parsers;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::panic::catch_unwind;
use std::path::PathBuf;

use inputs::Inputs;
use loam_kit::{Budget, number_of};
use parsers::{PARSERS, Parser};

/// Between two words about how far it is.
const PROGRESS: u64 = 100_000;

fn corpus(parser: &Parser) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(parser.name)
}

fn corpus_inputs(parser: &Parser) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(corpus(parser)).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Keeps an input that broke the parser; gives the file's name.
fn keep(parser: &Parser, input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = corpus(parser).join(format!("{:016x}", hasher.finish()));
    fs::write(&path, input).unwrap();
    path.display().to_string()
}

#[test]
fn an_input_that_once_broke_a_parser_does_not_break_it_again() {
    for parser in &PARSERS {
        let inputs = corpus_inputs(parser);
        assert!(!inputs.is_empty(), "{}: no inputs are kept", parser.name);
        for (path, input) in inputs {
            assert!(catch_unwind(|| (parser.parse)(&input)).is_ok(), "{} breaks {}", path.display(), parser.name);
        }
    }
}

fn fuzz(parser: &Parser) {
    let (most, seed) = (number_of("LOAM_FUZZ_RUNS", 5_000_u64), number_of("LOAM_SEED", 0_u64));
    let budget = Budget::start();
    let kept = corpus_inputs(parser).into_iter().map(|(_, input)| input);
    let mut inputs = Inputs::new(seed, kept.collect(), parser.parse);
    let (mut runs, mut understood, mut broken) = (0_u64, 0_u64, Vec::new());
    while runs < most && !(runs.is_multiple_of(1_000) && budget.is_spent()) {
        let input = inputs.next();
        match catch_unwind(|| (parser.parse)(&input)) {
            Ok(good) => understood += u64::from(good),
            Err(_) => broken.push(keep(parser, &input)),
        }
        runs += 1;
        if runs.is_multiple_of(PROGRESS) {
            println!("progress: fuzz {}: {runs} of {most}", parser.name);
        }
    }
    println!("figure: fuzz {}: {runs} runs, {understood} understood, {} panics", parser.name, broken.len());
    assert!(broken.is_empty(), "{} broke on {}", parser.name, broken.join(", "));
    assert!(understood > 0 && understood < runs, "{}: {understood} of {runs} understood", parser.name);
}

/// One test for each parser, so that they run side by side.
macro_rules! each_parser {
    ($($test:ident: $at:literal,)*) => {
        $(#[test]
        fn $test() {
            fuzz(&PARSERS[$at]);
        })*

        #[test]
        fn every_parser_has_its_test() {
            assert_eq!(PARSERS.len(), [$($at),*].len());
        }
    };
}

each_parser! {
    nothing_breaks_the_parser_of_device_messages: 0,
    nothing_breaks_the_parser_of_readings: 1,
    nothing_breaks_the_parser_of_measures: 2,
    nothing_breaks_the_parser_of_topics: 3,
    nothing_breaks_the_parser_of_points: 4,
    nothing_breaks_the_parser_of_alert_rules: 5,
    nothing_breaks_the_parser_of_kept_events: 6,
    nothing_breaks_the_parser_of_certificates: 7,
    nothing_breaks_the_parser_of_certificate_events: 8,
    nothing_breaks_the_parser_of_stream_records: 9,
    nothing_breaks_the_parser_of_the_catalogs_news: 10,
    nothing_breaks_the_parsers_of_a_lists_parameters: 11,
    nothing_breaks_the_parser_of_what_commands_hears: 12,
    nothing_breaks_the_parser_of_what_pairing_hears: 13,
    nothing_breaks_the_parser_of_the_relays_news: 14,
    nothing_breaks_the_parser_of_a_devices_key: 15,
    nothing_breaks_the_parser_of_sealed_messages: 16,
    nothing_breaks_the_parser_of_what_file_transfer_hears: 17,
    nothing_breaks_the_parser_of_what_a_device_hears_of_files: 18,
    nothing_breaks_the_parser_of_release_descriptors: 19,
    nothing_breaks_the_parser_of_notices_of_uploads: 20,
    nothing_breaks_the_parser_of_rollouts: 21,
    nothing_breaks_the_parser_of_what_devices_say_of_updates: 22,
    nothing_breaks_the_parser_of_what_a_device_hears_of_firmware: 23,
    nothing_breaks_the_parser_of_manifests: 24,
}
