"""`serve`: the emulator and its extension in this process, until SIGTERM, SIGINT or the parent's death."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from loam_local.errors import LocalError

_HOST = "127.0.0.1"
# The person's own AWS settings must reach neither the emulator nor the functions, which inherit its environment.
_FOREIGN = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN",
            "AWS_WEB_IDENTITY_TOKEN_FILE")


def run(arguments: argparse.Namespace) -> None:
    """Serve; return after a clean stop. Raises `port-busy` (exit code 2) before anything is started."""
    _require_free(arguments.port, "--port")
    _require_free(arguments.mqtt_port, "--mqtt-port")
    if arguments.credentials_port:
        _require_free(arguments.credentials_port, "--credentials-port")
    _environment(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if arguments.verbose else logging.WARNING,
                        format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    from loam_local import extension

    extension.install()
    asyncio.run(_serve(arguments))
    _end_functions()
    sys.stdout.flush()
    sys.stderr.flush()
    # The emulator's remaining threads hold nothing worth waiting for: it keeps no state across starts.
    os._exit(0)


def _require_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise LocalError("port-busy", f"port {port} on {_HOST} cannot be used ({error.strerror}): stop what "
                             f"listens there, or choose another with {option}", status=2) from error


def _environment(arguments: argparse.Namespace) -> None:
    """The emulator reads its settings from the environment, once, when it is imported."""
    state = Path(arguments.state).resolve()
    folders = {"TMPDIR": state / "tmp", "STATE_DIR": state / "state", "S3_DATA_DIR": state / "s3"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for name in [n for n in os.environ if n in _FOREIGN or n.startswith("AWS_ENDPOINT_URL")]:
        del os.environ[name]
    os.environ.update({name: str(folder) for name, folder in folders.items()})
    os.environ.update({
        "AUTH": "true",
        "BIND_HOST": _HOST,
        "GATEWAY_PORT": str(arguments.port),
        "IOT_MTLS_PORT": str(arguments.mqtt_port),
        "LOAM_CREDENTIALS_PORT": str(arguments.credentials_port),
        "MINISTACK_REGION": arguments.region,
        "AWS_REGION": arguments.region,
        "AWS_DEFAULT_REGION": arguments.region,
        "AWS_ENDPOINT_URL": arguments.functions_endpoint or f"http://{_HOST}:{arguments.port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(arguments.async_retry_seconds),
        "LOAM_DEACTIVATION_SECONDS": str(arguments.deactivation_seconds),
        "LOG_LEVEL": "INFO" if arguments.verbose else "WARNING",
        "SFTP_ENABLED": "0",
    })


async def _serve(arguments: argparse.Namespace) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"{_HOST}:{arguments.port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watches = [asyncio.create_task(_stop_with_parent(stop)), asyncio.create_task(_announce(arguments, stop.set))]
    await serve(app, config, shutdown_trigger=stop.wait)
    for watch in watches:
        watch.cancel()


async def _stop_with_parent(stop: asyncio.Event) -> None:
    """A parent that was killed cannot stop us: its death shows as another parent id."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.25)
    stop.set()


async def _announce(arguments: argparse.Namespace, stop: Callable[[], None]) -> None:
    """One JSON line on standard output when all ports answer; stop when one could not be had."""
    from loam_local.extension import credentials_listener
    from ministack import app

    while app._iot_mtls_task is None or not app._iot_mtls_task.done():
        await asyncio.sleep(0.02)
    if app._iot_mtls_state != "listening":
        print(f"loam_local serve: no MQTT listener on port {arguments.mqtt_port} [mqtt-port-busy]", file=sys.stderr)
        stop()
        return
    if credentials_listener.port() is None:
        print(f"loam_local serve: no credentials provider on port {arguments.credentials_port}: choose another with "
              "--credentials-port [credentials-port-busy]", file=sys.stderr)
        stop()
        return
    while not _answers(arguments.port):
        await asyncio.sleep(0.02)
    ready = {"ready": True, "endpoint": f"http://{_HOST}:{arguments.port}", "mqttPort": arguments.mqtt_port,
             "credentialsPort": credentials_listener.port()}
    print(json.dumps(ready), flush=True)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_HOST, port)) == 0


def _end_functions() -> None:
    """Function processes end with us, idle or not."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
