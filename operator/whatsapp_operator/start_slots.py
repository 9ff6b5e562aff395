"""Share start slots fairly between namespaces: decide which pod may be created now. Sans-IO: time is an argument.

A slot is a created pod that has not come up yet. There are ``limit`` slots, which groups (namespaces) share:

* A free slot goes to the group with the fewest slots, and within it to the key that has waited longest.
* One group alone may use all slots. Slots beyond its share block a group with less than its share for at most
  ``LENT_SECONDS``; there may then be more than ``limit`` slots for a moment.
* A pod that waits for its node, its volumes or its image causes no load: its slot ends after ``PENDING_SECONDS``, and
  it gets another one when its container runs. A worker that does not come up keeps its slot for ``SLOT_SECONDS``.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SLOT_SECONDS: Final = 60.0
PENDING_SECONDS: Final = 10.0
LENT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 30.0
"""Seconds until a waiting key asks again by itself; it is also woken when it gets a slot."""
POLLS_PER_SECOND: Final = 50
"""Maximum number of waiting keys that ask per second."""


class Stage(IntEnum):
    """Progress of a starting pod."""

    NONE = auto()
    """The pod does not exist, has come up, or cannot."""
    PENDING = auto()
    """The container does not run yet."""
    RUNNING = auto()
    """The container runs, and the worker is starting."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A place in the queue of a group."""

    ahead: int
    """Upper bound for the number of keys of the group ahead of it."""
    look_again: float
    """Seconds after which to ask again."""


@dataclass(frozen=True, slots=True)
class _Slot:
    since: float
    stage: Stage

    @property
    def until(self) -> float:
        return self.since + (SLOT_SECONDS if self.stage is Stage.RUNNING else PENDING_SECONDS)


@dataclass(frozen=True, slots=True)
class _Waiting:
    since: float
    number: int


@dataclass(slots=True)
class Starts(Generic[K]):
    """Starting and waiting keys, in memory; after a restart of the operator they follow from the observed pods."""

    limit: int
    group: Callable[[K], Hashable]
    _slots: dict[K, _Slot] = field(default_factory=dict)
    _held: Counter[Hashable] = field(default_factory=Counter)
    """Number of slots of each group."""
    _ends: list[tuple[float, int, K]] = field(default_factory=list)
    """Heap of the ends of slots; an entry that is not its slot's any more is skipped."""
    _count: int = 0
    _spent: dict[K, Stage] = field(default_factory=dict)
    """Stage at which the slot of an existing pod ended."""
    _lines: dict[Hashable, dict[K, _Waiting]] = field(default_factory=dict)
    _granted: list[K] = field(default_factory=list)

    def ask(self, key: K, now: float) -> Queued | None:
        """Return None if the pod may be created now, which takes a slot, else its place in the queue."""
        self._end_slots(now)
        if key not in self._slots:
            self._spent.pop(key, None)
            self._join(key, now)
            self._grant(now)
        if key not in self._slots:
            return self._place(key, now)
        self._granted = [other for other in self._granted if other != key]
        return None

    def saw(self, key: K, stage: Stage, now: float) -> None:
        """Record the progress of a pod; not for waiting keys."""
        self._leave(key)
        slot = self._slots.get(key)
        if stage is Stage.NONE:
            self._free(key)
            self._spent.pop(key, None)
        elif slot is None and stage > self._spent.get(key, Stage.NONE):
            self._hold(key, _Slot(now, stage))
        elif slot is not None and stage > slot.stage:
            self._hold(key, _Slot(slot.since, stage))
        self._grant(now)

    def forget(self, key: K, now: float) -> None:
        """Forget a key."""
        self.saw(key, Stage.NONE, now)

    def granted(self) -> list[K]:
        """Return the keys that waited and may create their pods now, each once."""
        found, self._granted = self._granted, []
        return found

    def waiting(self) -> int:
        """Return the number of waiting keys."""
        return sum(len(line) for line in self._lines.values())

    def longest_wait(self, now: float) -> float:
        """Return the longest wait in seconds."""
        return max((now - self._first(line).since for line in self._lines.values()), default=0.0)

    def starting(self, now: float) -> int:
        """Return the number of slots in use."""
        self._end_slots(now)
        return len(self._slots)

    def _place(self, key: K, now: float) -> Queued:
        line = self._lines[self.group(key)]
        ahead = line[key].number - self._first(line).number
        if ahead:
            return Queued(ahead, POLL_SECONDS + self.waiting() / POLLS_PER_SECOND)
        changes = [time for slot in self._slots.values() for time in (slot.until, slot.since + LENT_SECONDS)]
        soonest = min((time - now for time in changes if time > now), default=POLL_SECONDS)
        return Queued(0, min(POLL_SECONDS, max(0.1, soonest)))

    def _grant(self, now: float) -> None:
        self._end_slots(now)
        while self._lines:
            name = min(self._lines, key=lambda group: (self._held[group], self._first(self._lines[group]).since))
            if len(self._slots) >= self.limit and self._counted(name, now) >= self.limit:
                return
            key = next(iter(self._lines[name]))
            self._leave(key)
            self._hold(key, _Slot(now, Stage.PENDING))
            self._granted.append(key)

    def _counted(self, name: Hashable, now: float) -> int:
        """Return the number of slots that count as used for a group that needs one."""
        share = max(1, self.limit // len(self._lines.keys() | self._held.keys()))
        if self._held[name] >= share:
            return len(self._slots)
        young = Counter(self.group(key) for key, slot in self._slots.items() if now - slot.since < LENT_SECONDS)
        return sum(max(min(number, share), young[other]) for other, number in self._held.items())

    def _end_slots(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            until, _, key = heapq.heappop(self._ends)
            slot = self._slots.get(key)
            if slot is not None and slot.until == until:
                self._free(key)
                self._spent[key] = slot.stage

    def _hold(self, key: K, slot: _Slot) -> None:
        if key not in self._slots:
            self._held[self.group(key)] += 1
        self._slots[key] = slot
        self._count += 1
        heapq.heappush(self._ends, (slot.until, self._count, key))

    def _free(self, key: K) -> None:
        if self._slots.pop(key, None) is not None:
            name = self.group(key)
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

    def _join(self, key: K, now: float) -> None:
        line = self._lines.setdefault(self.group(key), {})
        if key not in line:
            line[key] = _Waiting(now, next(reversed(line.values())).number + 1 if line else 0)

    def _leave(self, key: K) -> None:
        name = self.group(key)
        line = self._lines.get(name, {})
        line.pop(key, None)
        if not line:
            self._lines.pop(name, None)

    @staticmethod
    def _first(line: dict[K, _Waiting]) -> _Waiting:
        return next(iter(line.values()))
