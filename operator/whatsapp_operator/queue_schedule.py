"""Decide which key is looked at when: sans-IO, time is an argument. ``workqueue`` drives it with asyncio.

Four rules, each a table of times in the tests:

* Events of one key within ``COALESCE_SECONDS`` are one look.
* A key whose look failed rests. Events do not end its rest; what its user asks for (a changed spec, a deletion, a
  request) and news of its store (another verdict) shorten it to ``EARLY_SECONDS``.
* Groups of keys (namespaces) take turns, however many of their keys are due.
* A group has at most half of the workers that the others leave: one whose looks hang leaves workers to the next.
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
"""Pauses of a key that fails for a reason of its own."""
USER: Final = "user"
"""The source of an event that a key's own resource has caused."""
OUTAGE_PAUSES: Final = Backoff(0.2, 30.0)
"""Pauses while the API server is away: no event says that it is back, and no key is to blame."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What a look returns that could not do what it should: nobody looks for so many seconds, whatever happens."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Resting:
    early: float
    until: float


def pause(failures: int, jitter: float, pauses: Backoff = PAUSES) -> float:
    """Return the seconds to wait after so many failures in a row; ``jitter`` in [0, 1) takes away up to a quarter."""
    return pauses.after(failures) * (1 - jitter / 4)


def one_group(key: Hashable) -> Hashable:
    """Put all keys into one group."""
    return ""


@dataclass(slots=True)
class Schedule(Generic[K]):
    """Which key is due when; a key that is being worked on is due again only afterwards."""

    workers: int
    group: Callable[[K], Hashable] = one_group
    """Who shares turns and workers with whom: the group's name, never None."""
    _due: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _ready: dict[Hashable, dict[K, None]] = field(default_factory=dict)
    """Keys whose time has come, in order, by group; the group whose turn it is comes first."""
    _busy: set[K] = field(default_factory=set)
    _busy_of: Counter[Hashable] = field(default_factory=Counter)
    _failures: dict[K, int] = field(default_factory=dict)
    _resting: dict[K, _Resting] = field(default_factory=dict)
    _asked: dict[K, dict[str, int]] = field(default_factory=dict)
    """What each source said by its newest event, of keys that are due, worked on or resting."""
    _unseen: set[K] = field(default_factory=set)
    """Keys of which a source has said something else since the last look began."""
    _count: int = 0

    def add(self, key: K, now: float, asked: int | None = None, source: str = USER) -> None:
        """Take note of an event.

        ``asked`` is a digest of what the source asks for or says; None if the event cannot make a difference to a key
        that rests.
        """
        said = self._asked.setdefault(key, {})
        if asked is not None and said.get(source) != asked:
            said[source] = asked
            self._unseen.add(key)
        self._make_due(key, self._earliest(key, now + COALESCE_SECONDS))

    def wake(self, key: K, now: float) -> None:
        """Make a key due at once that waited for its turn elsewhere, unless it rests."""
        self._make_due(key, self._earliest(key, now))

    def take(self, now: float) -> K | None:
        """Return a key that is due and that nobody works on, and mark it busy; None if no group may have a worker."""
        self._promote(now)
        group = self._next_group()
        if group is None:
            return None
        keys = self._ready.pop(group)
        key = next(iter(keys))
        del keys[key]
        if keys:
            self._ready[group] = keys  # behind the other groups
        del self._due[key]
        self._unseen.discard(key)
        self._busy.add(key)
        self._busy_of[group] += 1
        return key

    def next_time(self) -> float | None:
        """Return when a key may be taken, None if nothing but the end of a look can change that."""
        group = self._next_group()
        if group is not None:
            return self._due[next(iter(self._ready[group]))]
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def done(self, key: K, again: float | None) -> None:
        """End the work on a key that went well; ``again`` is when it is due next, None for never."""
        self._failures.pop(key, None)
        self._resting.pop(key, None)
        self._release(key)
        if key in self._due:
            self._push(key)  # added meanwhile; the heap has forgotten it if its time has passed
        if again is not None:
            self._make_due(key, again)
        if key not in self._unseen:
            # Kept in back-off only: without it the next event counts as news, which costs one early look.
            self._asked.pop(key, None)

    def rests(self, key: K, now: float, seconds: float) -> None:
        """End the work on a key that went as well as it can, and cannot go on for so long."""
        self._failures.pop(key, None)
        self._rest(key, now, seconds)

    def failed(self, key: K, now: float, jitter: float, pauses: Backoff = PAUSES) -> int:
        """End the work on a key that failed; returns how many times in a row it has."""
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        self._rest(key, now, pause(failures, jitter, pauses))
        return failures

    def size(self) -> int:
        """Return how many keys wait or are worked on."""
        return len(self._due.keys() | self._busy)

    def _rest(self, key: K, now: float, seconds: float) -> None:
        self._release(key)
        # What was added meanwhile must not shorten the pause: that would be a hot loop.
        self._due.pop(key, None)
        self._resting[key] = _Resting(now + min(seconds, EARLY_SECONDS), now + seconds)
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
        """Return whether a time was not overtaken by another; a busy key's is pushed again when its worker is done."""
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
