"""A small app: signs in, asks Loam for credentials, follows its things live over MQTT, and tells them what to do.

Works against AWS and, by AWS_ENDPOINT_URL alone, against the local AWS. README.md says how.
"""

import argparse
import http.client
import json
import os
import ssl
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import botocore.session
from botocore import UNSIGNED
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

# AWS IoT's name of the service in signatures of MQTT over WebSocket.
_SERVICE = "iotdevicegateway"
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0


class Refused(Exception):
    """Something that the person must change. The text says what is wrong and what to do."""


@dataclass(frozen=True)
class Settings:
    """Where everything is."""

    api: str
    client_id: str
    region: str
    # Where to dial instead of AWS; None: AWS itself.
    endpoint: SplitResult | None

    @staticmethod
    def read(arguments: argparse.Namespace) -> "Settings":
        """The settings, from options and environment."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return Settings(arguments.api, arguments.client_id, arguments.region, urlsplit(endpoint) if endpoint else None)


@dataclass(frozen=True)
class Access:
    """What `POST /v1/credentials` answers. Without a printable form: it holds keys."""

    answer: dict[str, Any]

    def __repr__(self) -> str:
        return "Access(...)"

    def address(self, region: str) -> str:
        """The path of the WebSocket, signed. AWS IoT wants the session token after the signature."""
        host = self.answer["endpoint"]
        request = AWSRequest("GET", f"wss://{host}/mqtt")
        key = Credentials(self.answer["accessKeyId"], self.answer["secretKey"])
        SigV4QueryAuth(key, _SERVICE, region).add_auth(request)
        token = quote(self.answer["sessionToken"], safe="")
        return f"/mqtt?{urlsplit(request.url).query}&X-Amz-Security-Token={token}"


def sign_in(settings: Settings, user: str, password: str) -> str:
    """The person's id token."""
    session = botocore.session.get_session()
    cognito = session.create_client("cognito-idp", region_name=settings.region, config=Config(signature_version=UNSIGNED))
    try:
        answer = cognito.initiate_auth(ClientId=settings.client_id, AuthFlow="USER_PASSWORD_AUTH",
                                       AuthParameters={"USERNAME": user, "PASSWORD": password})
    except ClientError as error:
        raise Refused(f"sign-in: {error.response['Error']['Code']}: check user, password and --client-id") from error
    if "AuthenticationResult" not in answer:
        raise Refused(f"sign-in: Cognito asks for {answer.get('ChallengeName')}, which this example does not answer")
    return str(answer["AuthenticationResult"]["IdToken"])


def ask_for_access(settings: Settings, token: str) -> Access:
    """Credentials for the person's own mailbox."""
    api = urlsplit(settings.api)
    # Not every resolver knows that *.localhost is this machine.
    here = settings.endpoint is not None and str(api.hostname).endswith(".localhost")
    connection = _http(settings.endpoint if here and settings.endpoint else api)
    headers = {"Host": api.netloc, "Authorization": f"Bearer {token}"}
    connection.request("POST", f"{api.path.rstrip('/')}/v1/credentials", headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read() or b"{}")
    if answer.status != 200:
        raise Refused(f"credentials: {answer.status} {body.get('code', '')}: {body.get('detail', body.get('message', ''))}")
    return Access(body)


def _http(where: SplitResult) -> http.client.HTTPConnection:
    assert where.hostname
    if where.scheme == "https":
        return http.client.HTTPSConnection(where.hostname, where.port, timeout=30)
    return http.client.HTTPConnection(where.hostname, where.port, timeout=30)


class Mailbox:
    """One MQTT session at a time; a lost one is replaced under fresh credentials."""

    def __init__(self, settings: Settings, token: str, wanted: threading.Event) -> None:
        self._settings, self._token, self._ready = settings, token, wanted
        self._refused: str | None = None
        self._topics: dict[str, str] = {}

    def open(self) -> Client:
        """A session that is connecting; `wanted` is set once it hears."""
        access = ask_for_access(self._settings, self._token)
        answer, endpoint = access.answer, self._settings.endpoint
        self._topics = answer["topics"]
        client = Client(CallbackAPIVersion.VERSION2, client_id=answer["clientId"], transport="websockets")
        client.ws_set_options(path=access.address(self._settings.region), headers={"Host": answer["endpoint"]})
        client.on_connect, client.on_subscribe, client.on_message = self._connected, self._subscribed, _print_message
        if endpoint is None or endpoint.scheme == "https":
            client.tls_set_context(ssl.create_default_context())
        host = endpoint.hostname if endpoint else answer["endpoint"]
        port = endpoint.port if endpoint else None
        client.connect(str(host), port or 443, keepalive=60)
        return client

    def topic(self, kind: str, thing: str) -> str:
        """Where to ask `thing` for something: `desired` or `commands`."""
        return self._topics[kind].replace("+", thing)

    def _connected(self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode,
                   _more: Properties | None) -> None:
        if reason.is_failure:
            self._refused = f"the broker refused: {reason}"
        else:
            client.subscribe(self._topics["subscribe"], qos=1)

    def _subscribed(self, _client: Client, _data: Any, _packet: int, reasons: list[ReasonCode],
                    _more: Properties | None) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused = "the broker refused the subscription"
        self._ready.set()

    def check(self) -> None:
        """Raises what the broker refused."""
        if self._refused:
            raise Refused(self._refused)


def _print_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
    """One JSON line a message. What comes twice has one `id`; of two states the higher `version` is newer."""
    thing, _, subject = message.topic.partition("/things/")[2].partition("/")
    try:
        told: Any = json.loads(message.payload)
    except ValueError:
        told = None
    print(json.dumps({"thing": thing, "subject": subject, "told": told}, ensure_ascii=False), flush=True)


def run(settings: Settings, token: str, arguments: argparse.Namespace) -> None:
    """Follows the mailbox until the time is over, and sends what is to be sent once it hears."""
    end = time.monotonic() + arguments.seconds if arguments.seconds else None
    wait, to_send = _FIRST_WAIT, arguments.command != "watch"
    while end is None or time.monotonic() < end:
        try:
            if _session(settings, token, arguments, to_send, end):
                to_send, wait = False, _FIRST_WAIT
        except OSError as error:
            print(f"no connection: {error}", file=sys.stderr)
        if end is None or time.monotonic() < end:
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)


def _session(settings: Settings, token: str, arguments: argparse.Namespace, to_send: bool, end: float | None) -> bool:
    """One session until it is lost, or the time is over; whether it ever heard anything."""
    ready = threading.Event()
    mailbox = Mailbox(settings, token, ready)
    client = mailbox.open()
    client.loop_start()
    try:
        if ready.wait(20):
            mailbox.check()
            print(json.dumps({"subject": "connected"}), flush=True)
            if to_send:
                _send(client, mailbox, arguments)
        _while_connected(client, end)
        mailbox.check()
        return ready.is_set()
    finally:
        client.disconnect()
        client.loop_stop()


def _send(client: Client, mailbox: Mailbox, arguments: argparse.Namespace) -> None:
    kind = "desired" if arguments.command == "set" else "commands"
    # The answer repeats the id; the same wish with the same id, twice, is one.
    wish = {"requestId": str(uuid.uuid4()), **arguments.document}
    client.publish(mailbox.topic(kind, arguments.thing), json.dumps(wish), qos=1).wait_for_publish(20)


def _while_connected(client: Client, end: float | None) -> None:
    while client.is_connected() and (end is None or time.monotonic() < end):
        time.sleep(0.1)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    environment = os.environ.get
    parser.add_argument("--api", default=environment("LOAM_API"), help="the stack's output ApiUrl (LOAM_API)")
    parser.add_argument("--client-id", default=environment("LOAM_CLIENT_ID"),
                        help="the stack's output UserPoolClientId (LOAM_CLIENT_ID); only to sign in")
    parser.add_argument("--region", default=environment("AWS_REGION"), help="the stack's region (AWS_REGION)")
    parser.add_argument("--user", help="whom to sign in; the password is read from LOAM_PASSWORD")
    parser.add_argument("--token-file", type=Path, help="a file with an id token, instead of signing in")
    parser.add_argument("--seconds", type=float, help="ends after that; without it on Ctrl-C")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("watch", help="prints what happens")
    change = commands.add_parser("set", help="asks a thing for a state, and prints what happens")
    change.add_argument("thing")
    change.add_argument("document", type=_object, help='what PATCH /v1/things/{thing}/state takes: {"desired":{"on":true}}')
    order = commands.add_parser("command", help="orders a command, and prints what happens")
    order.add_argument("thing")
    order.add_argument("document", type=_object, help='what POST /v1/things/{thing}/commands takes: {"name":"flush"}')
    found = parser.parse_args()
    for name, value in (("--api", found.api), ("--region", found.region)):
        if not value:
            parser.error(f"{name} is missing")
    if not found.token_file and not (found.user and found.client_id and environment("LOAM_PASSWORD")):
        parser.error("give --token-file, or --user, --client-id and LOAM_PASSWORD")
    return found


def main() -> int:
    """0 at the end of the time or on Ctrl-C; 1 when something was refused."""
    arguments = _arguments()
    settings = Settings.read(arguments)
    try:
        if arguments.token_file:
            token = arguments.token_file.read_text().strip()
        else:
            token = sign_in(settings, arguments.user, os.environ["LOAM_PASSWORD"])
        run(settings, token, arguments)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
