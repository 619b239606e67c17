"""`register-ca`: let the devices of a CA join by themselves (just-in-time registration), here or on AWS."""

import argparse
from pathlib import Path
from typing import Any

from loam_local import aws


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Register the CA, ACTIVE and with automatic registration, unless it is so already; say what comes next."""
    from loam_local import authorities
    from loam_local.pki import Authority

    certificate, key = Path(arguments.ca), Path(arguments.key)
    if arguments.make and not certificate.exists() and certificate.parent == key.parent:
        Authority.ensure(certificate.parent)
    iot = aws.client("iot", arguments.endpoint, arguments.region)
    found = authorities.ensure(iot, Authority.open(certificate, key), auto_register=True)
    return {"caId": found, "next": f"say what its devices become: PUT /v1/ca-profiles/{found} as an operator, for "
            "instance {\"enabled\": true, \"mode\": \"open\", \"nameFrom\": \"cn\"}; until then its certificates stay "
            "PENDING_ACTIVATION"}
