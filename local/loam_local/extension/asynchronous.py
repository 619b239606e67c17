"""Gap: asynchronous invocation with AWS's retries and failure records, sent under the function's own role.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loam_local.extension import destinations
from loam_local.extension.replace import original, replace

_log = logging.getLogger("loam.asynchronous")
_request: contextvars.ContextVar[str | None] = contextvars.ContextVar("loam_async_request", default=None)
_dispatch: Callable[..., dict[str, Any]]
_THROTTLE_WAIT_SECONDS = (1.0, 300.0)


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
    retries: int
    max_age: float
    started: float
    attempts: int = 0
    last: dict[str, Any] | None = None


def invoke(function: dict[str, Any], event: Any) -> None:
    """Accept the event and return; run, retry and record it in the background."""
    from ministack.core.responses import new_uuid

    config = function.get("config") or function
    settings = _settings(function)
    retries = settings.get("MaximumRetryAttempts")
    invocation = _Invocation(function, config, event, new_uuid(), 2 if retries is None else int(retries),
                             float(settings.get("MaximumEventAgeInSeconds") or 21_600), time.time())
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_run, invocation), daemon=True, name="loam-async").start()


def _settings(function: dict[str, Any]) -> dict[str, Any]:
    configs = function.get("event_invoke_configs") or {}
    return function.get("event_invoke_config") or configs.get("$LATEST") or {}


def _run(invocation: _Invocation) -> None:
    from ministack.core.lambda_runtime import _account_region_from_function_config
    from ministack.core.responses import _request_account_id, _request_region

    account, region = _account_region_from_function_config(invocation.config)
    _request_account_id.set(account)
    _request_region.set(region)
    _request.set(invocation.request)
    condition = _attempt_all(invocation)
    _request.set(None)
    try:
        destinations.record(_settings(invocation.function), invocation, condition)
    except Exception:
        _log.exception("the record of an asynchronous invocation of %s was not delivered", _name(invocation))


def _attempt_all(invocation: _Invocation) -> str:
    """Success, RetriesExhausted or EventAgeExceeded. Throttles wait and do not count as attempts."""
    from ministack.services import lambda_svc

    failures, throttles = 0, 0
    while True:
        invocation.attempts += 1
        invocation.last = lambda_svc._execute_function(invocation.function, invocation.event)
        _log_output(invocation)
        if not invocation.last.get("error"):
            return "Success"
        if invocation.last.get("throttle"):
            throttles += 1
            wait = min(_THROTTLE_WAIT_SECONDS[0] * 2 ** (throttles - 1), _THROTTLE_WAIT_SECONDS[1])
        else:
            failures += 1
            if failures > invocation.retries:
                return "RetriesExhausted"
            wait = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS * failures
        if time.time() - invocation.started + wait > invocation.max_age:
            return "EventAgeExceeded"
        time.sleep(wait)


def _name(invocation: _Invocation) -> str:
    return invocation.config.get("FunctionName", "unknown")


def _log_output(invocation: _Invocation) -> None:
    output = (invocation.last or {}).get("log", "")
    if output:
        _log.info("Lambda %s, asynchronous attempt %d:\n%s", _name(invocation), invocation.attempts, output)
