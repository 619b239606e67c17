use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use lambda_http::request::RequestContext;

use crate::Problem;

/// The Cognito group whose members are responsible for the fleet.
pub const OPERATORS: &str = "operators";

/// Who calls: a person with a token that API Gateway has checked.
///
/// As an extractor: 401 `no-caller` where the request carries no checked token, which means that the template's route
/// lacks its authorizer: closed by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person's id in the user pool, which never changes.
    pub sub: String,
    /// The person's groups.
    pub groups: Vec<String>,
}

impl Caller {
    /// Whether the person is responsible for the fleet.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.groups.iter().any(|group| group == OPERATORS)
    }
}

/// A caller who is responsible for the fleet; 403 `operators-only` for everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator(pub Caller);

/// The mail address in the caller's token, which API Gateway has checked: the claim `email`, which id tokens carry and access
/// tokens do not. Never to be kept or logged.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(pub Option<String>);

impl std::fmt::Debug for MailAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_some() { "MailAddress(hidden)" } else { "MailAddress(none)" })
    }
}

/// The caller as API Gateway tells it (payload version 2, a JWT authorizer).
pub(crate) fn of_context(context: &RequestContext) -> Option<Caller> {
    let RequestContext::ApiGatewayV2(context) = context else { return None };
    let claims = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    let sub = claims.get("sub").filter(|sub| !sub.is_empty())?;
    Some(Caller { sub: sub.clone(), groups: claims.get("cognito:groups").map(|text| groups(text)).unwrap_or_default() })
}

/// A list claim arrives as one text, `[operators other]`: in brackets, divided by blanks; a group's name holds no blank.
fn groups(claim: &str) -> Vec<String> {
    let inner = claim.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(claim);
    inner.split(' ').filter(|group| !group.is_empty()).map(ToOwned::to_owned).collect()
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let no_caller =
            || Problem::new(StatusCode::UNAUTHORIZED, "no-caller", "send a token: Authorization: Bearer ...");
        parts.extensions.get::<RequestContext>().and_then(of_context).ok_or_else(no_caller)
    }
}

impl<S: Sync> FromRequestParts<S> for MailAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Caller::from_request_parts(parts, state).await?;
        let Some(RequestContext::ApiGatewayV2(context)) = parts.extensions.get::<RequestContext>() else {
            return Ok(Self(None));
        };
        let jwt = context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref());
        let email = jwt.and_then(|jwt| jwt.claims.get("email")).filter(|email| !email.is_empty());
        Ok(Self(email.cloned()))
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let only = || Problem::forbidden("operators-only", "only members of the group `operators` may do this");
        if caller.is_operator() { Ok(Self(caller)) } else { Err(only()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller(claim: &str) -> Caller {
        Caller { sub: "1".to_owned(), groups: groups(claim) }
    }

    #[test]
    fn groups_come_as_one_text_in_brackets() {
        assert_eq!(groups("[operators other]"), ["operators", "other"]);
        assert_eq!(groups("[operators]"), ["operators"]);
        assert!(groups("[]").is_empty());
        assert!(groups("").is_empty());
    }

    #[test]
    fn a_group_that_only_contains_the_word_makes_no_operator() {
        for claim in
            ["[co-operators]", "[operators2]", "[Operators]", "[operators,]", "[[operators]]", "[x operators]x]"]
        {
            assert!(!caller(claim).is_operator(), "{claim}");
        }
        assert!(caller("[co-operators operators]").is_operator());
    }

    proptest! {
        #[test]
        fn names_of_groups_survive_the_way(names in prop::collection::vec("[!-Z^-~]{1,12}", 0..6)) {
            prop_assert_eq!(groups(&format!("[{}]", names.join(" "))), names);
        }
    }
}
