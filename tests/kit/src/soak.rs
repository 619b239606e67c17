use std::fs::OpenOptions;
use std::io::Write as _;
use std::str::FromStr;
use std::time::{Duration, Instant};

use loam_runtime::process_environment;

/// The number that the variable `name` gives, as `cargo xtask soak` does; `everyday` without it.
///
/// # Panics
/// When it is no such number.
#[must_use]
pub fn number_of<T: FromStr>(name: &str, everyday: T) -> T {
    let given = process_environment(name).map(|text| text.parse());
    given.map_or(everyday, |number| number.unwrap_or_else(|_| panic!("{name} is not the number that it should be")))
}

/// Says a figure that a run is for: `cargo xtask` shows it below the tests, whether they pass or not.
///
/// # Panics
/// When the file of figures cannot be written.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a run's figures are its result")]
pub fn figure(text: &str) {
    println!("figure: {text}");
    if let Some(path) = process_environment("LOAM_FIGURES") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of figures opens");
        file.write_all(format!("{text}\n").as_bytes()).expect("a figure is written");
    }
}

/// The time that one test may take; without end unless `LOAM_SOAK_MINUTES` says how long.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    began: Instant,
    minutes: u64,
}

impl Budget {
    /// A budget that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now(), minutes: number_of("LOAM_SOAK_MINUTES", 0) }
    }

    /// Whether the time is over.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.minutes > 0 && self.began.elapsed() >= Duration::from_secs(self.minutes.saturating_mul(60))
    }
}
