"""Gaps: an HTTP API invokes a function without its permission, tells the caller what the function's failure was, and takes
any `Authorization` for a signature.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html: whatever goes wrong
between the gateway and the function is 500 `{"message":"Internal Server Error"}`;
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html: who may not gets 403.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from loam_local.extension import roles
from loam_local.extension.replace import original, replace

_log = logging.getLogger("loam.http_api")
_Answer = tuple[int, dict[str, Any], bytes]


def install() -> None:
    """Stand in front of the emulator's invocation of a function."""
    from ministack.services import apigateway

    before: Callable[..., Awaitable[_Answer]] = apigateway._invoke_lambda_proxy

    async def invoke(integration: dict[str, Any], api: str, stage: str, path: str, method: str, *rest: Any,
                     **named: Any) -> _Answer:
        route = rest[3] if len(rest) > 3 else named.get("route_key", "$default")
        headers = rest[0] if rest else named.get("headers", {})
        if apigateway.route_authorization_type(api, stage, method, path) == "AWS_IAM" and not _is_signed(headers):
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        account, region = named.get("owner_account_id"), named.get("owner_region")
        if not _may(integration, f"arn:aws:execute-api:{region}:{account}:{api}/{stage}/{_of_route(route, method)}",
                    account, region):
            return _failed()
        answer = await before(integration, api, stage, path, method, *rest, **named)
        return _failed() if _is_failure(answer) else answer

    original(apigateway, "route_authorization_type")
    replace(apigateway, "_invoke_lambda_proxy", invoke)


def _is_signed(headers: dict[str, str]) -> bool:
    """Whether there is a signature; that it is right was checked before."""
    return any(name.lower() == "authorization" and value.startswith("AWS4-HMAC-SHA256 ")
               for name, value in headers.items())


def _of_route(route: str, method: str) -> str:
    """The end of a route's ARN: `GET/v1/things/{thing}`, or `$default`."""
    _, found, template = route.partition(" ")
    return f"{method}{template}" if found else route


def _may(integration: dict[str, Any], source: str, account: str | None, region: str | None) -> bool:
    from ministack.services import apigateway, lambda_svc

    reference = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    function, config, name = lambda_svc._get_func_record_for_ref_in_scope(reference, account_id=account, region=region)
    if not function or not config:
        _log.warning("no function %s behind %s", name, source)
        return False
    may = roles.service_may(function.get("policy"), "apigateway.amazonaws.com", "lambda:InvokeFunction",
                            config["FunctionArn"], region, source, account)
    if not may:
        _log.warning("apigateway.amazonaws.com may not invoke %s for %s", name, source)
    return bool(may)


def _is_failure(answer: _Answer) -> bool:
    """Whether the function failed: the emulator then answers 502 with the function's own error."""
    status, _headers, body = answer
    if status != 502:
        return False
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and ("errorMessage" in told or "errorType" in told)


def _failed() -> _Answer:
    return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'
