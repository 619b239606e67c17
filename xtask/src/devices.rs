//! The simulated sensors: ordinary reference devices in processes of their own.

use std::path::Path;
use std::process::Command;

use crate::build::Metadata;
use crate::emulator::LocalAws;

/// The command line of a soil sensor; `seed` makes its readings differ from those of its neighbours. Its certificate names the broker as `localhost`.
pub(crate) fn sensor(metadata: &Metadata, local: &LocalAws, thing: &str, seed: usize, interval: u64) -> Command {
    let mut command = Command::new(metadata.built("loam-device"));
    command.args(arguments(&local.things(), thing, local.mqtt_port));
    command.args(["--mode", "soil", "--interval", &interval.to_string(), "--seed", &seed.to_string()]);
    command.args(["--log-format", "json"]);
    command
}

/// What names a device and lets it in.
pub(crate) fn arguments(things: &Path, thing: &str, mqtt_port: u16) -> Vec<String> {
    let file = |name: String| things.join(name).display().to_string();
    [
        ("--device_name", thing.to_owned()),
        ("--endpoint", "localhost".to_owned()),
        ("--port", mqtt_port.to_string()),
        ("--root_ca", file("root-ca.pem".to_owned())),
        ("--cert", file(format!("{thing}.pem.crt"))),
        ("--private", file(format!("{thing}.private.key"))),
    ]
    .into_iter()
    .flat_map(|(flag, value)| [flag.to_owned(), value])
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_given_its_own_certificate_and_key() {
        let arguments = arguments(Path::new("things"), "soilSensor2", 8884).join(" ");
        assert_eq!(
            arguments,
            "--device_name soilSensor2 --endpoint localhost --port 8884 --root_ca things/root-ca.pem \
             --cert things/soilSensor2.pem.crt --private things/soilSensor2.private.key"
        );
    }
}
