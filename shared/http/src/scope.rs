use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::{Caller, Problem};

/// What a cursor is good for: one caller, one method and path, one query (but for the cursor itself). An extractor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// The scope of a request. The order of the query's parameters and how they are escaped do not count.
    #[must_use]
    pub fn new(caller: &Caller, method: &str, path: &str, query: &str) -> Self {
        let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name != "cursor")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        pairs.sort();
        let fixed = [caller.sub.clone(), method.to_owned(), path.to_owned()];
        Self(fixed.into_iter().chain(pairs.into_iter().flat_map(|(name, value)| [name, value])).collect())
    }

    /// The scope as bytes; two scopes have the same bytes only if they are equal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let part = |text: &String| [&(text.len() as u64).to_be_bytes(), text.as_bytes()].concat();
        self.0.iter().flat_map(part).collect()
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self::new(&caller, parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or_default()))
    }
}
