//! The live view of `up`: readings, notices and archived objects, as they happen.

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;
use crate::group::Member;
use crate::interrupt::rest;
use crate::process;
use crate::project::Project;
use crate::state::Running;
use crate::tail::Tail;
use crate::terminal;
use crate::up::WATCH;

const READING: Style = Style::new();
const MAIL: Style = AnsiColor::Yellow.on_default().bold();
const ARCHIVED: Style = Style::new().dimmed();
const TROUBLE: Style = AnsiColor::Red.on_default();
const LOOK: Duration = Duration::from_millis(200);
/// Between two looks whether everything still runs.
const ROLL_CALL: Duration = Duration::from_secs(1);

/// Shows what happens until Ctrl-C; fails if the local AWS ends by itself. Of those that were `started` just now
/// everything is shown, of the others what they say from here on.
pub(crate) fn follow(project: &Project, running: &Running, started: &[String]) -> Result<(), Failure> {
    let tail = |member: &Member| {
        let fresh = started.contains(&member.name);
        if fresh { Tail::from_start(member.log.clone()) } else { Tail::from_end(member.log.clone()) }
    };
    let mut members = running.members.clone();
    let aws = members.first().cloned();
    let mut tails: Vec<_> = members.iter().skip(1).map(|member| (member.name.clone(), tail(member))).collect();
    // What was archived is shown below the reading that it came from.
    tails.sort_by_key(|(name, _)| name == WATCH);
    let mut called = Instant::now();
    while !project.interrupt.requested() {
        for (name, tail) in &mut tails {
            for (style, line) in tail.lines().iter().filter_map(|line| shown(name, line)) {
                terminal::say_in(style, &line);
            }
        }
        if called.elapsed() > ROLL_CALL {
            called = Instant::now();
            for gone in members.extract_if(.., |member| !member.runs()) {
                terminal::say_in(TROUBLE, &format!("{} ended; its log is {}", gone.name, gone.log.display()));
            }
            if members.first() != aws.as_ref() {
                return Err(ended(aws.as_ref()));
            }
        }
        rest(LOOK);
    }
    Ok(())
}

fn ended(aws: Option<&Member>) -> Failure {
    if let Some(aws) = aws {
        process::show_log_tail(&aws.log);
    }
    Failure::new("local-aws", "the local AWS ended by itself, or by `cargo xtask down`. The end of its log is above.")
}

/// One line of a device's or the watcher's log as a person wants to see it; `None` if there is nothing to see.
fn shown(source: &str, line: &str) -> Option<(Style, String)> {
    let Ok(event) = serde_json::from_str::<Value>(line) else { return None };
    let text =
        |name: &str| event.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    match text("kind").as_deref() {
        Some("mail") => return Some((MAIL, mail(&event))),
        Some("archived") => {
            let (key, bytes) = (text("key")?, text("bytes").unwrap_or_default());
            return Some((ARCHIVED, format!("archived  {key} ({bytes} bytes)")));
        }
        Some(_) => return None,
        None => {}
    }
    let message = text("message").unwrap_or_default();
    match text("level").as_deref() {
        Some("WARN" | "ERROR") => Some((TROUBLE, format!("device    {source}  {message}"))),
        // An attempt that was turned away says its reason's code; a device that has joined says what it is.
        Some(_) | None if text("code").is_some() => Some((ARCHIVED, format!("joining   {source}  {message}"))),
        Some(_) | None if message == "description published" => Some((READING, format!("joined    {source}"))),
        Some(_) | None => {
            let humidity = text("humidity").or_else(|| text("humidity.percent"))?;
            Some((READING, format!("reading   {source}  humidity {humidity}")))
        }
    }
}

fn mail(event: &Value) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let to: Vec<&str> =
        event.get("to").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    format!("mail      to {}: {} | {}", to.join(", "), text("subject"), text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: &str, json: &str) -> Option<String> {
        shown(source, json).map(|(_, line)| line)
    }

    #[test]
    fn a_reading_is_shown_as_the_device_sent_it_also_when_it_is_a_string() {
        assert_eq!(
            line("soilSensor1", r#"{"level":"INFO","message":"published","humidity":31}"#).unwrap(),
            "reading   soilSensor1  humidity 31"
        );
        assert_eq!(
            line("soilSensor1", r#"{"level":"INFO","message":"published","humidity":"20"}"#).unwrap(),
            "reading   soilSensor1  humidity 20"
        );
    }

    #[test]
    fn a_mail_is_shown_with_receivers_subject_and_text() {
        let mail = r#"{"kind":"mail","subject":"S","message":"M","to":["a@example.com","b@example.com"]}"#;
        assert_eq!(line("watch", mail).unwrap(), "mail      to a@example.com, b@example.com: S | M");
    }

    #[test]
    fn an_archived_object_is_shown_with_its_key() {
        let archived = r#"{"kind":"archived","bucket":"b","key":"device/a/devicePayload/1","bytes":95}"#;
        assert_eq!(line("watch", archived).unwrap(), "archived  device/a/devicePayload/1 (95 bytes)");
    }

    #[test]
    fn a_device_that_joins_is_seen_to_wait_and_to_arrive() {
        let waits = r#"{"level":"INFO","code":"closed","message":"registration is under way; next try in 1.4 s"}"#;
        let shown = line("soilSensor1", waits).unwrap();
        assert_eq!(shown, "joining   soilSensor1  registration is under way; next try in 1.4 s");
        let arrives = r#"{"level":"INFO","message":"description published","topic":"loam/soilSensor1/describe"}"#;
        assert_eq!(line("soilSensor1", arrives).unwrap(), "joined    soilSensor1");
    }

    #[test]
    fn a_devices_trouble_is_shown_and_its_small_talk_is_not() {
        let refused = r#"{"level":"WARN","message":"the broker refused the connection"}"#;
        assert_eq!(line("soilSensor1", refused).unwrap(), "device    soilSensor1  the broker refused the connection");
        assert_eq!(line("soilSensor1", r#"{"level":"INFO","message":"connected"}"#), None);
        assert_eq!(line("soilSensor1", "not JSON"), None);
    }
}
