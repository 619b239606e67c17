//! Ctrl-C, `kill` and a closed terminal: noted here, acted upon by whoever waits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;

/// Set once a signal asked this program to end. Children run in process groups of their own and never see the
/// terminal's Ctrl-C, so that the end is always an orderly one.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn listen() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.requested() { Err(Failure::interrupted()) } else { Ok(()) }
    }
}

/// The only place that sleeps.
#[expect(clippy::disallowed_methods, reason = "no async runtime here: between two looks at a child this thread rests")]
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}
