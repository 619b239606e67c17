use crate::http::{SILENCE, connector};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

/// The longest answer that is read, in bytes: credentials have some 2 KB.
const MOST_BYTES: usize = 64 * 1024;

/// Asks small questions over HTTPS.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Exchange {
    pub(super) fn over(tls: ClientConfig) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build(connector(tls)) }
    }

    /// Asks once. The error says why there is no answer, and holds nothing of the question.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let whole = async {
            let answer = self.client.request(request).await.map_err(|error| {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                source.unwrap_or_else(|| error.to_string())
            })?;
            let status = answer.status().as_u16();
            let body =
                Limited::new(answer.into_body(), MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        tokio::time::timeout(SILENCE, whole).await.unwrap_or_else(|_| Err("nothing came for half a minute".to_owned()))
    }
}
