"""Gap: an identity of an identity pool is any session of its role. On AWS its credentials come only from a role that
trusts it, policies know who it is, and an authenticated one needs an AWS IoT policy of its own beside the role's.

Sources: https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html (trust and keys),
https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html (its refusal) and
https://docs.aws.amazon.com/iot/latest/developerguide/cog-iot-policies.html (both policies). AWS does not say whether
`${iot:ClientId}` means anything to a publish over HTTPS; here it does not.
"""

import json
from collections.abc import Callable
from typing import Any

from loam_local.extension import session_keys
from loam_local.extension.replace import original, replace

_ISSUER = "cognito-identity.amazonaws.com"
_vend: Callable[..., Any]
_enforce: Callable[..., Any]
_session_allows: Callable[..., bool]


def install() -> None:
    """Check the trust, tell policies who calls, and ask the identity's own IoT policies."""
    from ministack.core import iam_evaluator
    from ministack.services import cognito, iot

    global _vend, _enforce, _session_allows
    original(iot, "_policies_attached_to")
    original(iot, "_parsed_iot_policy")
    _vend = replace(cognito, "_get_credentials_for_identity", _vended)
    _enforce = replace(iam_evaluator, "enforce", _enforced)
    _session_allows = replace(iot._WSSession, "_policy_allows", _allowed)


def _vended(data: dict[str, Any]) -> Any:
    """The credentials, if the pool's role lets this identity have them."""
    from ministack.core.responses import error_response_json
    from ministack.services import sts

    answer = _vend(data)
    if answer[0] != 200:
        return answer
    key = json.loads(answer[2])["Credentials"]["AccessKeyId"]
    session = sts._sessions[key]
    if _trusted(session):
        session_keys.tell(session, _claims(session))
        return answer
    del sts._sessions[key]
    return error_response_json("InvalidIdentityPoolConfigurationException",
                               "Invalid identity pool configuration. Check assigned IAM roles for this pool.", 400)


def _trusted(session: dict[str, Any]) -> bool:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    name = iam_evaluator._role_name_from_assumed_arn(session["Arn"])
    role = iam._roles.get_scoped(session["AccountId"], None, name)
    context = iam_evaluator.EvalContext(
        principal_arn=_ISSUER, principal_type="Federated", principal_account=session["AccountId"],
        action="sts:AssumeRoleWithWebIdentity", resource_arn="*", region="", service_context=_claims(session))
    return role is not None and iam_evaluator.evaluate_trust_policy(role.get("AssumeRolePolicyDocument") or {}, _ISSUER,
                                                                     context)


def _claims(session: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of the identity's session."""
    return {f"{_ISSUER}:sub": session["_identity_id"], f"{_ISSUER}:aud": session["_identity_pool_id"],
            f"{_ISSUER}:amr": session["_cognito_amr"]}


def _enforced(key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
    """The data plane over HTTPS: IAM, and then the identity's IoT policies, which know no client id there."""
    from ministack.core.iam_evaluator import EvalResult

    refused = _enforce(key, action, service, region, resource_arn=resource_arn, **more)
    identity = _authenticated(key) if service == "iot-data" else None
    if refused or identity is None or _own_allows(*identity, region, {}, action, resource_arn):
        return refused
    return EvalResult("ImplicitDeny", identity[1], "", "No matching Allow statement in the identity's IoT policies")


def _allowed(session: Any, action: str, resource: str) -> bool:
    """A session over WebSocket: IAM or the certificate, and then the identity's IoT policies."""
    if not _session_allows(session, action, resource):
        return False
    identity = _authenticated(session.iam_credential[0]) if session.iam_credential else None
    arn = f"arn:aws:iot:{session.region}:{session.account_id}:{resource}"
    return identity is None or _own_allows(*identity, session.region, {"iot:clientid": session._client_id}, action, arn)


def _authenticated(key: str) -> tuple[str, str] | None:
    """Account and id of the authenticated identity whose key this is. A guest has its role alone, as on AWS."""
    from ministack.services import sts

    session = sts._sessions.get(key) or {}
    if not session.get("_identity_id") or session.get("_cognito_auth_type") != "authenticated":
        return None
    return session["AccountId"], session["_identity_id"]


def _own_allows(account: str, identity: str, region: str, variables: dict[str, str], action: str, resource: str) -> bool:
    """Whether the IoT policies attached to the identity allow it."""
    from ministack.core.iam_evaluator import EvalContext, evaluate
    from ministack.core.responses import request_scope
    from ministack.services import iot

    with request_scope(account, region):
        policies = [iot._policies[found["policyName"]] for found in iot._policies_attached_to(identity)]
    documents = [policy["versions"][policy["defaultVersionId"]]["document"] for policy in policies]
    context = EvalContext(principal_arn=identity, principal_type="CognitoIdentity", principal_account=account,
                          action=action, resource_arn=resource, region=region, service_context=variables)
    values = tuple(sorted(variables.items()))
    return evaluate(context, [iot._parsed_iot_policy(document, values) for document in documents]).decision == "Allow"
