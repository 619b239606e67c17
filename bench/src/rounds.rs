//! The order of the measurements: candidates take turns, so that what else the machine does hits all of them alike.

use loam_domain::Timestamp;

use crate::candidate::{CANDIDATES, Candidate, Way};
use crate::failure::Failure;
use crate::process::Stand;
use crate::samples::Samples;
use crate::session::{Session, Start, Stretch};
use crate::size::{self, Size};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    /// Turns of each candidate.
    pub(crate) rounds: u64,
    /// Starts of each candidate in a round.
    pub(crate) starts: u64,
    /// Messages of each candidate in a round.
    pub(crate) messages: u64,
    /// Messages of one process, to see whether it grows.
    pub(crate) growth: u64,
}

/// The figures of one candidate on one way to AWS.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) candidate: &'static Candidate,
    pub(crate) way: Way,
    /// None for the reference.
    pub(crate) size: Option<Size>,
    pub(crate) starts: Starts,
    pub(crate) warm: Warm,
    /// KiB that a process grew by over [`Amount::growth`] messages, after the first invocation's peak.
    pub(crate) growth_kib: Option<u64>,
}

/// Figures of starts.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    pub(crate) init_ms: Samples,
    pub(crate) init_cpu_ms: Samples,
    pub(crate) first_ms: Samples,
    pub(crate) first_cpu_ms: Samples,
}

/// Figures of warm processes, one value a round.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    pub(crate) messages: u64,
    pub(crate) cpu_ms: Samples,
    pub(crate) per_second: Samples,
    pub(crate) calls: Samples,
    pub(crate) log_bytes: Samples,
    pub(crate) peak_kib: Samples,
}

/// All rows, before anything is measured.
pub(crate) fn rows(stand: &Stand) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for candidate in CANDIDATES {
        let size = stand.bootstrap(candidate).map(|path| size::of(&path)).transpose()?;
        rows.extend(candidate.ways.iter().map(|way| Row::new(candidate, *way, size)));
    }
    Ok(rows)
}

/// Measures all rows; `tell` hears of each round.
pub(crate) async fn run(
    stand: &Stand,
    rows: &mut [Row],
    amount: Amount,
    began: Timestamp,
    tell: impl Fn(String),
) -> Result<(), Failure> {
    for round in 1..=amount.rounds {
        tell(format!("round {round} of {}", amount.rounds));
        for row in &mut *rows {
            row.round(stand, amount, began).await?;
        }
    }
    for row in rows.iter_mut().filter(|row| row.is_watched_for_growth()) {
        tell(format!("{} messages to one process: {}", amount.growth, row.candidate.name));
        row.grow(stand, amount, began).await?;
    }
    Ok(())
}

impl Row {
    fn new(candidate: &'static Candidate, way: Way, size: Option<Size>) -> Self {
        Self { candidate, way, size, starts: Starts::default(), warm: Warm::default(), growth_kib: None }
    }

    /// A slow candidate starts once a round, and the others as often as they should.
    async fn round(&mut self, stand: &Stand, amount: Amount, began: Timestamp) -> Result<(), Failure> {
        let starts = if self.candidate.is_reference() { 1 } else { amount.starts };
        for number in 1..=starts {
            let (mut session, start) = Session::start(stand, self.candidate, self.way, began).await?;
            self.starts.add(start);
            if number == starts && self.candidate.has_events_on(self.way) {
                self.warm.add(session.stretch(amount.messages / self.candidate.thinned).await?);
            }
            session.end().await;
        }
        Ok(())
    }

    /// One way is enough, the encrypted one: it holds more.
    fn is_watched_for_growth(&self) -> bool {
        self.candidate.thinned == 1 && self.candidate.has_events_on(self.way) && self.way != Way::Http
    }

    async fn grow(&mut self, stand: &Stand, amount: Amount, began: Timestamp) -> Result<(), Failure> {
        let (mut session, start) = Session::start(stand, self.candidate, self.way, began).await?;
        let stretch = session.stretch(amount.growth).await?;
        self.growth_kib = Some(stretch.peak_kib.saturating_sub(start.peak_kib));
        #[expect(clippy::cast_precision_loss, reason = "KiB of memory, far below 2^52")]
        self.warm.peak_kib.add(stretch.peak_kib as f64);
        session.end().await;
        Ok(())
    }
}

impl Starts {
    fn add(&mut self, start: Start) {
        self.init_ms.add(start.init_ms);
        self.init_cpu_ms.add(start.init_cpu_ms);
        self.first_ms.add(start.first_ms);
        self.first_cpu_ms.add(start.first_cpu_ms);
    }
}

impl Warm {
    fn add(&mut self, stretch: Stretch) {
        self.messages += stretch.messages;
        self.cpu_ms.add(stretch.cpu_ms);
        self.per_second.add(stretch.per_second);
        self.calls.add(stretch.calls);
        self.log_bytes.add(stretch.log_bytes);
        #[expect(clippy::cast_precision_loss, reason = "KiB of memory, far below 2^52")]
        self.peak_kib.add(stretch.peak_kib as f64);
    }
}
