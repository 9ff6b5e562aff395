"""Pace what the user of one session asks for again and again. Sans-IO, time is an argument.

The first restart (or changed spec) is carried out at once, the next ones after pauses that grow. None is lost: what is
asked for stays in the resource, and the newest is carried out when the pause is over.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from whatsapp_session.backoff import Backoff

K = TypeVar("K", bound=Hashable)

PAUSES: Final = Backoff(15.0, 300.0)
"""From one restart to the next; who waits for twice the pause begins anew."""


@dataclass(frozen=True, slots=True)
class _Done:
    at: float
    count: int
    asked: Hashable


@dataclass(slots=True)
class Restarts(Generic[K]):
    """When each session was last restarted because its user asked for it. In memory: a new operator begins anew."""

    _done: dict[K, _Done] = field(default_factory=dict)

    def wait(self, key: K, asked: Hashable, now: float) -> float:
        """Return the seconds until what is asked for may be done; what has begun may be finished at once."""
        done = self._done.get(key)
        if done is None or done.asked == asked:
            return 0.0
        return max(0.0, done.at + PAUSES.after(done.count) - now)

    def did(self, key: K, asked: Hashable, now: float) -> None:
        """Take note that it is done."""
        done = self._done.get(key)
        if done is not None and done.asked == asked:
            return
        anew = done is None or now - done.at >= 2 * PAUSES.after(done.count)
        self._done[key] = _Done(now, 1 if done is None or anew else done.count + 1, asked)

    def forget(self, key: K) -> None:
        """Take note that a session is gone."""
        self._done.pop(key, None)
