use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::second_stack::local_verb;
use crate::{Credentials, Stack};

/// A maker of devices with a CA of its own, by the commands that a person uses: also certificates with flaws, and also
/// those that a careful library would not use.
pub struct Factory {
    stack: Stack,
    folder: PathBuf,
    /// AWS's id of its CA.
    pub ca_id: String,
}

/// A device of a factory.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its name and its files.
    pub credentials: Credentials,
    /// AWS's id of its certificate.
    pub certificate: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    certificate_id: String,
    cert: PathBuf,
    key: PathBuf,
}

impl Factory {
    /// A new one, whose CA is registered as `register-ca` does it: ACTIVE, with automatic registration.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn open(stack: &Stack) -> Self {
        let folder = stack.things_folder.join(format!("factory-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("root-ca.pem"), stack.root_ca().await).unwrap();
        let mut factory = Self { stack: stack.clone(), folder, ca_id: String::new() };
        let [ca, key] = factory.ca();
        let registered = factory.ask("register-ca", &["--make", "--ca", &ca, "--key", &key]).await;
        registered.get("caId").and_then(Value::as_str).unwrap().clone_into(&mut factory.ca_id);
        factory
    }

    /// A certificate with this common name, and what else the command `certificate` is told: `--dates=expired`,
    /// `--key-type=rsa1024`.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn certificate(&self, name: &str, flaws: &[&str]) -> Made {
        let [ca, key] = self.ca();
        let (out, file) = (self.folder.display().to_string(), uuid::Uuid::new_v4().simple().to_string());
        let order = ["--ca", &ca, "--key", &key, "--name", name, "--out", &out, "--file", &file];
        let issued: Issued = serde_json::from_value(self.ask("certificate", &[&order, flaws].concat()).await).unwrap();
        let credentials = Credentials {
            thing: name.to_owned(),
            cert: issued.cert,
            key: issued.key,
            root_ca: self.folder.join("root-ca.pem"),
        };
        Made { credentials, certificate: issued.certificate_id }
    }

    /// Shows a certificate to the broker in one CONNECT; whether it was let in.
    ///
    /// # Panics
    /// When the command fails.
    pub async fn present(&self, made: &Made) -> bool {
        let Credentials { thing, cert, key, root_ca } = &made.credentials;
        let [cert, key, root_ca] = [cert, key, root_ca].map(|file| file.display().to_string());
        let port = self.stack.mqtt_port.to_string();
        let who = ["--client-id", thing, "--cert", &cert, "--key", &key, "--root-ca", &root_ca, "--port", &port];
        self.ask("present", &who).await.get("accepted").and_then(Value::as_bool).unwrap()
    }

    fn ca(&self) -> [String; 2] {
        ["ca.pem", "ca.key"].map(|file| self.folder.join(file).display().to_string())
    }

    async fn ask(&self, verb: &str, arguments: &[&str]) -> Value {
        let output = local_verb(&self.stack, verb, arguments).await;
        assert!(output.status.success(), "{verb} failed: see its message above");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
