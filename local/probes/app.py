"""A person's app: signs in, gets an identity's credentials, and speaks MQTT over WebSocket in the few packets that a
probe needs."""

import json
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import REGION, Local, document
from device import text
from loam_local import aws
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, RejectConnection, Request

ISSUER = "cognito-identity.amazonaws.com"
_HOST = f"data-ats.iot.{REGION}.amazonaws.com"
_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9


@dataclass(frozen=True)
class People:
    """A user pool with its client, and an identity pool that takes its id tokens."""

    local: Local
    users: str
    client: str
    pool: str

    def provider(self) -> str:
        """The name under which a token is handed in."""
        return f"cognito-idp.{REGION}.amazonaws.com/{self.users}"

    def tokens(self) -> dict[str, str]:
        """A new person's tokens, as Cognito names them."""
        cognito, name, password = self.local.client("cognito-idp"), self.local.name("person"), secrets.token_hex(16)
        cognito.admin_create_user(UserPoolId=self.users, Username=name, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=self.users, Username=name, Password=f"A!{password}", Permanent=True)
        answer = cognito.initiate_auth(ClientId=self.client, AuthFlow="USER_PASSWORD_AUTH",
                                       AuthParameters={"USERNAME": name, "PASSWORD": f"A!{password}"})
        return answer["AuthenticationResult"]

    def identity(self, token: str) -> str:
        """The identity of whoever has the token."""
        found = self.local.client("cognito-identity").get_id(IdentityPoolId=self.pool, Logins={self.provider(): token})
        return str(found["IdentityId"])

    def key(self, identity: str, token: str) -> dict[str, str]:
        """The identity's temporary key, in the shape that `aws.client` takes."""
        found = self.local.client("cognito-identity").get_credentials_for_identity(
            IdentityId=identity, Logins={self.provider(): token})["Credentials"]
        return {"accessKeyId": found["AccessKeyId"], "secretAccessKey": found["SecretKey"],
                "sessionToken": found["SessionToken"]}

    def joined(self) -> tuple[str, dict[str, str]]:
        """A new person's identity and key."""
        token = self.tokens()["IdToken"]
        identity = self.identity(token)
        return identity, self.key(identity, token)


def people(local: Local, *statements: dict[str, Any], audience: str | None = None, amr: str = "authenticated") -> People:
    """Pools whose authenticated role has these statements, and trusts `audience` (the pool itself unless told)."""
    cognito, identities = local.client("cognito-idp"), local.client("cognito-identity")
    users = cognito.create_user_pool(PoolName=local.name("users"))["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=users, ClientName="app", ExplicitAuthFlows=[
        "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])["UserPoolClient"]["ClientId"]
    made = identities.create_identity_pool(
        IdentityPoolName=local.name("pool"), AllowUnauthenticatedIdentities=False, CognitoIdentityProviders=[{
            "ProviderName": f"cognito-idp.{REGION}.amazonaws.com/{users}", "ClientId": client,
            "ServerSideTokenCheck": True}])["IdentityPoolId"]
    trust = {"Effect": "Allow", "Principal": {"Federated": ISSUER}, "Action": "sts:AssumeRoleWithWebIdentity",
             "Condition": {"StringEquals": {f"{ISSUER}:aud": audience or made},
                           "ForAnyValue:StringLike": {f"{ISSUER}:amr": amr}}}
    name = local.name("role")
    role = local.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    local.client("iam").put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document(*statements))
    identities.set_identity_pool_roles(IdentityPoolId=made, Roles={"authenticated": role})
    return People(local, users, client, made)


@dataclass
class Session:
    """One MQTT 3.1.1 session. Everything waits up to 5 seconds for its answer."""

    link: socket.socket
    protocol: WSConnection
    waiting: bytes = b""
    closed: bool = False
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def subscribe(self, topic: str) -> bool:
        """Whether the broker grants the filter."""
        self._send(0x82, b"\0\1" + text(topic) + b"\1")
        answer = self._next(_SUBACK)
        return answer is not None and answer[-1] != 0x80

    def publish(self, topic: str, payload: dict[str, Any]) -> bool:
        """Whether the broker takes the message, QoS 1; it closes the session of whoever may not."""
        self._send(0x32, text(topic) + b"\0\2" + json.dumps(payload).encode())
        return self._next(_PUBACK) is not None

    def hears(self) -> tuple[str, bytes] | None:
        """The next message's topic and payload."""
        return self.heard.pop(0) if self.heard or self._next(_PUBLISH) is not None else None

    def close(self) -> None:
        """DISCONNECT, then close."""
        self._send(0xE0, b"")
        self.link.close()

    def _send(self, first: int, body: bytes) -> None:
        length, rest = b"", len(body)
        while True:
            rest, digit = divmod(rest, 128)
            length += bytes([digit | (0x80 if rest else 0)])
            if not rest:
                break
        self.link.sendall(self.protocol.send(BytesMessage(bytes([first]) + length + body)))

    def _next(self, kind: int) -> bytes | None:
        """The next packet of this kind; messages on the way are remembered. None when the broker closes."""
        while True:
            packet = self._packet()
            if packet is None:
                return None
            if packet[0] >> 4 == _PUBLISH:
                self._remember(packet)
            if packet[0] >> 4 == kind:
                return packet

    def _remember(self, packet: bytes) -> None:
        start = 2 if packet[1] < 0x80 else 3
        end = start + 2 + int.from_bytes(packet[start:start + 2], "big")
        self.heard.append((packet[start + 2:end].decode(), packet[end + (2 if packet[0] & 6 else 0):]))

    def _packet(self) -> bytes | None:
        while True:
            if len(self.waiting) >= 2:
                first = self.waiting[1]
                header = 2 if first < 0x80 else 3
                if len(self.waiting) >= header:
                    size = header + (first & 0x7F) + (self.waiting[2] * 128 if header == 3 else 0)
                    if len(self.waiting) >= size:
                        packet, self.waiting = self.waiting[:size], self.waiting[size:]
                        return packet
            if self.closed or not self._read():
                return None

    def _read(self) -> bool:
        data = self.link.recv(65536)
        self.protocol.receive_data(data or None)
        for event in self.protocol.events():
            if isinstance(event, BytesMessage):
                self.waiting += bytes(event.data)
            if isinstance(event, (CloseConnection, RejectConnection)):
                self.closed = True
        return bool(data)


def connect(local: Local, key: dict[str, str], client: str) -> Session | None:
    """A session under this client id; None when the broker does not accept it."""
    link = socket.create_connection(("127.0.0.1", int(local.endpoint.rsplit(":", 1)[1])), 5)
    session = Session(link, WSConnection(ConnectionType.CLIENT))
    link.sendall(session.protocol.send(Request(host=_HOST, target=_target(key), subprotocols=["mqtt"])))
    events: list[Any] = []
    while not events:
        session.protocol.receive_data(link.recv(65536))
        events = list(session.protocol.events())
    assert isinstance(events[0], AcceptConnection), events
    session._send(0x10, text("MQTT") + bytes([4, 2]) + (60).to_bytes(2, "big") + text(client))
    answer = session._next(_CONNACK)
    return session if answer is not None and answer[-1] == 0 else None


def _target(key: dict[str, str]) -> str:
    """The signed path. AWS IoT wants the session token after the signature."""
    request = AWSRequest("GET", f"wss://{_HOST}/mqtt")
    SigV4QueryAuth(Credentials(key["accessKeyId"], key["secretAccessKey"]), "iotdevicegateway", REGION).add_auth(request)
    return f"/mqtt?{request.url.partition('?')[2]}&X-Amz-Security-Token={quote(key['sessionToken'], safe='')}"


def client_of(local: Local, service: str, key: dict[str, str]) -> Any:
    """An SDK client with the identity's key."""
    return aws.client(service, local.endpoint, REGION, key)
