//! One process at its work: it says when it begins and when it is done, and its clock is read from here, so that all
//! candidates are measured in one way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Candidate, Programs, Taken, Task, Work};
use crate::cpu;
use crate::failure::Failure;
use crate::memory;

/// Ends when this is dropped.
struct Worker {
    process: Child,
    said: BufReader<ChildStdout>,
}

/// Does a task in a process of its own.
pub(super) fn run(programs: Programs<'_>, task: Task) -> Result<Taken, Failure> {
    let mut worker = Worker::start(&mut command(programs, task))?;
    worker.says("ready")?;
    let before = cpu::of_process(worker.process.id())?;
    worker.go()?;
    worker.says("done")?;
    let cpu = cpu::of_process(worker.process.id())?.saturating_sub(before);
    Ok(Taken { cpu, peak_kib: memory::peak_kib(worker.process.id())? })
}

fn command(programs: Programs<'_>, task: Task) -> Command {
    let ours = |name| {
        let mut command = Command::new(programs.builds.join("bench-sealed"));
        command.arg(name);
        command
    };
    let mut command = match task.candidate {
        Candidate::Bare => ours("bare"),
        Candidate::Sealed => ours("sealed"),
        Candidate::SealedAndDigest => ours("sealed-sha256"),
        Candidate::Official => {
            let mut command = Command::new(programs.official);
            command.arg(programs.reference.join("sealed.py"));
            command
        }
    };
    let work = match task.work {
        Work::Seal => "seal",
        Work::Open => "open",
        Work::Pass => "pass",
    };
    command.arg(work).arg(task.frame.to_string()).arg(task.mebibytes.to_string());
    command
}

impl Worker {
    /// What it says of an error goes where this program's own goes.
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| Failure::file("start", Path::new(command.get_program()), error))?;
        let said = process.stdout.take().ok_or_else(|| Failure::stand("hear a process", "it has no output"))?;
        Ok(Self { process, said: BufReader::new(said) })
    }

    fn says(&mut self, word: &'static str) -> Result<(), Failure> {
        let mut line = String::new();
        let heard = self.said.read_line(&mut line).map_err(|error| Failure::stand("hear a process", error))?;
        match line.trim() {
            said if said == word => Ok(()),
            _ if heard == 0 => Err(Failure::stand(word, "the process ended before it said so; it says above why")),
            said => Err(Failure::stand(word, format!("the process said {said:?}"))),
        }
    }

    fn go(&mut self) -> Result<(), Failure> {
        let pipe = self.process.stdin.as_mut().ok_or_else(|| Failure::stand("tell a process", "it has no input"))?;
        pipe.write_all(b"go\n").map_err(|error| Failure::stand("tell a process", error))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
