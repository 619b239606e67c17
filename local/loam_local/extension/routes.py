"""Our own routes under /_loam/: what a test asks of the local AWS and cannot ask of AWS.

The credentials are of the emulator alone and worth nothing anywhere else.
"""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from loam_local.extension import credentials_listener
from loam_local.extension.replace import original, replace

_before: Callable[..., Any]
_CREDENTIALS = "/_loam/credentials/"
_MESSAGES = "/_loam/messages/"
_PENDING = "/_loam/pending/"
_TOKENS = "/_loam/tokens/"


def install() -> None:
    """Answer /_loam/ before the emulator looks at a request."""
    from ministack import app
    from ministack.core import lambda_runtime

    global _before
    original(lambda_runtime, "execution_credentials")
    _before = replace(app, "_handle_pre_body_request", _handle)


async def _handle(method: str, path: str, headers: dict[str, str], query: dict[str, Any], request_id: str) -> Any:
    if method == "GET" and path == "/_loam/info":
        return _json(200, {"mqttPort": int(os.environ["IOT_MTLS_PORT"]), "credentialsPort": credentials_listener.port(),
                           "region": os.environ["MINISTACK_REGION"]})
    if method == "GET" and path.startswith(_CREDENTIALS):
        return _credentials(path.removeprefix(_CREDENTIALS))
    if method == "GET" and path.startswith(_MESSAGES):
        return _messages(path.removeprefix(_MESSAGES))
    if method == "PUT" and path.startswith(_PENDING):
        return _pending(path.removeprefix(_PENDING))
    if method == "GET" and path.startswith(_TOKENS):
        return _token(*path.removeprefix(_TOKENS).split("/"))
    return await _before(method, path, headers, query, request_id)


def _credentials(name: str) -> Any:
    """The session that the function's processes get: its role's, so that a test runs under the same permissions."""
    from ministack.core import lambda_runtime
    from ministack.core.responses import request_scope
    from ministack.services import lambda_svc

    account = os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000")
    region = os.environ["MINISTACK_REGION"]
    with request_scope(account, region):
        function = lambda_svc._functions.get(name)
        if not function:
            return _json(404, {"message": f"no function {name}"})
        made = lambda_runtime.execution_credentials(function["config"])
    return _json(200, {"accessKeyId": made["AWS_ACCESS_KEY_ID"], "secretAccessKey": made["AWS_SECRET_ACCESS_KEY"],
                       "sessionToken": made["AWS_SESSION_TOKEN"]})


def _messages(name: str) -> Any:
    """The bodies of all messages of a queue, visible or not: tests share the dead-letter queues, and a look by
    ReceiveMessage would hide them from each other."""
    from ministack.core.responses import request_scope
    from ministack.services import sqs

    with request_scope(os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000"), os.environ["MINISTACK_REGION"]):
        try:
            queue = sqs._get_q(name)
        except sqs._Err:
            return _json(404, {"message": f"no queue {name}"})
    return _json(200, {"messages": [message["body"] for message in queue["messages"]]})


def _pending(certificate: str) -> Any:
    """Puts a registered certificate into the state that AWS gives it when a device presents it for the first time. No
    operation does (RegisterCertificate and UpdateCertificate refuse it), and no event is sent."""
    from ministack.core.responses import request_scope
    from ministack.services import iot

    with request_scope(os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000"), os.environ["MINISTACK_REGION"]):
        record = iot._certificates.get(certificate)
        if not isinstance(record, dict):
            return _json(404, {"message": f"no certificate {certificate}"})
        record["status"] = "PENDING_ACTIVATION"
        iot._certificates[certificate] = record
    return _json(200, {"certificateId": certificate})


def _token(pool: str, use: str, claims: str) -> Any:
    """A token with these claims (base64url), signed with the pool's own key for access or id tokens: one that expired,
    one for another client. Cognito issues no such token, and lets none expire in less than five minutes."""
    from ministack.core.responses import request_scope
    from ministack.services import cognito

    with request_scope(os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000"), os.environ["MINISTACK_REGION"]):
        if pool not in cognito._user_pools or use not in cognito._POOL_KEY_USES:
            return _json(404, {"message": f"no pool {pool}, or no such tokens: {use}"})
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return _json(200, {"token": cognito._signed_jwt(told, pool, use)})


def _json(status: int, body: dict[str, Any]) -> Any:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()
