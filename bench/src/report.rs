//! What the run found, and how to read it.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::filters::Filters;
use crate::rounds::{Amount, Row};
use crate::samples::Samples;
use crate::table;

/// The machine's load average over one minute.
#[derive(Debug, Clone)]
pub(crate) struct Load(String);

impl Load {
    pub(crate) fn read() -> Result<Self, Failure> {
        let path = Path::new("/proc/loadavg");
        let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, error))?;
        Ok(Self(text.split_whitespace().next().unwrap_or("?").to_owned()))
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The whole result.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// Decisions a second of CPU time.
    pub(crate) decisions: Samples,
    /// Things a second of CPU time that a filter is asked about.
    pub(crate) filters: Filters,
    pub(crate) amount: Amount,
    /// In the file of trusted certificates.
    pub(crate) certificates: usize,
    /// Before and after.
    pub(crate) load: [Load; 2],
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.load;
        let Amount { rounds, starts, messages, growth } = self.amount;
        writeln!(f, "{}", table::render(&self.rows))?;
        writeln!(
            f,
            "Classic decision with parsing, no call: {:.0} events/s of one core (median of {}; slowest {:.0}).\n",
            self.decisions.median().unwrap_or_default(),
            self.decisions.count(),
            self.decisions.min().unwrap_or_default(),
        )?;
        writeln!(f, "{}\n", self.filters)?;
        writeln!(
            f,
            "{rounds} rounds, candidates in turn; a round: {starts} starts (the reference: 1) and {messages} messages \
             (the reference and the handshakes: {}). Growth: {growth} messages to one process. Load average {before} \
             before, {after} after.",
            messages / 5,
        )?;
        f.write_str(&reading(self.certificates))?;
        write!(
            f,
            "\nReproduce: cargo xtask bench --what functions --rounds {rounds} --starts {starts} --messages {messages} --growth {growth}"
        )
    }
}

fn reading(certificates: usize) -> String {
    format!(
        "Two figures are `smallest / median`. CPU times and the last column are the ones to trust on a machine that does \
         other things too.\n\
         - AWS is a stub on the loopback that answers at once with fixed answers (empty tables, writes that succeed): what \
         is measured is the candidates' own CPU, not AWS.\n\
         - init: from the start of the process to its first request for an event, program in the page cache. CPU: the \
         kernel's clock of the process, in nanoseconds, all threads.\n\
         - first event: with the first connection to the stub, and over https with the TLS client's first use; telemetry's \
         first event is a batch of 25 messages. Its other figures are for one message of a batch.\n\
         - https: the system's file of {certificates} trusted certificates and its folder are read, as when nothing is \
         set; `one file`: SSL_CERT_FILE names the file; `one root`: a file with one certificate.\n\
         - handshake: one new TLS connection for each event. `--aws-lc` adds the same with the other TLS library.\n\
         - the reference: bench/reference, the classic alert with boto3, driven by a loop of the standard library; its \
         libraries are not in its size. smart, sweep and telemetry do more than it does.\n"
    )
}
