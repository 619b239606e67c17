//! The local AWS: one emulator with Loam's extension, one stack on it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::Failure;
use crate::group::{Member, Started};
use crate::interrupt::rest;
use crate::keys::Keys;
use crate::process;
use crate::project::{Project, make_folder};
use crate::python;
use crate::terminal::Progress;

const HEALTH: &str = "/_ministack/health";
/// On a busy machine; two seconds are usual.
const START_DEADLINE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(100);

/// Where one local AWS is and what is deployed to it.
pub(crate) struct LocalAws {
    /// All that it writes lies here.
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) mqtt_port: u16,
    pub(crate) stack: String,
    pub(crate) email: String,
}

impl LocalAws {
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join("log").join(name)
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Starts the emulator with nothing in it and waits until it answers. It ends with the program that started it,
    /// which is what a person wants who closes the terminal; so one that `stays` gets a parent that stays as well.
    pub(crate) fn start(&self, project: &Project, stays: bool) -> Result<Started, Failure> {
        let state = self.state();
        if state.exists() {
            std::fs::remove_dir_all(&state).map_err(|error| Failure::io("remove", &state, &error))?;
        }
        make_folder(&state)?;
        make_folder(&self.folder.join("log"))?;
        let mut command = python::verb(project, "serve");
        command.args(["--port", &self.port.to_string(), "--mqtt-port", &self.mqtt_port.to_string(), "--state"]);
        command.arg(state);
        let command = if stays { kept(&command) } else { command };
        let mut started = Started::new("local AWS", command, &self.log("emulator.log"))?;
        match self.wait_until_healthy(project, &started.member) {
            Ok(()) => Ok(started),
            Err(failure) => {
                started.end();
                Err(failure)
            }
        }
    }

    fn wait_until_healthy(&self, project: &Project, member: &Member) -> Result<(), Failure> {
        let mut progress = Progress::start("local AWS: start");
        let begun = Instant::now();
        while !healthy(self.port) {
            project.interrupt.check()?;
            progress.tick("waiting for its first answer");
            if !member.runs() || begun.elapsed() > START_DEADLINE {
                progress.done(false);
                process::show_log_tail(&member.log);
                let log = member.log.display();
                return Err(Failure::new("local-aws", format!("the local AWS did not start. Its log is {log}.")));
            }
            rest(LOOK);
        }
        progress.done(true);
        Ok(())
    }

    /// The administrator's key; made by the first call.
    pub(crate) fn admin(&self, project: &Project) -> Result<Keys, Failure> {
        let mut command = python::verb(project, "admin");
        command.args(["--endpoint", &self.endpoint(), "--state"]).arg(self.state());
        Keys::root().give_to(&mut command, &self.endpoint());
        python::ask(project, "local AWS: administrator", command)
    }

    /// What is deployed: outputs, resources, functions.
    pub(crate) fn describe(&self, project: &Project, keys: &Keys) -> Result<Value, Failure> {
        let mut command = python::verb(project, "describe");
        command.args(["--endpoint", &self.endpoint(), "--stack", &self.stack]);
        command.args(["--mqtt-port", &self.mqtt_port.to_string()]);
        keys.give_to(&mut command, &self.endpoint());
        python::ask(project, "stack: describe", command)
    }

    /// Makes a development CA and a certificate for each of `things`, once.
    pub(crate) fn seed(&self, project: &Project, keys: &Keys, policy: &str, things: &[&str]) -> Result<Value, Failure> {
        let mut command = python::verb(project, "seed");
        command.args(["--endpoint", &self.endpoint(), "--stack", &self.stack, "--policy", policy]);
        command.args(["--things", &things.join(","), "--mqtt-port", &self.mqtt_port.to_string(), "--out"]);
        command.arg(self.things());
        keys.give_to(&mut command, &self.endpoint());
        python::ask(project, "things: keys and certificates", command)
    }

    /// Ensures the person `name` in the user pool and signs in; the answer tells where the token lies. Without mail.
    pub(crate) fn person(
        &self,
        project: &Project,
        keys: &Keys,
        name: &str,
        groups: &[String],
    ) -> Result<Value, Failure> {
        let mut command = python::verb(project, "user");
        command.args(["--endpoint", &self.endpoint(), "--stack", &self.stack, "--name", name, "--state"]);
        command.arg(self.state()).args(groups.iter().flat_map(|group| ["--group", group]));
        keys.give_to(&mut command, &self.endpoint());
        python::ask(project, &format!("{name}: sign in"), command)
    }

    /// The folder of keys and certificates.
    pub(crate) fn things(&self) -> PathBuf {
        self.folder.join("things")
    }
}

/// A shell that does nothing but wait for the program, through the signal that ends both.
const KEEPER: &str = r#"trap : TERM; "$@" & while kill -0 $! 2>/dev/null; do wait $!; done"#;

fn kept(command: &Command) -> Command {
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => keeper.env(name, value),
            None => keeper.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        keeper.current_dir(folder);
    }
    keeper
}

/// Whether an emulator answers on `port`.
pub(crate) fn healthy(port: u16) -> bool {
    get_status_line(port, HEALTH).is_ok_and(|line| line.contains(" 200"))
}

fn get_status_line(port: u16, path: &str) -> std::io::Result<String> {
    let time = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), time)?;
    stream.set_read_timeout(Some(time))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut start = [0; 15];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start).into_owned())
}

/// Keys and certificates of the last emulator are worth nothing to the next one.
pub(crate) fn forget_things(folder: &Path) -> Result<(), Failure> {
    let things = folder.join("things");
    if !things.exists() {
        return Ok(());
    }
    std::fs::remove_dir_all(&things).map_err(|error| Failure::io("remove", &things, &error))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            drop(stream.write_all(answer.as_bytes()));
        });
        port
    }

    #[test]
    fn a_program_that_stays_is_asked_to_end_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'echo tidied; exit' TERM; echo ready; while :; do :; done"]);
        let log = folder.path().join("log");
        let mut started = Started::new("kept", kept(&command), &log).unwrap();
        while !std::fs::read_to_string(&log).unwrap().contains("ready") {
            std::thread::yield_now();
        }
        started.end();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "ready\ntidied\n");
    }

    #[test]
    fn only_a_200_is_healthy() {
        assert!(healthy(answering("HTTP/1.1 200 OK\r\n\r\n{}")));
        assert!(!healthy(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")));
        assert!(!healthy(answering("")));
    }
}
