"""AWS's request rates, as buckets of tokens: so many at once, refilled at the same number a second."""

import time


class Rate:
    """At most `per_second` requests a second under each key."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._buckets: dict[object, tuple[float, float]] = {}

    def allows(self, key: object, at: float | None = None) -> bool:
        """Take a token of this key; False when there is none. `at` is a monotonic time in seconds."""
        moment = time.monotonic() if at is None else at
        tokens, since = self._buckets.get(key, (float(self._per_second), moment))
        tokens = min(float(self._per_second), tokens + (moment - since) * self._per_second)
        enough = tokens >= 1
        self._buckets[key] = (tokens - 1 if enough else tokens, moment)
        return enough
