use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use lambda_http::request::RequestContext;
use loam_http::{Caller, Problem};

use super::CredentialsFailure;
use crate::people::UserId;

/// The caller's id token, which API Gateway has checked: it is what an identity pool takes.
pub(super) struct IdToken {
    pub(super) user: UserId,
    pub(super) text: String,
}

/// Never the token: it goes into no log.
impl fmt::Debug for IdToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IdToken of {}", self.user)
    }
}

impl<S: Sync> FromRequestParts<S> for IdToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let user = UserId::parse(&caller.sub).map_err(|_| CredentialsFailure::OddCaller)?;
        let needed = || {
            let detail = "send the id token of the sign-in: an identity pool takes no access token";
            Problem::new(StatusCode::BAD_REQUEST, "id-token-needed", detail)
        };
        if parts.extensions.get::<RequestContext>().and_then(token_use) != Some("id") {
            return Err(needed());
        }
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = header.map(bare).filter(|text| !text.is_empty()).ok_or_else(needed)?;
        Ok(Self { user, text: text.to_owned() })
    }
}

/// What the token is for, by its claim. Source: Cognito developer guide, "Understanding the identity (ID) token".
fn token_use(context: &RequestContext) -> Option<&str> {
    let RequestContext::ApiGatewayV2(context) = context else { return None };
    context.authorizer.as_ref()?.jwt.as_ref()?.claims.get("token_use").map(String::as_str)
}

/// The token without its scheme, which API Gateway does not ask for.
fn bare(header: &str) -> &str {
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => header.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_no_part_of_the_token() {
        for header in ["Bearer a.b.c", "bearer  a.b.c", "a.b.c", "a.b.c "] {
            assert_eq!(bare(header), "a.b.c");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = IdToken { user: UserId::parse("ann").unwrap(), text: "secret".to_owned() };
        assert_eq!(format!("{token:?}"), "IdToken of ann");
    }
}
