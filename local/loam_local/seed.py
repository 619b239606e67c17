"""`seed`: a development CA, registered as AWS wants it, and things that may connect with its certificates.

Every call is right for AWS as well. Run it again and nothing is made twice.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make what is missing and say where keys and certificates lie."""
    from loam_local import authorities
    from loam_local.pki import Authority

    out = Path(arguments.out).resolve()
    iot = aws.client("iot", arguments.endpoint, arguments.region)
    authority = Authority.ensure(out)
    ca = authorities.ensure(iot, authority, auto_register=False, stack=arguments.stack)
    root = _root_ca(arguments.endpoint, out)
    names = [name for name in arguments.things.split(",") if name]
    _require_policy(iot, arguments.policy)
    for name in names:
        _thing(iot, authority, out, name, arguments.policy)
    endpoint = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    return {
        "endpoint": endpoint.partition(":")[0],
        "port": aws.mqtt_port(arguments.endpoint, arguments.mqtt_port),
        "caId": ca,
        "things": [{"thing": name, "cert": str(out / f"{name}.pem.crt"), "key": str(out / f"{name}.private.key"),
                    "rootCa": root and str(root)} for name in names],
    }


def _root_ca(endpoint: str | None, out: Path) -> Path | None:
    """The certificate that devices check the broker with. On AWS that is Amazon Root CA 1, which a person fetches."""
    path = out / "root-ca.pem"
    pem = aws.fetch(endpoint, "/_ministack/iot/ca.pem") if endpoint else None
    if pem and not (path.exists() and path.read_bytes() == pem):  # never empty for somebody who reads it meanwhile
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_bytes(pem)
        fresh.replace(path)
    return path if path.exists() else None


def _require_policy(iot: Any, policy: str) -> None:
    try:
        iot.get_policy(policyName=policy)
    except iot.exceptions.ResourceNotFoundException as error:
        raise LocalError("policy-not-found", f"no IoT policy {policy}: deploy the stack first, or name its policy "
                         "with --policy") from error


def _thing(iot: Any, authority: Any, out: Path, name: str, policy: str) -> None:
    arn = _certificate(iot, authority, out, name)
    _ensure_thing(iot, name)
    if arn not in iot.list_thing_principals(thingName=name)["principals"]:
        iot.attach_thing_principal(thingName=name, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
    iot.attach_policy(policyName=policy, target=arn)


def _ensure_thing(iot: Any, name: str) -> None:
    """A thing that has got attributes since is another configuration, which CreateThing refuses."""
    try:
        iot.create_thing(thingName=name)
    except iot.exceptions.ResourceAlreadyExistsException:
        return


def _certificate(iot: Any, authority: Any, out: Path, name: str) -> str:
    """The ARN of the thing's certificate: the one on disk, registered and ACTIVE, or a new one."""
    from loam_local import pki

    path = out / f"{name}.pem.crt"
    if not path.exists():
        pem, key = authority.issue(name)
        pki.write_private(out / f"{name}.private.key", key)
        path.write_text(pem)
    pem = path.read_text()
    try:
        found = iot.describe_certificate(certificateId=pki.certificate_id(pem))["certificateDescription"]
    except iot.exceptions.ResourceNotFoundException:
        return iot.register_certificate(certificatePem=pem, caCertificatePem=authority.pem,
                                        status="ACTIVE")["certificateArn"]
    if found["status"] != "ACTIVE":
        iot.update_certificate(certificateId=found["certificateId"], newStatus="ACTIVE")
    return found["certificateArn"]
