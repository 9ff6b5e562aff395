"""Pace repeated restarts of one session by its user. Sans-IO: time is an argument.

The operator carries out the first restart (or changed spec) at once, the next ones after growing delays. No request is
lost: it stays in the resource, and the operator carries out the newest one after the delay.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from whatsapp_session.backoff import Backoff

K = TypeVar("K", bound=Hashable)

PAUSES: Final = Backoff(15.0, 300.0)
"""Delays between restarts; after twice the delay without a restart the count begins again."""


@dataclass(frozen=True, slots=True)
class _Done:
    at: float
    count: int
    asked: Hashable


@dataclass(slots=True)
class Restarts(Generic[K]):
    """Times of the last restart of each session by its user, in memory only."""

    _done: dict[K, _Done] = field(default_factory=dict)

    def wait(self, key: K, asked: Hashable, now: float) -> float:
        """Return the seconds until the requested restart may happen; one that has begun is completed at once."""
        done = self._done.get(key)
        if done is None or done.asked == asked:
            return 0.0
        return max(0.0, done.at + PAUSES.after(done.count) - now)

    def did(self, key: K, asked: Hashable, now: float) -> None:
        """Record a restart."""
        done = self._done.get(key)
        if done is not None and done.asked == asked:
            return
        anew = done is None or now - done.at >= 2 * PAUSES.after(done.count)
        self._done[key] = _Done(now, 1 if done is None or anew else done.count + 1, asked)

    def forget(self, key: K) -> None:
        """Forget a deleted session."""
        self._done.pop(key, None)
