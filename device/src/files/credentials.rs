//! Credentials of AWS IoT's credential provider: AWS Signature Version 4 for a device that has a certificate.
//!
//! Source: <https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html>

use super::NoKey;
use super::exchange::Exchange;
use aws_credential_types::Credentials;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jiff::Timestamp;
use loam_domain::ThingName;
use serde::Deserialize;
use tokio::sync::Mutex;

/// So long before their end credentials are asked for anew, in milliseconds: a request takes its time, and clocks differ.
const EARLY_MILLIS: i64 = 5 * 60 * 1_000;
/// How much of the provider's own words is kept, in characters.
const MOST_WORDS: usize = 120;

/// What a device is lent. Shows nothing of it.
#[derive(Clone)]
struct Lent {
    credentials: Credentials,
    expires_at: i64,
}

/// Lends credentials, and keeps them while they are good.
pub(super) struct Provider {
    exchange: Exchange,
    url: String,
    thing: ThingName,
    kept: Mutex<Option<Lent>>,
}

#[derive(Deserialize)]
struct Answered {
    credentials: Wire,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Provider {
    /// Asks at `url` by an `exchange` that shows the certificate of `thing`.
    pub(super) fn new(exchange: Exchange, url: String, thing: ThingName) -> Self {
        Self { exchange, url, thing, kept: Mutex::new(None) }
    }

    /// Credentials that are good for some minutes after `now`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`NoKey`].
    pub(super) async fn lend(&self, now: i64) -> Result<Credentials, NoKey> {
        // Whoever asks meanwhile waits for this answer, instead of asking the same.
        let mut kept = self.kept.lock().await;
        if let Some(lent) = kept.as_ref().filter(|lent| now < lent.expires_at - EARLY_MILLIS) {
            return Ok(lent.credentials.clone());
        }
        let lent = self.ask().await?;
        Ok(kept.insert(lent).credentials.clone())
    }

    /// Forgets what it lent: it was refused.
    pub(super) async fn forget(&self) {
        self.kept.lock().await.take();
    }

    /// Without its thing's name in the header a device gets credentials that open nothing.
    async fn ask(&self) -> Result<Lent, NoKey> {
        let request = Request::get(&self.url).header("x-amzn-iot-thingname", self.thing.as_str());
        let request = request.body(Full::new(Bytes::new())).map_err(|error| NoKey::Later(error.to_string()))?;
        let answer = self.exchange.ask(request).await;
        let answer = answer.map_err(|why| NoKey::Later(format!("the credential provider does not answer: {why}")))?;
        decide(answer.status, &answer.body)
    }
}

/// What comes of an answer of the provider.
fn decide(status: u16, body: &[u8]) -> Result<Lent, NoKey> {
    match status {
        200 => lent(body).ok_or_else(|| NoKey::Later("the credential provider answered something else".to_owned())),
        429 | 500..=599 => Err(NoKey::Later(format!("the credential provider answered {status}"))),
        403 => Err(NoKey::CredentialsRefused(words(body))),
        404 => Err(NoKey::NoRoleAlias(words(body))),
        _ => Err(NoKey::RoleNotAssumed { status, said: words(body) }),
    }
}

fn lent(body: &[u8]) -> Option<Lent> {
    let Wire { access_key_id, secret_access_key, session_token, expiration } =
        serde_json::from_slice::<Answered>(body).ok()?.credentials;
    let credentials =
        Credentials::new(access_key_id, secret_access_key, Some(session_token), None, "iot-credential-provider");
    Some(Lent { credentials, expires_at: expiration.parse::<Timestamp>().ok()?.as_millisecond() })
}

/// The provider's reason, as far as it is harmless in a log.
fn words(body: &[u8]) -> String {
    let Ok(Refusal { message }) = serde_json::from_slice(body) else { return String::new() };
    let plain = message.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(MOST_WORDS);
    format!(": {}", plain.collect::<String>())
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Provider").field("url", &self.url).field("thing", &self.thing).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
pub(super) mod tests;
