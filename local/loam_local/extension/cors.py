"""Gap: an HTTP API's CORS. The emulator answers every OPTIONS itself (403 where nothing is configured), knows no `https://*`, and
overlooks a configuration that CloudFormation made, because its names begin with capitals there.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html. The gateway answers preflight requests
itself only where no route takes them: the route `$default` does, and a function behind it gets them, as does `ANY`
(https://github.com/aws/serverless-application-model/issues/1603). It adds the configured headers to what the function answers,
instead of the function's own, and only if the request names an origin that is allowed.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from loam_local.extension.replace import replace

_Answer = tuple[int, dict[str, Any], bytes]
_Config = dict[str, Any]


def install() -> None:
    """Route OPTIONS like every other method; write the headers as AWS does."""
    from ministack.services import apigateway

    before: Callable[..., Awaitable[_Answer]] = apigateway._handle_execute_in_scope

    async def execute(api: str, stage: str, path: str, method: str, headers: dict[str, str], *rest: Any) -> _Answer:
        config = _config(apigateway._apis.get(api))
        sent = {name.lower(): value for name, value in headers.items()}
        if method == "OPTIONS":
            answer = await _options(api, stage, path, sent, bool(config), *rest)
        else:
            answer = await before(api, stage, path, method, headers, *rest)
        return _with_headers(answer, config, sent, method) if config else answer

    replace(apigateway, "_handle_execute_in_scope", execute)
    # Ours come last and alone.
    replace(apigateway, "_cors_response_headers", lambda _config, _origin: {})


async def _options(api: str, stage: str, path: str, headers: dict[str, str], configured: bool, body: bytes,
                   query: dict[str, Any], account: str, region: str, raw_query: str | None = None) -> _Answer:
    from ministack.services import apigateway

    route = apigateway._match_route(api, "OPTIONS", "/" + path.lstrip("/"))
    if not route:
        return (204, {}, b"") if configured and _is_preflight(headers) else apigateway._http_api_not_found()
    if (route.get("authorizationType") or "NONE") != "NONE":
        # A browser sends no token with a preflight request.
        return apigateway._jwt_unauthorized()
    integration = apigateway._integrations[api][route["target"].rsplit("/", 1)[-1]]
    return await apigateway._invoke_lambda_proxy(
        integration, api, stage, path, "OPTIONS", headers, body, query, route["routeKey"], None,
        owner_account_id=account, owner_region=region, raw_query_string=raw_query)


def _config(api: dict[str, Any] | None) -> _Config:
    """The configuration with AWS's names in the API's own spelling."""
    return {name[:1].lower() + name[1:]: value for name, value in ((api or {}).get("corsConfiguration") or {}).items()}


def _is_preflight(headers: dict[str, str]) -> bool:
    return "origin" in headers and "access-control-request-method" in headers


def _with_headers(answer: _Answer, config: _Config, sent: dict[str, str], method: str) -> _Answer:
    status, headers, body = answer
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("access-control-")}
    return status, kept | _headers(config, sent, method), body


def _headers(config: _Config, sent: dict[str, str], method: str) -> dict[str, str]:
    allowed = _allowed(config.get("allowOrigins") or [], sent.get("origin", ""))
    preflight = method == "OPTIONS"
    if not allowed or (preflight and not _is_preflight(sent)):
        return {}
    told = {"Access-Control-Allow-Origin": allowed}
    if allowed != "*":
        told["Vary"] = "Origin"
    if config.get("allowCredentials"):
        told["Access-Control-Allow-Credentials"] = "true"
    if preflight and config.get("maxAge") is not None:
        told["Access-Control-Max-Age"] = str(config["maxAge"])
    lists = {"allowMethods": "Access-Control-Allow-Methods", "allowHeaders": "Access-Control-Allow-Headers"}
    for name, header in (lists if preflight else {"exposeHeaders": "Access-Control-Expose-Headers"}).items():
        if config.get(name):
            told[header] = ",".join(config[name])
    return told


def _allowed(origins: list[str], origin: str) -> str:
    """What an origin is answered: `*`, itself, or nothing."""
    if not origin:
        return ""
    if "*" in origins:
        return "*"
    matches = (origin.lower() == each.lower() or (each.endswith("://*") and origin.lower().startswith(each[:-1].lower()))
               for each in origins)
    return origin if any(matches) else ""
