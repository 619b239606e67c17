use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use loam_runtime::process_environment;
use serde::Deserialize;

use crate::handler_logs::keep_handler_logs;
use crate::signature::Signer;

/// The stack that the tests run against, as the local AWS describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// The stack's name.
    pub stack: String,
    /// Where every AWS API of the local AWS is served.
    pub endpoint: String,
    /// The region that it plays.
    pub region: String,
    /// The port of MQTT with mutual TLS.
    pub mqtt_port: u16,
    /// The port of the credentials provider, with mutual TLS; its certificate is good for `localhost`.
    pub credentials_port: u16,
    /// The stack's outputs by key.
    pub outputs: BTreeMap<String, String>,
    /// Physical ids by logical id.
    pub resources: BTreeMap<String, String>,
    /// The functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The program that asks the HTTP API what openapi.json says.
    pub schemathesis: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) sam: PathBuf,
    pub(crate) staging: PathBuf,
    pub(crate) folder: PathBuf,
    /// Where the keys and certificates of things lie.
    pub things_folder: PathBuf,
    admin: Key,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// A deployed function.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Its name in Lambda.
    pub name: String,
    /// Its environment variables, with the stack's real names.
    pub environment: BTreeMap<String, String>,
    /// How long Lambda lets it run, in seconds.
    timeout: u32,
    credentials: Key,
}

impl Stack {
    /// The stack that `LOAM_STACK` names. Where it names several, each on a local AWS of its own, tests that run side by
    /// side are spread over them; a test always gets the same one.
    ///
    /// # Panics
    /// Outside `cargo xtask test`, which deploys it and sets the variable.
    #[must_use]
    pub fn deployed() -> Self {
        let paths = descriptions();
        // nextest gives each test that is running a number from 0 that no other has.
        let slot = process_environment("NEXTEST_TEST_GLOBAL_SLOT").and_then(|slot| slot.parse::<usize>().ok());
        let path = paths.get(slot.unwrap_or_default().checked_rem(paths.len()).unwrap_or_default());
        Self::described(path.expect("LOAM_STACK names no file"))
    }

    /// Every stack that `LOAM_STACK` names.
    ///
    /// # Panics
    /// As [`Stack::deployed`].
    #[must_use]
    pub fn all_deployed() -> Vec<Self> {
        descriptions().iter().map(|path| Self::described(path)).collect()
    }

    fn described(path: &Path) -> Self {
        let shown = path.display();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{shown} cannot be read: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{shown} is no stack's description: {error}"))
    }

    /// Where tests of the stack may keep what they want to show.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The function with this logical id.
    ///
    /// # Panics
    /// When the template has none.
    #[must_use]
    pub fn function(&self, logical_id: &str) -> &Function {
        self.functions.get(logical_id).unwrap_or_else(|| panic!("the template has no function {logical_id}"))
    }

    /// An output of the stack.
    ///
    /// # Panics
    /// When the template has none of that name.
    #[must_use]
    pub fn output(&self, key: &str) -> &str {
        self.outputs.get(key).unwrap_or_else(|| panic!("the template has no output {key}"))
    }

    /// What the tester's own clients are made from: the administrator's key, straight to the local AWS.
    pub async fn admin(&self) -> SdkConfig {
        self.client_config(&self.admin, &self.endpoint).await
    }

    /// The administrator's key and the region, as variables for a command.
    pub(crate) fn admin_variables(&self) -> [(&'static str, &str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", &self.admin.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.admin.secret_access_key),
            ("AWS_REGION", &self.region),
        ]
    }

    /// The administrator's key, through `endpoint`: for handlers on tables that are not the stack's.
    pub async fn admin_through(&self, endpoint: &str) -> SdkConfig {
        self.client_config(&self.admin, endpoint).await
    }

    /// What a handler's clients are made from: the function's own role, through `endpoint` (the local AWS, or a wiretap
    /// in front of it).
    pub async fn role_of(&self, function: &Function, endpoint: &str) -> SdkConfig {
        self.client_config(&function.credentials, endpoint).await
    }

    /// Every secret key and session token of the stack's description: none of them may stand in a log.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        let keys = self.functions.values().map(|function| &function.credentials).chain([&self.admin]);
        keys.flat_map(|key| [Some(key.secret_access_key.as_str()), key.session_token.as_deref()]).flatten().collect()
    }

    /// Key id, secret and session token of a signer.
    pub(crate) fn key(&self, signer: Signer<'_>) -> (String, String, Option<String>) {
        let key = match signer {
            Signer::Admin | Signer::Impostor => &self.admin,
            Signer::Role(logical_id) => &self.function(logical_id).credentials,
        };
        let secret = if signer == Signer::Impostor { "x".repeat(40) } else { key.secret_access_key.clone() };
        (key.access_key_id.clone(), secret, key.session_token.clone())
    }

    /// The longest wait before a client's second attempt. It is the SDK's own where AWS's limits are real; behind a wiretap
    /// thousands of failures are made on purpose, and a second for each would be most of the tests' time.
    fn back_off(&self, endpoint: &str) -> Duration {
        if endpoint == self.endpoint { Duration::from_secs(1) } else { Duration::from_millis(100) }
    }

    async fn client_config(&self, key: &Key, endpoint: &str) -> SdkConfig {
        keep_handler_logs();
        let (id, secret) = (key.access_key_id.as_str(), key.secret_access_key.as_str());
        let credentials = Credentials::new(id, secret, key.session_token.clone(), None, "stack.json");
        // Without TLS, as the local AWS is: to read the machine's CAs for each world is a third of what the faults compute.
        let http = aws_smithy_http_client::Builder::new().build_http();
        let sdk = loam_runtime::sdk_config().await.into_builder().http_client(http);
        let sdk = sdk.endpoint_url(endpoint).region(Region::new(self.region.clone()));
        let retries = RetryConfig::standard().with_initial_backoff(self.back_off(endpoint));
        let sdk = sdk.retry_config(retries).timeout_config(patience());
        sdk.credentials_provider(SharedCredentialsProvider::new(credentials)).build()
    }
}

/// Longer than the product waits: on a machine with too much to do, the local AWS may take seconds for an answer, and a
/// call that is made twice for it (a table created, a counter raised) says nothing about the product.
fn patience() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(60))
        .build()
}

impl Function {
    /// How long a delivery to it may take: half a second of its time is left for telling Lambda.
    #[must_use]
    pub fn bound(&self) -> Duration {
        Duration::from_secs(self.timeout.into()).saturating_sub(Duration::from_millis(500))
    }

    /// The key of its role, as Lambda hands it to the function's process.
    pub(crate) fn key_variables(&self) -> Vec<(&'static str, &str)> {
        let Key { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut variables =
            vec![("AWS_ACCESS_KEY_ID", access_key_id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret_access_key)];
        variables.extend(session_token.as_deref().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables
    }

    /// A variable of the function's environment, as a configuration's look-up function wants it.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }
}

/// The files that `LOAM_STACK` names, as `PATH` names folders.
fn descriptions() -> Vec<PathBuf> {
    let paths = process_environment("LOAM_STACK")
        .expect("LOAM_STACK names no stack: run this test through `cargo xtask test --level handler`");
    std::env::split_paths(&paths).collect()
}
