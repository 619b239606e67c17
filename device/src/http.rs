//! Bytes over URLs that carry their own right: files and firmware come and go this way.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer, or the next bytes of one, may take.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// What goes up.
pub(crate) type Sent = UnsyncBoxBody<Bytes, io::Error>;

/// Fetches and brings bytes over URLs that carry their own right.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Sent>,
}

/// Why a request did not come to its end. Holds no URL.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The URL's time is over, or it never had the right: ask for another.
    #[error("the server answered {0}: the URL is good no more")]
    UrlOver(StatusCode),
    /// The line or the server failed: again.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The URL is no URL, or one that would carry its right over a network without TLS.
    #[error("the URL is refused: it must be https, or http to this very machine")]
    Url,
}

/// There is nothing to make TLS connections with.
#[derive(Debug, thiserror::Error)]
#[error("no trustworthy CA: neither this machine's nor --root_ca can be used for https: {0}")]
pub struct NoHttp(String);

/// What comes down, from the byte that was asked for.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    /// How many bytes the server sends although nobody asked for them.
    skip: u64,
    whole: Option<u64>,
}

impl Http {
    /// Trusts the CAs of this machine and, for machines that have none, those in `root_ca` (PEM). S3's certificates come from
    /// Amazon's CAs, as those of the IoT endpoint do.
    ///
    /// # Errors
    /// [`NoHttp`] if neither holds any.
    pub fn new(root_ca: Option<&[u8]>) -> Result<Self, NoHttp> {
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector(trust(root_ca)?)) })
    }

    /// GETs what is behind a URL from byte `from` on, also of a server that takes no notice of the range.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn open(&self, url: &str, from: u64) -> Result<Body, NoAnswer> {
        let request = Request::get(checked(url)?).header(RANGE, format!("bytes={from}-"));
        let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let answer = self.send(request.body(nothing).map_err(|_| NoAnswer::Url)?).await?;
        let partial = answer.status() == StatusCode::PARTIAL_CONTENT;
        let whole = whole_bytes(&answer, partial);
        Ok(Body { incoming: answer.into_body(), skip: if partial { 0 } else { from }, whole })
    }

    /// PUTs `bytes` bytes.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(crate) async fn bring(&self, url: &str, bytes: u64, body: Sent) -> Result<(), NoAnswer> {
        let request = Request::builder().method(Method::PUT).uri(checked(url)?).header(CONTENT_LENGTH, bytes);
        let answer = self.send(request.body(body).map_err(|_| NoAnswer::Url)?).await?;
        // Read to its end, so that the connection serves the next part.
        let mut rest = answer.into_body();
        while next(&mut rest).await?.is_some() {}
        Ok(())
    }

    async fn send(&self, request: Request<Sent>) -> Result<Response<Incoming>, NoAnswer> {
        // A part of some MiB takes its time on a slow line.
        let limit = if request.method() == Method::PUT { SILENCE * 20 } else { SILENCE };
        let answer = tokio::time::timeout(limit, self.client.request(request)).await;
        let answer = answer.map_err(|_| silent())?.map_err(|error| broken(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(NoAnswer::Broken(format!("the server answered {status}")))
            }
            status => Err(NoAnswer::UrlOver(status)),
        }
    }
}

/// TLS that trusts the CAs of this machine and those in `root_ca`.
pub(crate) fn trust(root_ca: Option<&[u8]>) -> Result<ClientConfig, NoHttp> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let given = root_ca.map(|pem| CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect::<Vec<_>>());
    roots.add_parsable_certificates(given.unwrap_or_default());
    if roots.is_empty() {
        return Err(NoHttp("there is no certificate".to_owned()));
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| NoHttp(error.to_string()))?;
    Ok(tls.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn connector(tls: ClientConfig) -> HttpsConnector<HttpConnector> {
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build()
}

impl Body {
    /// How long the whole is, of which this may be the end only, in bytes; `None` if the server does not say it.
    #[must_use]
    pub const fn whole(&self) -> Option<u64> {
        self.whole
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`NoAnswer::Broken`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        while let Some(mut piece) = next(&mut self.incoming).await? {
            let unwanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
            self.skip -= unwanted as u64;
            let wanted = piece.split_off(unwanted);
            if !wanted.is_empty() {
                return Ok(Some(wanted));
            }
        }
        Ok(None)
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, NoAnswer> {
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| silent())?;
        match frame.transpose().map_err(|error| NoAnswer::Broken(error.to_string()))? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// What is behind `Content-Range: bytes 0-9/`, or the length of an answer that is not a part.
fn whole_bytes(answer: &Response<Incoming>, partial: bool) -> Option<u64> {
    let header = |name| answer.headers().get(name)?.to_str().ok();
    if partial { header(CONTENT_RANGE)?.rsplit('/').next()?.parse().ok() } else { header(CONTENT_LENGTH)?.parse().ok() }
}

fn silent() -> NoAnswer {
    NoAnswer::Broken("nothing came for half a minute".to_owned())
}

/// hyper's own words never hold the URL.
fn broken(error: &hyper_util::client::legacy::Error) -> NoAnswer {
    let source = std::error::Error::source(error).map(ToString::to_string);
    NoAnswer::Broken(source.unwrap_or_else(|| error.to_string()))
}

/// What is behind it may be sealed or signed, but the URL itself is a right: without TLS it leaves this machine never.
pub(crate) fn checked(url: &str) -> Result<Uri, NoAnswer> {
    let uri: Uri = url.parse().map_err(|_| NoAnswer::Url)?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if is_this_machine(host) => Ok(uri),
        _ => Err(NoAnswer::Url),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || matches!(host, "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leaves_the_machine_with_tls_only() {
        for good in [
            "https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Signature=1",
            "http://localhost:4566/b/k",
            "http://127.0.0.1/b",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://b.s3.amazonaws.com/k",
            "http://localhost.example.com/k",
            "file:///etc/passwd",
            "ftp://x/y",
            "",
            "/k",
        ] {
            assert!(matches!(checked(bad), Err(NoAnswer::Url)), "{bad}");
        }
    }
}
