use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_iotdataplane::config::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use axum::http::Uri;
use loam_domain::Timestamp;

use super::SessionFailure;

/// The name of the service that a signature for MQTT over WebSocket is made for.
const SERVICE: &str = "iotdevicegateway";
/// How long a signed address can be used, which it is at once.
const GOOD_FOR: Duration = Duration::from_secs(300);
const SECURE: &str = "wss";

/// Where the broker is: whom we speak to, and where the connection goes. The second differs from the first only where
/// `AWS_ENDPOINT_URL` says so, as for every other service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    dial: String,
    scheme: &'static str,
}

impl Address {
    /// The broker of the data endpoint `host`, dialled at itself.
    ///
    /// # Errors
    /// A sentence, when `host` is none.
    pub fn new(host: &str) -> Result<Self, String> {
        let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if host.is_empty() || !plain {
            return Err(format!("WSS_ENDPOINT is {host:?}, expected a host name without scheme and path"));
        }
        Ok(Self { host: host.to_owned(), dial: format!("{SECURE}://{host}/mqtt"), scheme: SECURE })
    }

    /// The same broker, dialled at `endpoint` (`http://127.0.0.1:4566`): the SDK's endpoint, where it has one. An endpoint
    /// that is no URL of HTTP changes nothing; the SDK itself fails with it.
    #[must_use]
    pub fn dialled_at(mut self, endpoint: Option<&str>) -> Self {
        let (scheme, authority) = match endpoint.and_then(|url| url.split_once("://")) {
            Some(("https", rest)) => (SECURE, rest),
            Some(("http", rest)) => ("ws", rest),
            _ => return self,
        };
        self.dial = format!("{scheme}://{}/mqtt", authority.trim_end_matches('/'));
        self.scheme = scheme;
        self
    }

    /// Where the TCP connection goes, as a URL.
    pub(super) fn dial(&self) -> &str {
        &self.dial
    }

    /// The host name that is signed, and that TLS is asked to prove.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn is_secure(&self) -> bool {
        self.scheme == SECURE
    }

    /// The address with its signature. AWS IoT signs it without the session token, which is added afterwards. Source: AWS
    /// IoT developer guide, "MQTT over the WebSocket protocol".
    pub(super) fn signed(&self, region: &str, credentials: Credentials, now: Timestamp) -> Result<Uri, SessionFailure> {
        let url = format!("{}://{}/mqtt", self.scheme, self.host);
        let token = credentials.session_token().map(ToOwned::to_owned);
        let identity = Identity::from(credentials);
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.session_token_mode = SessionTokenMode::Exclude;
        settings.expires_in = Some(GOOD_FOR);
        let parameters = v4::SigningParams::builder().identity(&identity).region(region).name(SERVICE);
        let parameters = parameters.time(time(now)).settings(settings).build();
        let parameters: SigningParams<'_> = parameters.map_err(|_| SessionFailure::Unsigned)?.into();
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]));
        let signed = request.and_then(|request| sign(request, &parameters)).map_err(|_| SessionFailure::Unsigned)?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in signed.output().params() {
            query.append_pair(name, value);
        }
        if let Some(token) = token {
            query.append_pair("X-Amz-Security-Token", &token);
        }
        Uri::try_from(format!("{url}?{}", query.finish())).map_err(|_| SessionFailure::Unsigned)
    }
}

fn time(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_endpoint_the_host_itself_is_dialled_over_tls() {
        let address = Address::new("abc-ats.iot.eu-west-1.amazonaws.com").unwrap();
        assert_eq!((address.dial(), address.is_secure()), ("wss://abc-ats.iot.eu-west-1.amazonaws.com/mqtt", true));
    }

    #[test]
    fn an_endpoint_changes_where_the_connection_goes_and_not_whom_it_speaks_to() {
        let address =
            Address::new("data-ats.iot.eu-west-1.amazonaws.com").unwrap().dialled_at(Some("http://127.0.0.1:4566/"));
        assert_eq!((address.dial(), address.is_secure()), ("ws://127.0.0.1:4566/mqtt", false));
        let uri =
            address.signed("eu-west-1", Credentials::new("id", "secret", None, None, "t"), Timestamp::from_millis(0));
        assert_eq!(uri.unwrap().host(), Some("data-ats.iot.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn the_session_token_stands_behind_the_signature() {
        let address = Address::new("x").unwrap();
        let credentials = Credentials::new("id", "secret", Some("to/ken=".to_owned()), None, "t");
        let uri = address.signed("eu-west-1", credentials, Timestamp::from_millis(0)).unwrap();
        let query = uri.query().unwrap();
        assert!(query.ends_with("&X-Amz-Security-Token=to%2Fken%3D"), "{query}");
        assert!(query.find("X-Amz-Signature=").unwrap() < query.find("X-Amz-Security-Token=").unwrap());
        assert!(query.contains("%2Fiotdevicegateway%2Faws4_request"), "{query}");
    }

    #[test]
    fn a_host_with_a_scheme_or_a_path_is_refused() {
        for host in ["", "wss://x", "x/mqtt", "x y"] {
            assert!(Address::new(host).is_err(), "{host}");
        }
        let itself = Address::new("x").unwrap();
        assert_eq!(itself.clone().dialled_at(Some("ftp://y")), itself);
    }
}
