"""`invite`: what devices need to join a stack by themselves: a CA, its profile, certificates that nobody has seen."""

import argparse
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loam_local import aws
from loam_local.errors import LocalError

_SECONDS = 30


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Register the CA, put its profile as an operator, issue what is missing. Again changes nothing."""
    from loam_local import authorities, seed, user
    from loam_local.pki import Authority

    out = Path(arguments.out).resolve()
    authority = Authority.ensure(out)
    iot = aws.client("iot", arguments.endpoint, arguments.region)
    ca = authorities.ensure(iot, authority, auto_register=True, stack=arguments.stack)
    operator = user.run(argparse.Namespace(**vars(arguments), name="operator", group=["operators"]))
    _put_profile(arguments.endpoint, operator, ca, arguments.profile)
    names = [name for name in arguments.things.split(",") if name]
    for name in names:
        _certificate(authority, out, name)
    root = seed.root_ca(arguments.endpoint, out)
    return {"caId": ca, "port": aws.mqtt_port(arguments.endpoint, arguments.mqtt_port),
            "things": [seed.files_of(out, name, root) for name in names]}


def _certificate(authority: Any, out: Path, name: str) -> None:
    """A certificate with its CA's behind it, as a device presents them; AWS does not know it yet."""
    from loam_local import pki

    path = out / f"{name}.pem.crt"
    if not path.exists():
        pem, key = authority.issue(name)
        pki.write_private(out / f"{name}.private.key", key)
        path.write_text(pem + authority.pem)


def _put_profile(endpoint: str | None, operator: dict[str, Any], ca: str, profile: str) -> None:
    """PUT the profile unless there is one: what an operator has changed since stays."""
    status, _body = _ask(endpoint, operator, "GET", f"/v1/ca-profiles/{ca}")
    if status == http.client.OK:
        return
    status, body = _ask(endpoint, operator, "PUT", f"/v1/ca-profiles/{ca}", profile)
    if status >= http.client.BAD_REQUEST:
        raise LocalError("profile-refused", f"the profile of CA {ca} was refused with {status} {body.get('code')}: "
                         f"{body.get('detail')}")


def _ask(endpoint: str | None, operator: dict[str, Any], method: str, path: str,
         body: str | None = None) -> tuple[int, dict[str, Any]]:
    """One call of the stack's HTTP API. Resolvers do not know `*.localhost` everywhere, so the local one is dialled."""
    url = urlsplit(operator["api"])
    if endpoint and (url.hostname or "").endswith(".localhost"):
        address = urlsplit(endpoint)
        connection: http.client.HTTPConnection = http.client.HTTPConnection(address.netloc, timeout=_SECONDS)
    else:
        connection = http.client.HTTPSConnection(url.netloc, timeout=_SECONDS)
    headers = {"Host": url.netloc, "Authorization": f"Bearer {operator['token']}", "Content-Type": "application/json"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    try:
        return answer.status, json.loads(text or b"{}")
    except ValueError:
        return answer.status, {}
