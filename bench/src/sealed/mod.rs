//! The encrypted format, beside what it stands on and beside the official client: what a core does, and how much memory it
//! takes.

mod process;
mod report;

use std::path::Path;
use std::time::Duration;

pub(crate) use report::Report;

use crate::failure::Failure;
use crate::report::Load;
use crate::samples::Samples;

/// Lengths of frames, in bytes: the official clients' own, file-transfer's own, and the longest that file-transfer takes.
const FRAMES: [u32; 3] = [4 * 1024, 64 * 1024, 1024 * 1024];

/// Files whose memory is compared, in MiB: if it is the same, it does not depend on the file.
const FILES: [u64; 2] = [16, 1024];

/// Where the programs are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Programs<'a> {
    /// The folder of the release builds.
    pub(crate) builds: &'a Path,
    /// The folder of the reference.
    pub(crate) reference: &'a Path,
    /// A Python that has the official client.
    pub(crate) official: &'a Path,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    /// AES-256-GCM alone, of the library that loam-sealed stands on.
    Bare,
    Sealed,
    /// And the plaintext's SHA-256 in the same pass.
    SealedAndDigest,
    /// The official client for Python.
    Official,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Seal,
    Open,
    /// Both at once, nothing kept between them.
    Pass,
}

/// One process.
#[derive(Debug, Clone, Copy)]
struct Task {
    candidate: Candidate,
    work: Work,
    frame: u32,
    mebibytes: u64,
}

/// What a process took for its work.
#[derive(Debug, Clone, Copy)]
struct Taken {
    cpu: Duration,
    /// Since its start.
    peak_kib: u64,
}

/// The figures of one candidate with one length of frames.
#[derive(Debug)]
struct Row {
    candidate: Candidate,
    frame: u32,
    /// MiB for a second of CPU time.
    seal: Samples,
    open: Samples,
    /// Peak KiB of sealing, for each of [`FILES`].
    sealing_kib: Option<[u64; 2]>,
    /// And of sealing and opening in one process.
    passing_kib: Option<[u64; 2]>,
}

impl Candidate {
    const ALL: [Self; 4] = [Self::Bare, Self::Sealed, Self::SealedAndDigest, Self::Official];

    /// What it does in one process, in MiB: some tenths of a second, so that nothing else counts.
    const fn mebibytes(self) -> u64 {
        match self {
            Self::Bare | Self::Sealed | Self::SealedAndDigest => 512,
            Self::Official => 128,
        }
    }

    /// Whether it is a whole codec, whose memory says something.
    const fn is_codec(self) -> bool {
        match self {
            Self::Sealed | Self::Official => true,
            Self::Bare | Self::SealedAndDigest => false,
        }
    }
}

/// Measures all rows, candidates in turn; `tell` hears of each round.
pub(crate) fn measure(programs: Programs<'_>, rounds: u64, tell: impl Fn(String)) -> Result<Report, Failure> {
    let before = Load::read()?;
    let rows = FRAMES.into_iter().flat_map(|frame| Candidate::ALL.map(|candidate| Row::new(candidate, frame)));
    let mut rows: Vec<Row> = rows.collect();
    for round in 1..=rounds {
        tell(format!("sealed: round {round} of {rounds}"));
        for row in &mut rows {
            row.round(programs)?;
        }
    }
    for row in rows.iter_mut().filter(|row| row.candidate.is_codec()) {
        tell(format!("sealed: memory, frames of {} bytes", row.frame));
        row.sealing_kib = Some(row.peaks(programs, Work::Seal)?);
        row.passing_kib = Some(row.peaks(programs, Work::Pass)?);
    }
    Ok(Report { rows, rounds, load: [before, Load::read()?] })
}

impl Row {
    fn new(candidate: Candidate, frame: u32) -> Self {
        let (seal, open) = (Samples::default(), Samples::default());
        Self { candidate, frame, seal, open, sealing_kib: None, passing_kib: None }
    }

    fn round(&mut self, programs: Programs<'_>) -> Result<(), Failure> {
        let mebibytes = self.candidate.mebibytes();
        self.seal.add(rate(mebibytes, process::run(programs, self.task(Work::Seal, mebibytes))?.cpu));
        self.open.add(rate(mebibytes, process::run(programs, self.task(Work::Open, mebibytes))?.cpu));
        Ok(())
    }

    fn peaks(&self, programs: Programs<'_>, work: Work) -> Result<[u64; 2], Failure> {
        let [short, long] = FILES.map(|mebibytes| process::run(programs, self.task(work, mebibytes)));
        Ok([short?.peak_kib, long?.peak_kib])
    }

    const fn task(&self, work: Work, mebibytes: u64) -> Task {
        Task { candidate: self.candidate, work, frame: self.frame, mebibytes }
    }
}

fn rate(mebibytes: u64, cpu: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some hundred MiB")]
    let mebibytes = mebibytes as f64;
    mebibytes / cpu.max(Duration::from_nanos(1)).as_secs_f64()
}
