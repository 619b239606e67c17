"""The HTTP API and its callers: what API Gateway and Cognito document, asked of the local AWS."""

import base64
import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import ACCOUNT, REGION, Local, verb

_MAIL, _PASSWORD = "ann@example.com", "Correct-horse-7"


@dataclass
class Api:
    """An API with one JWT route, one open `$default` route and both stages in front of a function that echoes."""

    local: Local
    id: str
    pool: str
    client: str
    other_client: str

    def ask(self, path: str, token: str | None = None, method: str = "GET",
            **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body (the event, where the function answered) and headers."""
        address = urlsplit(self.local.endpoint)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        sent = {"Host": f"{self.id}.execute-api.localhost:{address.port}", **headers}
        connection.request(method, path, headers=sent | ({"Authorization": f"Bearer {token}"} if token else {}))
        answer = connection.getresponse()
        body = json.loads(answer.read() or b"{}")
        return answer.status, body.get("event", body), {k.lower(): v for k, v in answer.getheaders()}

    def sign_in(self, client: str | None = None) -> dict[str, Any]:
        """Tokens of the pool's one person."""
        answer = self.local.client("cognito-idp").initiate_auth(
            ClientId=client or self.client, AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": _MAIL, "PASSWORD": _PASSWORD})
        return answer["AuthenticationResult"]


def _pool(local: Local) -> tuple[str, str, str]:
    cognito = local.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=local.name("pool"), UsernameAttributes=["email"],
                                    AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})["UserPool"]["Id"]
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    first, second = (cognito.create_user_pool_client(UserPoolId=pool, ClientName=name, ExplicitAuthFlows=flows)
                     ["UserPoolClient"]["ClientId"] for name in ("api", "other"))
    cognito.admin_create_user(UserPoolId=pool, Username=_MAIL, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool, Username=_MAIL, Password=_PASSWORD, Permanent=True)
    for group in ("operators", "co-operators"):
        cognito.create_group(UserPoolId=pool, GroupName=group)
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=_MAIL, GroupName=group)
    return pool, first, second


@pytest.fixture(scope="module")
def api(local: Local) -> Api:
    pool, client, other = _pool(local)
    gateway = local.client("apigatewayv2")
    made = gateway.create_api(Name=local.name("api"), ProtocolType="HTTP")["ApiId"]
    function = local.function()
    local.permit(function, "apigateway.amazonaws.com",
                 SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{made}/*/*")
    integration = gateway.create_integration(ApiId=made, IntegrationType="AWS_PROXY", IntegrationUri=function,
                                             PayloadFormatVersion="2.0")["IntegrationId"]
    issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
    authorizer = gateway.create_authorizer(
        ApiId=made, Name="people", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": [client]})["AuthorizerId"]
    target = f"integrations/{integration}"
    gateway.create_route(ApiId=made, RouteKey="GET /v1/things/{thing}", Target=target, AuthorizationType="JWT",
                         AuthorizerId=authorizer)
    gateway.create_route(ApiId=made, RouteKey="GET /signed", Target=target, AuthorizationType="AWS_IAM")
    gateway.create_route(ApiId=made, RouteKey="$default", Target=target)
    gateway.create_route(ApiId=made, RouteKey="GET /signed", Target=target, AuthorizationType="AWS_IAM")
    closed = gateway.create_integration(ApiId=made, IntegrationType="AWS_PROXY", IntegrationUri=local.function(),
                                        PayloadFormatVersion="2.0")["IntegrationId"]
    gateway.create_route(ApiId=made, RouteKey="GET /closed", Target=f"integrations/{closed}")
    for stage in ("$default", "Prod"):
        gateway.create_stage(ApiId=made, StageName=stage, AutoDeploy=True)
    return Api(local, made, pool, client, other)


def _forged(token: str) -> str:
    """The same token, with a claim more; its signature is no longer its own."""
    header, claims, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed = json.dumps(told | {"cognito:groups": ["operators", "root"]}).encode()
    return ".".join((header, base64.urlsafe_b64encode(changed).decode().rstrip("="), signature))


def test_without_a_good_token_the_gateway_itself_refuses(api: Api) -> None:
    good = api.sign_in()["AccessToken"]
    other = api.sign_in(api.other_client)["AccessToken"]
    for token in (None, "x", "a.b.c", good[:-8], _forged(good), other):
        status, body, _ = api.ask("/v1/things/sensor7", token)
        assert (status, body) == (401, {"message": "Unauthorized"}), token and token[:8]


def test_access_and_id_tokens_are_taken_and_the_claims_arrive_as_texts(api: Api) -> None:
    for kind in ("AccessToken", "IdToken"):
        status, event, _ = api.ask("/v1/things/sensor7?a=1&a=2", api.sign_in()[kind])
        assert status == 200, event
        claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
        assert sorted(claims["cognito:groups"].strip("[]").split(" ")) == ["co-operators", "operators"]
        assert all(isinstance(claim, str) for claim in claims.values())
        assert (event["routeKey"], event["rawQueryString"]) == ("GET /v1/things/{thing}", "a=1&a=2")


def test_the_default_route_takes_what_no_other_route_takes_without_a_token(api: Api) -> None:
    for method, path in (("GET", "/v9"), ("DELETE", "/v1/things/sensor7"), ("GET", "/v1/things/a/b"), ("GET", "/")):
        status, event, _ = api.ask(path, method=method)
        assert (status, event.get("routeKey")) == (200, "$default"), (path, event)
        assert "authorizer" not in event["requestContext"]


def test_both_stages_lead_to_the_same_routes(api: Api) -> None:
    token = api.sign_in()["AccessToken"]
    for prefix, stage in (("", "$default"), ("/Prod", "Prod")):
        status, event, _ = api.ask(f"{prefix}/v1/things/sensor7", token)
        assert (status, event["requestContext"]["stage"]) == (200, stage)
        assert event["routeKey"] == "GET /v1/things/{thing}"
        assert event["rawPath"].endswith("/v1/things/sensor7")


def test_a_function_that_permits_nothing_or_fails_is_a_500_that_tells_nothing(api: Api) -> None:
    for path in ("/closed", "/v9?fail=1"):
        status, body, _ = api.ask(path)
        assert (status, body) == (500, {"message": "Internal Server Error"}), path


def test_a_route_for_signed_requests_takes_no_others(api: Api) -> None:
    for token in (None, api.sign_in()["AccessToken"]):
        assert api.ask("/signed", token)[:2] == (403, {"message": "Forbidden"})
    for authorization in ("AWS4-HMAC-SHA256 Credential=x", "Basic eDp4"):
        assert api.ask("/signed", Authorization=authorization)[0] == 403


def test_a_path_arrives_decoded(api: Api) -> None:
    _, event, _ = api.ask("/v1/things/a%20b%3Fc%25d", api.sign_in()["AccessToken"])
    assert event["rawPath"] == "/v1/things/a b?c%25d"


def test_a_person_is_made_once_and_gets_a_token_each_time(api: Api, local: Local, tmp_path: Path) -> None:
    template = {"Resources": {"Nothing": {"Type": "AWS::SNS::Topic"}},
                "Outputs": {"UserPoolId": {"Value": api.pool}, "UserPoolClientId": {"Value": api.client}}}
    stack = local.name("people")
    local.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))
    local.client("cloudformation").get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    admin = {"AWS_ACCESS_KEY_ID": local.key["accessKeyId"], "AWS_SECRET_ACCESS_KEY": local.key["secretAccessKey"]}
    arguments = ("user", "--endpoint", local.endpoint, "--stack", stack, "--name", "op", "--group", "operators",
                 "--state", str(tmp_path))
    for _ in range(2):
        answer = verb(*arguments, **admin)
        assert answer.returncode == 0, answer.stderr
        assert api.ask("/v1/things/sensor7", json.loads(answer.stdout)["token"])[0] == 200
    kept = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.suffix != ".lock"}
    assert kept == {"op.password": 0o600, "op.token": 0o600}
    assert (tmp_path / "op.token").read_text() == json.loads(answer.stdout)["token"]


_ASKS = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}


def _cors(headers: dict[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("access-control-")}


def test_without_a_cors_configuration_options_is_a_method_like_others(api: Api) -> None:
    status, event, headers = api.ask("/v1/things/sensor7", method="OPTIONS", **_ASKS)
    assert (status, event["routeKey"], _cors(headers)) == (200, "$default", set())


def test_with_one_the_default_route_gets_preflight_requests_and_the_gateway_adds_its_headers(api: Api) -> None:
    gateway = api.local.client("apigatewayv2")
    gateway.update_api(ApiId=api.id, CorsConfiguration={
        "AllowOrigins": ["https://app.example.com", "http://*"], "AllowMethods": ["GET", "PATCH"],
        "AllowHeaders": ["authorization"], "ExposeHeaders": ["etag"], "MaxAge": 60})
    try:
        status, event, headers = api.ask("/v1/things/sensor7", method="OPTIONS", **_ASKS)
        assert (status, event["routeKey"]) == (200, "$default")
        told = {name: headers[name] for name in _cors(headers)}
        assert told == {"access-control-allow-origin": "https://app.example.com", "access-control-max-age": "60",
                        "access-control-allow-methods": "GET,PATCH", "access-control-allow-headers": "authorization"}
        for origin in ("http://localhost:5173", "https://app.example.com"):
            headers = api.ask("/v1/things/sensor7", api.sign_in()["AccessToken"], Origin=origin)[2]
            assert _cors(headers) == {"access-control-allow-origin", "access-control-expose-headers"}
            assert (headers["access-control-allow-origin"], headers["vary"]) == (origin, "Origin")
        for other in ({"Origin": "https://evil.example"}, {}):
            assert not _cors(api.ask("/v1/things/sensor7", api.sign_in()["AccessToken"], **other)[2])
        assert not _cors(api.ask("/v9", method="OPTIONS", Origin="https://app.example.com")[2])
        status, _, headers = api.ask("/v1/things/sensor7", Origin="https://app.example.com")
        assert (status, _cors(headers)) == (401, set())
    finally:
        gateway.delete_cors_configuration(ApiId=api.id)


def test_an_expired_token_and_one_for_another_client_are_refused_however_well_they_are_signed(api: Api) -> None:
    for kind, use, aim in (("AccessToken", "access", "client_id"), ("IdToken", "id", "aud")):
        claims = json.loads(base64.urlsafe_b64decode(api.sign_in()[kind].split(".")[1] + "=="))
        for change, expected in (({}, 200), ({"exp": claims["iat"] - 1}, 401), ({aim: api.other_client}, 401)):
            text = base64.urlsafe_b64encode(json.dumps(claims | change).encode()).decode().rstrip("=")
            with urlopen(f"{api.local.endpoint}/_loam/tokens/{api.pool}/{use}/{text}") as answer:
                token = json.load(answer)["token"]
            assert api.ask("/v1/things/sensor7", token)[0] == expected, (kind, change)


def _signature(api: Api, secret: str) -> dict[str, str]:
    address = urlsplit(api.local.endpoint)
    request = AWSRequest("GET", f"http://{api.id}.execute-api.localhost:{address.port}/signed")
    SigV4Auth(Credentials(api.local.key["accessKeyId"], secret), "execute-api", REGION).add_auth(request)
    return dict(request.headers)


def test_a_signed_route_takes_the_signature_of_whom_may_invoke_it_and_nothing_else(api: Api) -> None:
    assert api.ask("/signed", **_signature(api, api.local.key["secretAccessKey"]))[0] == 200
    refused = [api.ask("/signed"), api.ask("/signed", api.sign_in()["AccessToken"]),
               api.ask("/signed", **_signature(api, "x" * 40))]
    assert [(status, body) for status, body, _ in refused] == [(403, {"message": "Forbidden"})] * 3
