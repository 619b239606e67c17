use super::credentials::Provider;
use super::exchange::Exchange;
use super::key_arn::KeyArn;
use super::{NoHttp, NoKey};
use crate::http::{checked, trust};
use crate::identity::Identity;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Uri};
use loam_sealed::{DataKey, EncryptionContext, UnverifiedHeader};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// What `Decrypt` is called on the wire. Source: the service model of AWS KMS (JSON 1.1, prefix `TrentService`).
const DECRYPT: &str = "TrentService.Decrypt";
const JSON: &str = "application/x-amz-json-1.1";
/// How much of the name of an error is kept, in characters.
const MOST_NAME: usize = 64;
/// The longest name of a role alias. Source: `CreateRoleAlias` in the AWS IoT API reference.
const MOST_ALIAS: usize = 128;

/// Where a device gets credentials, and where KMS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The account's credential provider: `https://`, and what `DescribeEndpoint` answers for `iot:CredentialProvider`.
    pub credentials: String,
    /// The role alias of the stack: its output `FilesRoleAlias`.
    pub role_alias: String,
    /// Where KMS is, instead of AWS's own host in the region of a file's key.
    pub kms: Option<String>,
}

/// An address is none. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
pub enum BadAddress {
    /// The credential provider's.
    #[error(
        "--credentials {0:?}: expected https://, a host and no path: what DescribeEndpoint answers for iot:CredentialProvider"
    )]
    Credentials(String),
    /// The role alias.
    #[error("--role_alias {0:?}: expected 1 to {MOST_ALIAS} letters, digits and _=,@-")]
    RoleAlias(String),
    /// KMS's.
    #[error("--kms {0:?}: expected https://, a host and no path, or http:// to this very machine")]
    Kms(String),
    /// There is nothing to make TLS connections with.
    #[error(transparent)]
    Tls(#[from] NoHttp),
}

/// A device's own way to KMS: credentials for its certificate, and `Decrypt` for the data keys of its files.
#[derive(Debug)]
pub struct Kms {
    provider: Provider,
    exchange: Exchange,
    instead: Option<String>,
}

/// What KMS is asked: a data key, and what the device knows of itself and of the file that it is for.
#[derive(Debug)]
pub(super) struct Asked {
    key: KeyArn,
    body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    plaintext: String,
    key_id: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: String,
}

impl BadAddress {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Credentials(_) | Self::RoleAlias(_) | Self::Kms(_) => "kms-address-refused",
            Self::Tls(_) => "no-root-ca",
        }
    }
}

impl Kms {
    /// The way of the device `identity`, which shows its certificate to the credential provider. KMS's own certificate is
    /// trusted as S3's: by this machine or by `root_ca` (PEM).
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn new(identity: &Identity, root_ca: Option<&[u8]>, addresses: &Addresses) -> Result<Self, BadAddress> {
        let Addresses { credentials, role_alias, kms } = addresses;
        let base = host_of(credentials).ok_or_else(|| BadAddress::Credentials(credentials.clone()))?;
        if !is_alias(role_alias) {
            return Err(BadAddress::RoleAlias(role_alias.clone()));
        }
        let instead = match kms {
            Some(kms) => Some(host_of(kms).ok_or_else(|| BadAddress::Kms(kms.clone()))?),
            None => None,
        };
        let url = format!("{base}/role-aliases/{role_alias}/credentials");
        let as_itself = Exchange::over((*identity.tls()).clone());
        let provider = Provider::new(as_itself, url, identity.thing_name().clone());
        Ok(Self { provider, exchange: Exchange::over(trust(root_ca)?), instead })
    }

    /// Asks KMS at `now`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`NoKey`].
    pub(super) async fn open(&self, asked: &Asked, now: i64) -> Result<DataKey, NoKey> {
        let credentials = self.provider.lend(now).await?;
        let host = self.instead.clone().unwrap_or_else(|| asked.key.endpoint());
        let request = signed(&format!("{host}/"), asked, credentials, now)
            .ok_or_else(|| NoKey::Later("the request cannot be signed".to_owned()))?;
        let answer = self.exchange.ask(request).await;
        let answer = answer.map_err(|why| NoKey::Later(format!("KMS does not answer: {why}")))?;
        let decided = decide(answer.status, &answer.body, &asked.key);
        if matches!(decided, Err(NoKey::Stale(_))) {
            self.provider.forget().await;
        }
        decided
    }
}

impl Asked {
    /// For the `aws-kms` data key of a header. `context` is what the device expects, whatever the header states: KMS opens no
    /// key that was made for another.
    ///
    /// # Errors
    /// [`NoKey::NoKmsDataKey`].
    pub(super) fn of(header: &UnverifiedHeader, context: &EncryptionContext) -> Result<Self, NoKey> {
        let (key, ciphertext) = KeyArn::of(header)?;
        let pairs: Map<String, Value> =
            context.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let body = json!({
            "CiphertextBlob": STANDARD.encode(ciphertext), "EncryptionContext": pairs, "KeyId": key.as_str(),
        });
        Ok(Self { key, body: body.to_string().into_bytes() })
    }
}

/// A `Decrypt` with AWS Signature Version 4.
fn signed(url: &str, asked: &Asked, credentials: Credentials, now: i64) -> Option<Request<Full<Bytes>>> {
    let identity = credentials.into();
    let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(now).ok()?);
    let parameters = v4::SigningParams::builder().identity(&identity).region(asked.key.region()).name("kms").time(time);
    let parameters: SigningParams<'_> = parameters.settings(SigningSettings::default()).build().ok()?.into();
    let headers = [(CONTENT_TYPE.as_str(), JSON), ("x-amz-target", DECRYPT)];
    let body = SignableBody::Bytes(&asked.body);
    let question = SignableRequest::new("POST", url, headers.into_iter(), body).ok()?;
    let (instructions, _) = sign(question, &parameters).ok()?.into_parts();
    let request = headers.iter().fold(Request::post(url), |request, (name, value)| request.header(*name, *value));
    let mut request = request.body(Full::new(Bytes::copy_from_slice(&asked.body))).ok()?;
    instructions.apply_to_request_http1x(&mut request);
    Some(request)
}

/// What comes of an answer of KMS.
fn decide(status: u16, body: &[u8], key: &KeyArn) -> Result<DataKey, NoKey> {
    if status == 200 {
        let opened = data_key(body, key);
        return opened.ok_or_else(|| NoKey::Later("KMS answered something else than 32 bytes of this key".to_owned()));
    }
    let name = error_name(body);
    match name.as_str() {
        "AccessDeniedException" => Err(NoKey::Denied),
        "InvalidCiphertextException" | "IncorrectKeyException" => Err(NoKey::NotAuthentic),
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException" | "RequestExpired" => {
            Err(NoKey::Stale(name))
        }
        "ThrottlingException" | "LimitExceededException" | "DependencyTimeoutException" => Err(NoKey::Later(name)),
        _ if status >= 500 || status == 429 => Err(NoKey::Later(format!("KMS answered {status} {name}"))),
        _ => Err(NoKey::KmsRefused(format!("{status} {name}"))),
    }
}

fn data_key(body: &[u8], key: &KeyArn) -> Option<DataKey> {
    let Answered { plaintext, key_id } = serde_json::from_slice(body).ok()?;
    let bytes = STANDARD.decode(plaintext).ok()?;
    (key_id == key.as_str()).then_some(DataKey::new(bytes.try_into().ok()?))
}

/// The name of an error, which some write with its namespace before `#`.
fn error_name(body: &[u8]) -> String {
    let Ok(Refusal { kind }) = serde_json::from_slice(body) else { return "without a name".to_owned() };
    let name = kind.rsplit('#').next().unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).take(MOST_NAME).collect()
}

/// Scheme, host and port of a URL that has nothing more.
fn host_of(url: &str) -> Option<String> {
    let uri: Uri = checked(url).ok()?;
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.authority().filter(|authority| bare && !authority.as_str().contains('@'))?;
    Some(format!("{}://{authority}", uri.scheme_str()?))
}

fn is_alias(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_=,@-".contains(&byte);
    (1..=MOST_ALIAS).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
#[path = "kms_tests.rs"]
pub(super) mod tests;
#[cfg(test)]
#[path = "kms_tls_tests.rs"]
mod tls_tests;
