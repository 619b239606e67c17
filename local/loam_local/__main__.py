"""Command line: `python -m loam_local <verb>`. Each verb's module is imported only when it is asked for."""

import argparse
import importlib
import json
import os
import sys
from typing import Any

from loam_local.errors import LocalError


def _endpoint(parser: argparse.ArgumentParser, required: bool = True) -> None:
    default = os.environ.get("AWS_ENDPOINT_URL")
    parser.add_argument("--endpoint", default=default, required=required and default is None,
                        help="URL of the local AWS (default: AWS_ENDPOINT_URL)")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION") or "us-east-1",
                        help="default: AWS_REGION, or us-east-1")


def _serve(verbs: Any) -> None:
    parser = verbs.add_parser("serve", help="run the emulator with the extension in the foreground")
    parser.add_argument("--port", type=int, required=True, help="HTTP port of all AWS APIs, on 127.0.0.1")
    parser.add_argument("--mqtt-port", type=int, required=True, help="MQTT port with mutual TLS")
    parser.add_argument("--credentials-port", type=int, default=0,
                        help="port of the credentials provider, mutual TLS (default: a free one)")
    parser.add_argument("--state", required=True, help="directory for everything that it writes")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--functions-endpoint", help="what functions get as AWS_ENDPOINT_URL (default: itself)")
    parser.add_argument("--async-retry-seconds", type=float,
                        default=float(os.environ.get("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "1")),
                        help="wait before the first retry of an asynchronous invocation (AWS: 60; default 1)")
    parser.add_argument("--deactivation-seconds", type=float, default=60.0,
                        help="until the sessions of a deactivated certificate end (AWS: a few minutes; default 60)")
    parser.add_argument("--verbose", action="store_true", help="the emulator's own log at INFO instead of WARNING")


def _admin(verbs: Any) -> None:
    parser = verbs.add_parser("admin", help="make the administrator's access key, print it as JSON")
    _endpoint(parser)
    parser.add_argument("--state", help="directory in which the key is kept and found again")


def _seed(verbs: Any) -> None:
    parser = verbs.add_parser("seed", help="make a development CA and things with certificates")
    _endpoint(parser, required=False)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--policy", required=True, help="name of the IoT policy that the certificates get")
    parser.add_argument("--things", required=True, help="names, separated by commas")
    parser.add_argument("--out", required=True, help="directory for the CA, keys and certificates")
    parser.add_argument("--mqtt-port", type=int, help="default: what the local AWS says, 8883 on AWS")


def _authority(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ca", required=True, help="PEM file: the CA's certificate")
    parser.add_argument("--key", required=True, help="PEM file: the CA's private key")


def _invite(verbs: Any) -> None:
    parser = verbs.add_parser("invite", help="make devices ready to join by themselves: CA, profile, certificates")
    _endpoint(parser, required=False)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--things", required=True, help="names, separated by commas")
    parser.add_argument("--out", required=True, help="directory for the CA, keys and certificates")
    parser.add_argument("--state", required=True, help="directory for the operator's password and token")
    parser.add_argument("--profile", default='{"enabled": true}', help="the CA's profile as JSON, unless it has one")
    parser.add_argument("--mqtt-port", type=int, help="default: what the local AWS says, 8883 on AWS")


def _register_ca(verbs: Any) -> None:
    parser = verbs.add_parser("register-ca", help="let the devices of a CA join by themselves")
    _endpoint(parser, required=False)
    _authority(parser)
    parser.add_argument("--make", action="store_true", help="make a development CA when the two files do not exist")


def _certificate(verbs: Any) -> None:
    parser = verbs.add_parser("certificate", help="issue a device certificate, a good one or one with a flaw")
    _authority(parser)
    parser.add_argument("--name", required=True, help="the common name, as a rule the thing's name")
    parser.add_argument("--out", required=True, help="directory for the certificate and its key")
    parser.add_argument("--file", help="name of the two files without their endings (default: the common name)")
    parser.add_argument("--key-type", choices=("p256", "p384", "rsa2048", "rsa1024"), default="p256")
    parser.add_argument("--dates", choices=("valid", "expired", "not-yet-valid"), default="valid")
    parser.add_argument("--days", type=float, default=365.0, help="how long it is valid")
    parser.add_argument("--forged", action="store_true", help="signed by another key under the CA's name")


def _present(verbs: Any) -> None:
    parser = verbs.add_parser("present", help="show a certificate to the broker in one MQTT CONNECT")
    parser.add_argument("--host", default="localhost", help="the IoT endpoint, also the TLS server name")
    parser.add_argument("--port", type=int, required=True, help="MQTT port with mutual TLS")
    parser.add_argument("--root-ca", required=True, help="PEM file: the CA of the endpoint's certificate")
    parser.add_argument("--cert", required=True, help="PEM file: the device's certificate, then its CA's")
    parser.add_argument("--key", required=True, help="PEM file: the device's private key")
    parser.add_argument("--client-id", required=True)


def _describe(verbs: Any) -> None:
    parser = verbs.add_parser("describe", help="print a deployed stack as JSON")
    _endpoint(parser)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--mqtt-port", type=int, help="default: what the local AWS says, 8883 on AWS")


def _watch(verbs: Any) -> None:
    parser = verbs.add_parser("watch", help="print one JSON line per notice sent and object archived")
    _endpoint(parser)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--topic-output", required=True, help="the stack's output that holds the notice topic's ARN")
    parser.add_argument("--bucket-output", help="the stack's output that holds the archive bucket's name")


def _expand(verbs: Any) -> None:
    parser = verbs.add_parser("expand", help="print a SAM template as plain JSON and as CloudFormation")
    parser.add_argument("template")
    parser.add_argument("--out", help="file to write (default: standard output)")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE",
                        help="value of a parameter instead of its default")
    parser.add_argument("--region", default="us-east-1")


def _destroy(verbs: Any) -> None:
    parser = verbs.add_parser("destroy", help="delete a stack and what keeps it from being deleted")
    _endpoint(parser, required=False)
    parser.add_argument("--stack", required=True)


def _replay(verbs: Any) -> None:
    parser = verbs.add_parser("replay", help="give a stack's dead letters another try")
    _endpoint(parser, required=False)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--refused", action="store_true",
                        help="also events that a function refused (after it was mended)")
    parser.add_argument("--dry-run", action="store_true", help="only say what lies there")


def _user(verbs: Any) -> None:
    parser = verbs.add_parser("user", help="ensure a person in a stack's user pool, print a fresh token as JSON")
    _endpoint(parser, required=False)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--name", required=True, help="the person's mail address is <name>@example.com")
    parser.add_argument("--group", action="append", default=[], help="a group to be in; may be given several times")
    parser.add_argument("--state", required=True, help="directory that keeps <name>.password and <name>.token")


def _logs(verbs: Any) -> None:
    parser = verbs.add_parser("logs", help="print what a stack's functions have logged as JSON, by log group")
    _endpoint(parser)
    parser.add_argument("--stack", required=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loam_local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for add in (_serve, _admin, _seed, _invite, _register_ca, _certificate, _present, _describe, _watch, _expand,
                _destroy, _replay, _logs, _user):
        add(verbs)
    return parser


def main() -> int:
    """Run one verb; print what it returns as JSON, or its failure as one line on standard error."""
    arguments = _parser().parse_args()
    try:
        result = importlib.import_module(f"loam_local.{arguments.verb.replace('-', '_')}").run(arguments)
    except LocalError as error:
        print(f"loam_local {arguments.verb}: {error} [{error.code}]", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # boto3 is imported only by verbs that need it, so its errors are told by where they come from.
        if not type(error).__module__.startswith("botocore"):
            raise
        print(f"loam_local {arguments.verb}: {error}: check the endpoint, the credentials and the region [aws-refused]",
              file=sys.stderr)
        return 1
    if result is not None:
        print(json.dumps(result, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
