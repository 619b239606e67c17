"""Gap: asynchronous invocation with AWS's retries and failure records, sent under the function's own role.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from loam_local.extension import destinations
from loam_local.extension.replace import original, replace

_log = logging.getLogger("loam.asynchronous")
_request: contextvars.ContextVar[str | None] = contextvars.ContextVar("loam_async_request", default=None)
_dispatch: Callable[..., dict[str, Any]]
_LONGEST_THROTTLE_SECONDS = 300.0
# Every running invocation of a function is a process of its own; a burst waits in the queue, as it may on AWS.
_pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="loam-async")


def install() -> None:
    """Take over the emulator's asynchronous invocation, and let one request id span all attempts as on AWS."""
    from ministack.services import lambda_svc

    global _dispatch
    for name in ("_execute_function", "_execution_record_for_config", "_get_func_record_for_ref_in_scope"):
        original(lambda_svc, name)
    replace(lambda_svc, "invoke_async_with_retry", invoke)
    _dispatch = replace(lambda_svc, "_execute_function_dispatch", _dispatch_with_request)


def _dispatch_with_request(func: dict[str, Any], config: dict[str, Any], event: Any, request_id: str,
                           started: float) -> dict[str, Any]:
    return _dispatch(func, config, event, _request.get() or request_id, started)


@dataclass
class _Invocation:
    """One event in a function's queue."""

    function: dict[str, Any]
    config: dict[str, Any]
    event: Any
    request: str
    settings: dict[str, Any]
    started: float
    attempts: int = 0
    failures: int = 0
    throttles: int = 0
    last: dict[str, Any] | None = None


def invoke(function: dict[str, Any], event: Any) -> None:
    """Accept the event and return; run, retry and record it in the background."""
    from ministack.core.responses import new_uuid

    configs = function.get("event_invoke_configs") or {}
    settings = function.get("event_invoke_config") or configs.get("$LATEST") or {}
    config = function.get("config") or function
    _enqueue(_Invocation(function, config, event, new_uuid(), settings, time.time()))


def _enqueue(invocation: _Invocation) -> None:
    """Each attempt runs in a context of its own: whoever published or called is nobody to the function."""
    _pool.submit(contextvars.Context().run, _attempt, invocation)


def _attempt(invocation: _Invocation) -> None:
    """Run the function once; then it is done, recorded, or queued again after a wait."""
    from ministack.core.lambda_runtime import _account_region_from_function_config
    from ministack.core.responses import request_scope

    try:
        with request_scope(*_account_region_from_function_config(invocation.config)):
            condition = _condition_after_attempt(invocation)
            if condition:
                destinations.record(invocation.settings, invocation, condition)
    except Exception:
        _log.exception("an asynchronous invocation of %s came to no end that is recorded", _name(invocation))


def _condition_after_attempt(invocation: _Invocation) -> str | None:
    """Success, RetriesExhausted or EventAgeExceeded; None when the event waits for another attempt."""
    _execute(invocation)
    result = invocation.last or {}
    if not result.get("error"):
        return "Success"
    if result.get("throttle"):
        # Throttles are no attempts: the event stays queued until it is too old.
        invocation.throttles += 1
        wait = min(2.0 ** (invocation.throttles - 1), _LONGEST_THROTTLE_SECONDS)
    else:
        invocation.failures += 1
        if invocation.failures > _whole(invocation.settings.get("MaximumRetryAttempts"), 2):
            return "RetriesExhausted"
        wait = _retry_seconds() * invocation.failures
    if time.time() - invocation.started + wait > _whole(invocation.settings.get("MaximumEventAgeInSeconds"), 21_600):
        return "EventAgeExceeded"
    timer = threading.Timer(wait, _enqueue, [invocation])
    timer.daemon = True
    timer.start()
    return None


def _execute(invocation: _Invocation) -> None:
    from ministack.services import lambda_svc

    invocation.attempts += 1
    _request.set(invocation.request)
    try:
        invocation.last = lambda_svc._execute_function(invocation.function, invocation.event)
    finally:
        _request.set(None)
    output = (invocation.last or {}).get("log", "")
    if output:
        _log.info("Lambda %s, asynchronous attempt %d:\n%s", _name(invocation), invocation.attempts, output)


def _retry_seconds() -> float:
    """AWS waits one minute before the first retry and two before the second; here the unit is a setting."""
    from ministack.services import lambda_svc

    return lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS


def _whole(value: Any, default: int) -> int:
    return default if value is None else int(value)


def _name(invocation: _Invocation) -> str:
    return invocation.config.get("FunctionName", "unknown")

