"""What became of one queue's letters."""

import time
from collections import Counter

from loam_local.replay.letters import Stays

_BETWEEN_LINES_SECONDS = 2.0


class Report:
    """Counts, a line of progress every two seconds, and the table's part for one queue."""

    def __init__(self, queue: str) -> None:
        """`queue` is the queue's logical id."""
        self._queue = queue
        self._handed: Counter[str] = Counter()
        self._left: Counter[tuple[str, str]] = Counter()
        self._said = time.monotonic()
        self._letters_handed = 0
        self.stuck = 0

    def handed_over(self, ways: list[str]) -> None:
        """One letter was handed over, in these ways (several when several actions of a rule had failed)."""
        self._letters_handed += 1
        self._handed.update([", ".join(sorted(ways))])
        self._progress()

    def stays(self, reason: Stays) -> None:
        """One letter stays."""
        self._left[reason.code, reason.about] += 1
        self.stuck += reason.stuck
        self._progress()

    def _progress(self) -> None:
        if time.monotonic() - self._said >= _BETWEEN_LINES_SECONDS:
            self._said = time.monotonic()
            print(self._summary("handed over"), flush=True)

    def _summary(self, handed: str) -> str:
        left = self._left.total()
        return f"{self._queue}: {self._letters_handed + left} found, {self._letters_handed} {handed}, {left} left"

    def table(self, dry_run: bool) -> str:
        """The summary, one line per way and one per reason."""
        lines = [self._summary("would be handed over" if dry_run else "handed over")]
        lines += [f"  {count:>7}  {way}" for way, count in sorted(self._handed.items())]
        lines += [f"  {count:>7}  left: {code}{f' ({about})' if about else ''}"
                  for (code, about), count in sorted(self._left.items())]
        return "\n".join(lines)
