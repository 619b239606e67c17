"""Gap: ListSubscriptions, which the emulator's data plane lacks: what a client is subscribed to.

Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_ListSubscriptions.html
"""

import base64
import binascii
from typing import Any

from loam_local.extension import sessions

SUFFIX = "/subscriptions"
_DEFAULT, _MOST = "20", 200


def answer(key: sessions.Key, query: dict[str, str]) -> Any:
    """A page of the filters of a client that is connected or has a persistent session, in order."""
    from loam_local.extension.connections import refused
    from ministack.core.responses import json_response
    from ministack.services import iot

    size, after = query.get("maxResults", _DEFAULT), _after(query.get("nextToken"))
    if after is None or not (size.isascii() and size.isdigit() and 1 <= int(size) <= _MOST):
        return refused(400, "InvalidRequestException", f"maxResults must be 1 to {_MOST} and nextToken one of ours")
    stored = iot._persistent_sessions.get(key)
    if sessions.live(key) is None and (stored is None or iot._is_session_expired(stored)):
        return refused(404, "ResourceNotFoundException", f"No session of client {key[2]}")
    account, region, client = key
    granted = {iot._unscope_topic(account, region, scoped): held.granted_qos
               for scoped, holders in iot._subscriptions.items() for held in holders
               if (held.account_id, held.region, held.client_id) == key}
    granted |= dict.fromkeys(stored.subscriptions, 1) if stored is not None and sessions.live(key) is None else {}
    filters = sorted(name for name in granted if name > after)
    page, rest = filters[:int(size)], filters[int(size):]
    more = {"nextToken": base64.b64encode(page[-1].encode()).decode()} if rest else {}
    return json_response({"subscriptions": [{"topicFilter": name, "qos": granted[name]} for name in page], **more})


def _after(token: str | None) -> str | None:
    """The filter that the last page ended with: empty for the first page, None for a forged token."""
    try:
        return base64.b64decode(token, validate=True).decode() if token else ""
    except (binascii.Error, UnicodeDecodeError):
        return None
