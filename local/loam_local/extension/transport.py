"""Gap: bucket and queue policies that demand TLS (`aws:SecureTransport`) refuse every call to a plain-HTTP emulator.

On AWS the calls come over TLS, the services' own deliveries included; here loopback stands in for it.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

import contextvars

from loam_local.extension.replace import original, replace


def install() -> None:
    """Count every call that reaches the loopback port as secure."""
    from ministack import app
    from ministack.core import iam_evaluator

    original(iam_evaluator, "pin_request_origin")
    origin: contextvars.ContextVar[tuple[str, bool]] = contextvars.ContextVar("loam_origin",
                                                                              default=("127.0.0.1", True))
    iam_evaluator._request_origin = origin
    replace(app, "pin_request_origin", lambda address, _secure: origin.set((address, True)))
