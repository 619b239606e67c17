use std::time::SystemTime;

use aws_sdk_sqs::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::{Answer, Api, Stack};

/// The stack's HTTP API for a system that signs its requests with SigV4.
#[derive(Clone)]
pub struct Signed {
    api: Api,
    identity: Identity,
    region: String,
}

impl Signed {
    /// The administrator, who may do everything.
    #[must_use]
    pub fn admin(stack: &Stack) -> Self {
        let [(_, id), (_, secret), _] = stack.admin_variables();
        Self::new(stack, Credentials::new(id, secret, None, None, "test"))
    }

    /// A function of the stack, under its role.
    #[must_use]
    pub fn function(stack: &Stack, logical_id: &str) -> Self {
        let variables = stack.function(logical_id).key_variables();
        let value = |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let [id, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| value(name).unwrap_or_default());
        Self::new(stack, Credentials::new(id, secret, value("AWS_SESSION_TOKEN"), None, "test"))
    }

    fn new(stack: &Stack, credentials: Credentials) -> Self {
        Self { api: Api::new(stack, None), identity: credentials.into(), region: stack.region.clone() }
    }

    /// `GET` of a path with its query, signed for the path and query `signed`: the same, unless the signature is to be wrong.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn get_signed_for(&self, path: &str, signed: &str) -> Answer {
        let url = format!("http://{}{signed}", self.api.host);
        let headers = [("host", self.api.host.as_str())];
        let request =
            SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[])).expect("a request");
        #[expect(clippy::disallowed_methods, reason = "a signature says when it was made")]
        let parameters = v4::SigningParams::builder().identity(&self.identity).time(SystemTime::now());
        let parameters = parameters.region(&self.region).name("execute-api").settings(SigningSettings::default());
        let parameters = parameters.build().expect("all parameters").into();
        let (instructions, _) = sign(request, &parameters).expect("a signature").into_parts();
        let headers: Vec<_> = instructions.headers().collect();
        self.api.send("GET", path, &headers, None).await
    }

    /// `GET` of a path with its query.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_signed_for(path, path).await
    }
}
