"""Decide when each key is processed. Sans-IO: time is an argument, and ``workqueue`` drives it with asyncio.

Four rules, each with a table of times in the tests:

* Events of one key within ``COALESCE_SECONDS`` are processed together.
* A key that failed is in back-off. Events do not end its back-off; input of its user (a changed spec, a deletion, a
  request) and a changed verdict on its store shorten it to ``EARLY_SECONDS``.
* Groups of keys (namespaces) take turns, regardless of the number of their due keys.
* A group uses at most half of the workers that the other groups leave, so that a group that hangs leaves some free.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from whatsapp_session.backoff import Backoff

K = TypeVar("K", bound=Hashable)

COALESCE_SECONDS: Final = 0.1
EARLY_SECONDS: Final = 5.0
PAUSES: Final = Backoff(0.2, 300.0)
"""Back-off of a key that fails for a reason of its own."""
USER: Final = "user"
"""Source of events of the key's own resource."""
OUTAGE_PAUSES: Final = Backoff(0.2, 30.0)
"""Back-off during an outage of the API server, whose end causes no event."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Result of work that cannot continue: the key is not processed for this number of seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Resting:
    early: float
    until: float


def pause(failures: int, jitter: float, pauses: Backoff = PAUSES) -> float:
    """Return the seconds to wait after this number of failures; ``jitter`` in [0, 1) subtracts up to a quarter."""
    return pauses.after(failures) * (1 - jitter / 4)


def one_group(key: Hashable) -> Hashable:
    """Put all keys into one group."""
    return ""


@dataclass(slots=True)
class Schedule(Generic[K]):
    """Schedule of keys; a key that is being processed becomes due again only afterwards."""

    workers: int
    group: Callable[[K], Hashable] = one_group
    """Returns the group of a key, which shares turns and workers; never None."""
    _due: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _ready: dict[Hashable, dict[K, None]] = field(default_factory=dict)
    """Due keys in order, by group; the group whose turn it is comes first."""
    _busy: set[K] = field(default_factory=set)
    _busy_of: Counter[Hashable] = field(default_factory=Counter)
    _failures: dict[K, int] = field(default_factory=dict)
    _resting: dict[K, _Resting] = field(default_factory=dict)
    _asked: dict[K, dict[str, int]] = field(default_factory=dict)
    """Newest digest of each source, of keys that are due, processed or in back-off."""
    _unseen: set[K] = field(default_factory=set)
    """Keys with a changed digest since their processing last began."""
    _count: int = 0

    def add(self, key: K, now: float, asked: int | None = None, source: str = USER) -> None:
        """Add an event of a key.

        ``asked`` is a digest of the source's input; None if the event must not shorten a back-off.
        """
        said = self._asked.setdefault(key, {})
        if asked is not None and said.get(source) != asked:
            said[source] = asked
            self._unseen.add(key)
        self._make_due(key, self._earliest(key, now + COALESCE_SECONDS))

    def wake(self, key: K, now: float) -> None:
        """Make a key due at once, unless it is in back-off."""
        self._make_due(key, self._earliest(key, now))

    def take(self, now: float) -> K | None:
        """Return a due key that is not being processed, and mark it busy; None if no group may use a worker."""
        self._promote(now)
        group = self._next_group()
        if group is None:
            return None
        keys = self._ready.pop(group)
        key = next(iter(keys))
        del keys[key]
        if keys:
            self._ready[group] = keys  # its next turn is after the other groups
        del self._due[key]
        self._unseen.discard(key)
        self._busy.add(key)
        self._busy_of[group] += 1
        return key

    def next_time(self) -> float | None:
        """Return when a key may be taken, None if only the end of the present work can change that."""
        group = self._next_group()
        if group is not None:
            return self._due[next(iter(self._ready[group]))]
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def done(self, key: K, again: float | None) -> None:
        """Record that work on a key succeeded; ``again`` is when it is due next, None for never."""
        self._failures.pop(key, None)
        self._resting.pop(key, None)
        self._release(key)
        if key in self._due:
            self._push(key)  # added meanwhile; the heap no longer contains it if its time has passed
        if again is not None:
            self._make_due(key, again)
        if key not in self._unseen:
            # Only needed in back-off; without it the next event is processed early once.
            self._asked.pop(key, None)

    def rests(self, key: K, now: float, seconds: float) -> None:
        """Record that work on a key cannot continue for this number of seconds."""
        self._failures.pop(key, None)
        self._rest(key, now, seconds)

    def failed(self, key: K, now: float, jitter: float, pauses: Backoff = PAUSES, asked: float = 0.0) -> int:
        """Record that work on a key failed; returns the number of failures in a row.

        ``asked`` is the number of seconds that the server asked to wait: nothing shortens it.
        """
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        self._rest(key, now, max(asked, pause(failures, jitter, pauses)), asked)
        return failures

    def longest_wait(self, now: float) -> float:
        """Return the seconds for which the longest waiting key has been due."""
        return max((max(0.0, now - at) for key, at in self._due.items() if key not in self._busy), default=0.0)

    def size(self) -> int:
        """Return the number of keys that wait or are being processed."""
        return len(self._due.keys() | self._busy)

    def _rest(self, key: K, now: float, seconds: float, asked: float = 0.0) -> None:
        self._release(key)
        # Events that were added meanwhile must not shorten the back-off, which would cause a hot loop.
        self._due.pop(key, None)
        self._resting[key] = _Resting(now + max(asked, min(seconds, EARLY_SECONDS)), now + seconds)
        self._make_due(key, self._earliest(key, now))

    def _earliest(self, key: K, at: float) -> float:
        resting = self._resting.get(key)
        if resting is None:
            return at
        return max(at, resting.early if key in self._unseen else resting.until)

    def _make_due(self, key: K, at: float) -> None:
        if key in self._due and self._due[key] <= at:
            return
        self._due[key] = at
        self._push(key)

    def _promote(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if self._holds(entry):
                key = entry[2]
                self._ready.setdefault(self.group(key), {})[key] = None

    def _holds(self, entry: tuple[float, int, K]) -> bool:
        """Return whether an entry of the heap is current; that of a busy key is pushed again when its work ends."""
        at, _, key = entry
        return self._due.get(key) == at and key not in self._busy

    def _next_group(self) -> Hashable | None:
        idle = self.workers - len(self._busy)
        return next((name for name in self._ready if self._busy_of[name] < idle), None)

    def _release(self, key: K) -> None:
        self._busy.discard(key)
        name = self.group(key)
        self._busy_of[name] -= 1
        if not self._busy_of[name]:
            del self._busy_of[name]

    def _push(self, key: K) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self._due[key], self._count, key))
