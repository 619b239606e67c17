//! One line of the table.

use std::time::{Duration, Instant};

/// What was measured of some calls.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) samples: Vec<Duration>,
    pub(crate) right: usize,
    /// From the first call to the end of the last.
    pub(crate) took: Duration,
    /// CPU time of the side that calls.
    pub(crate) cpu: Duration,
    /// Memory of one environment, in KiB.
    pub(crate) resident_kib: Option<i64>,
}

/// The head of the table.
pub(crate) fn head() {
    println!("| what | p50 ms | p95 ms | p99 ms | calls per s | CPU ms a call | RSS MiB | right |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
}

/// Calls one after the other.
pub(crate) async fn in_turn(calls: usize, mut call: impl AsyncFnMut(usize) -> bool) -> Row {
    let (mut row, began) = (Row::default(), Instant::now());
    for number in 0..calls {
        let started = Instant::now();
        row.right += usize::from(call(number).await);
        row.samples.push(started.elapsed());
    }
    row.took = began.elapsed();
    row
}

impl Row {
    /// What several callers measured at the same time, as one row.
    pub(crate) fn of_all(rows: Vec<Self>) -> Self {
        rows.into_iter().fold(Self::default(), |mut all, row| {
            all.samples.extend(row.samples);
            all.right += row.right;
            all.took = all.took.max(row.took);
            all.cpu += row.cpu;
            all.resident_kib = all.resident_kib.max(row.resident_kib);
            all
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn print(mut self, what: &str) {
        self.samples.sort_unstable();
        let calls = self.samples.len().max(1);
        let at = |percent: usize| self.samples.get((calls * percent / 100).min(calls - 1)).map_or(0.0, millis);
        let rate = calls as f64 / self.took.as_secs_f64();
        let cpu = millis(&self.cpu) / calls as f64;
        let cpu = if self.cpu.is_zero() { "-".to_owned() } else { format!("{cpu:.2}") };
        let resident = self.resident_kib.map_or_else(|| "-".to_owned(), |kib| format!("{:.1}", kib as f64 / 1024.0));
        let (p50, p95, p99, right) = (at(50), at(95), at(99), self.right);
        println!("| {what} | {p50:.2} | {p95:.2} | {p99:.2} | {rate:.0} | {cpu} | {resident} | {right} of {calls} |");
    }
}

fn millis(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
