use crate::{Answer, Api, Signer, Stack, signature};

/// The stack's HTTP API for a system that signs its requests with SigV4.
#[derive(Clone)]
pub struct Signed {
    api: Api,
    stack: Stack,
    signer: Signer<'static>,
}

impl Signed {
    /// A caller with this key.
    #[must_use]
    pub fn new(stack: &Stack, signer: Signer<'static>) -> Self {
        Self { api: Api::new(stack, None), stack: stack.clone(), signer }
    }

    /// `GET` of a path with its query, signed for the path and query `signed`: the same, unless the signature is to be wrong.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn get_signed_for(&self, path: &str, signed: &str) -> Answer {
        let headers = signature(&self.stack, self.signer, self.api.host(), signed);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
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
