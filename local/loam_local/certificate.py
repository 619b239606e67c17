"""`certificate`: a device certificate of a CA, as a factory makes it, or with a flaw that registration must find."""

import argparse
from pathlib import Path
from typing import Any


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write `{file}.pem.crt` (the device's certificate, then its CA's) and `{file}.private.key`."""
    from loam_local import pki

    authority = pki.Authority.open(Path(arguments.ca), Path(arguments.key))
    from_day = {"valid": 0.0, "expired": -2.0, "not-yet-valid": 1.0}[arguments.dates]
    days = 1.0 if arguments.dates == "expired" else arguments.days
    order = pki.Order(arguments.name, arguments.key_type, from_day, days, arguments.forged)
    pem, key = authority.issue_as(order)
    out = Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    file = arguments.file or arguments.name
    pki.write_private(out / f"{file}.private.key", key)
    (out / f"{file}.pem.crt").write_text(pem + authority.pem)
    return {"certificateId": pki.certificate_id(pem), "cert": str(out / f"{file}.pem.crt"),
            "key": str(out / f"{file}.private.key")}
