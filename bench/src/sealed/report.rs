//! The section's one table, and how to read it.

use std::fmt;

use super::{Candidate, FILES, Row};
use crate::report::Load;
use crate::samples::Samples;
use crate::table::{aligned, ratio};

/// The whole result.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) rounds: u64,
    /// Before and after.
    pub(super) load: [Load; 2],
}

/// Those of one direction.
type Rates = fn(&Row) -> &Samples;

const HEAD: [&str; 10] = [
    "frame",
    "candidate",
    "seal, MiB/s",
    "of bare",
    "of official",
    "open, MiB/s",
    "of bare",
    "of official",
    "RSS sealing, MiB",
    "RSS sealing + opening, MiB",
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|row| self.cells(row)));
        let ([short, long], [before, after]) = (FILES, &self.load);
        writeln!(f, "{}", aligned(&lines))?;
        write!(
            f,
            "{} rounds, candidates in turn, a process each. Two rates are `best / median`, in MiB for a second of CPU time of \
             the whole process; ratios are of the medians. RSS: the most that a process had since its start, for a file of \
             {short} MiB and of {long} MiB, made as it is sealed. Load average {before} before, {after} after.\n\
             - bare: ring's AES-256-GCM, each frame in place: no framing, no copy, no additional data.\n\
             - loam-sealed streams in pieces of 64 KiB; what is opened lay in memory before. + SHA-256: of the plaintext, \
             in the same pass, as file-transfer takes it (crate sha2).\n\
             - the official client: AWS Encryption SDK for Python, bench/reference/sealed.py, the same suite; it streams in \
             the pieces at which it is fastest.\n\
             Reproduce: cargo xtask bench --what sealed --rounds {}",
            self.rounds, self.rounds,
        )
    }
}

impl Report {
    fn cells(&self, row: &Row) -> [String; HEAD.len()] {
        let other = |candidate| self.rows.iter().find(|other| other.frame == row.frame && other.candidate == candidate);
        let of = |candidate: Candidate, rates: Rates| {
            let other = other(candidate).filter(|_| row.candidate != candidate);
            ratio(rates(row).median(), other.and_then(|other| rates(other).median()))
        };
        let (seal, open): (Rates, Rates) = (|row| &row.seal, |row| &row.open);
        [
            format!("{} KiB", row.frame / 1024),
            row.candidate.name().to_owned(),
            rates(&row.seal),
            of(Candidate::Bare, seal),
            of(Candidate::Official, seal),
            rates(&row.open),
            of(Candidate::Bare, open),
            of(Candidate::Official, open),
            peaks(row.sealing_kib),
            peaks(row.passing_kib),
        ]
    }
}

impl Candidate {
    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare AES-256-GCM",
            Self::Sealed => "loam-sealed",
            Self::SealedAndDigest => "loam-sealed + SHA-256",
            Self::Official => "official client, Python",
        }
    }
}

/// `best / median`.
fn rates(samples: &Samples) -> String {
    match samples.max().zip(samples.median()) {
        Some((best, median)) => format!("{best:.0} / {median:.0}"),
        None => "-".to_owned(),
    }
}

/// `short file, long file`.
fn peaks(kib: Option<[u64; 2]>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "KiB of memory, far below 2^52")]
    let mebibytes = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    kib.map_or_else(|| "-".to_owned(), |kib| kib.map(mebibytes).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(candidate: Candidate, rate: f64) -> Row {
        let mut row = Row::new(candidate, 4096);
        row.seal.add(rate);
        row.open.add(rate * 2.0);
        row
    }

    #[test]
    fn a_ratio_is_to_the_candidate_with_the_same_frames_and_none_to_itself() {
        let other_frame = Row { frame: 65_536, ..row(Candidate::Bare, 1.0) };
        let rows = vec![
            other_frame,
            row(Candidate::Bare, 4000.0),
            row(Candidate::Sealed, 2000.0),
            row(Candidate::Official, 100.0),
        ];
        let report = Report { rows, rounds: 1, load: [Load::of("0.5"), Load::of("0.6")] };
        let lines: Vec<_> = report.to_string().lines().map(|line| line.replace(' ', "")).collect();
        assert_eq!(lines[3], "|4KiB|bareAES-256-GCM|4000/4000|-|40.0x|8000/8000|-|40.0x|-|-|");
        assert_eq!(lines[4], "|4KiB|loam-sealed|2000/2000|1/2.0|20.0x|4000/4000|1/2.0|20.0x|-|-|");
    }

    #[test]
    fn memory_of_the_short_file_stands_before_that_of_the_long_one() {
        assert_eq!(peaks(Some([2048, 3584])), "2.0, 3.5");
        assert_eq!(peaks(None), "-");
    }
}
