"""Gap: the emulator opens its MQTT port on all interfaces, whatever BIND_HOST says. This one stays on loopback."""

import asyncio
import os
from typing import Any

from loam_local.extension.replace import original, replace


def install() -> None:
    """Bind the MQTT listener where the HTTP listener is bound."""
    from ministack.services import iot

    original(iot, "_MtlsAcceptor")
    create = asyncio.BaseEventLoop.create_server

    async def on_bind_host(loop: Any, factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        where = os.environ["BIND_HOST"] if factory is iot._MtlsAcceptor else host
        return await create(loop, factory, where, port, **options)

    replace(asyncio.BaseEventLoop, "create_server", on_bind_host)
