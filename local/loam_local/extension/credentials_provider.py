"""Gap: the credentials provider, which gives a device the credentials of a role for its certificate.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html (what is checked, and the
condition keys that the credentials carry) and
https://docs.aws.amazon.com/iot/latest/developerguide/thing-policy-variables.html (`iot:Connection.Thing.*` have no value
outside MQTT). AWS documents no answers but 403 for another's thing; these, and the order of the checks, were observed:
https://awslabs.github.io/aws-iot-core-credential-provider-session-helper/dev_notes.html. How it answers a certificate
that is unknown or not ACTIVE is documented nowhere.
"""

import time
from typing import Any

from loam_local.extension import credentials_listener, role_aliases, roles, session_keys
from loam_local.extension.replace import original

_SERVICE = "credentials.iot.amazonaws.com"
_ACTION = "iot:AssumeRoleWithCertificate"
_USUAL_SECONDS = 3600
_DENIED = (403, "AccessDeniedException")
_INVALID = (400, "InvalidRequestException")
_NOT_ASSUMED = "Unable to assume the role, or the role to assume does not exist"
_TOO_LONG = "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"


def install() -> None:
    """Answer on the listener of its own."""
    from ministack.services import iam, iot

    for name in ("_mtls_active_registrations", "_mqtt_policy_context", "_mqtt_policy_allows", "_thing_arn"):
        original(iot, name)
    for name in ("_gen_session_access_key", "_gen_secret", "_gen_session_token"):
        original(iam, name)
    credentials_listener.install(_answer)


def _answer(certificate: str | None, alias: str, thing: str | None) -> credentials_listener.Answer:
    """What the holder of the certificate (its id, None without one) gets for the alias, as the thing if it names one."""
    from ministack.core.responses import request_scope
    from ministack.services import iot

    active = iot._mtls_active_registrations(certificate) if certificate else []
    if certificate is None or len(active) != 1:
        return *_DENIED, {"message": "Certificate is invalid on this endpoint"}
    account, region, record = active[0]
    with request_scope(account, region):
        attached = record.get("attachedThings", [])
        if thing is not None and not (thing in iot._things and iot._thing_arn(thing) in attached):
            return *_DENIED, {"message": "Invalid thing name passed"}
        if not _may_ask(account, region, certificate, alias):
            return *_DENIED, {"message": "Access Denied"}
        found = role_aliases.found(alias)
        if found is None:
            return 404, "ResourceNotFoundException", {"message": "Role alias does not exist"}
        return _assumed(found, region, certificate, thing)


def _may_ask(account: str, region: str, certificate: str, alias: str) -> bool:
    """Whether the certificate's policies allow it. Of the variables in them only the certificate's have a value."""
    from ministack.services import iot

    variables = {name: value for name, value in iot._mqtt_policy_context(account, region, certificate, "").items()
                 if name.startswith("iot:certificate.")}
    return iot._mqtt_policy_allows(account, region, certificate, variables, _ACTION, f"rolealias/{alias}")


def _assumed(alias: dict[str, Any], region: str, certificate: str, thing: str | None) -> credentials_listener.Answer:
    account, name, role = roles.found(alias["roleArn"])
    if role is None or not roles.trusts(role, _SERVICE, account, region, alias["roleAliasArn"]):
        return *_INVALID, {"message": _NOT_ASSUMED}
    seconds = alias["credentialDurationSeconds"]
    if seconds > int(role.get("MaxSessionDuration", _USUAL_SECONDS)):
        return *_INVALID, {"message": _TOO_LONG}
    key, session = _session(account, name, f"{role['RoleId']}:{certificate}", time.time() + seconds)
    session_keys.tell(session, _keys(certificate, thing))
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session["Expiration"]))
    return 200, None, {"credentials": {"accessKeyId": key, "secretAccessKey": session["SecretAccessKey"],
                                       "sessionToken": session["SessionToken"], "expiration": expiration}}


def _keys(certificate: str, thing: str | None) -> dict[str, str]:
    """What policies know of the device. Without a name in the request they know its certificate alone."""
    from ministack.services import iot

    keys = {"credentials-iot:awscertificateid": certificate}
    if thing is not None:
        keys["credentials-iot:thingname"] = thing
        kind = (iot._things.get(thing) or {}).get("thingTypeName")
        keys |= {"credentials-iot:thingtypename": kind} if kind else {}
    return keys


def _session(account: str, role: str, user: str, until: float) -> tuple[str, dict[str, Any]]:
    """A session of the role, registered with STS; `user` ends in its name, the certificate's id."""
    from ministack.services import iam, sts

    key = iam._gen_session_access_key()
    session = {"Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{user.partition(':')[2]}", "UserId": user,
               "SecretAccessKey": iam._gen_secret(), "SessionToken": iam._gen_session_token(), "Expiration": until,
               "AccountId": account, "PrincipalType": "AssumedRole"}
    sts.register_session(key, session)
    return key, session
