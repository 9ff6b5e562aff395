"""Pace starts and replacements, so that a mass restart does not starve itself. Time is an argument."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SLOT_SECONDS: Final = 60.0
"""A start that takes longer is stuck for another reason than load, and keeps nobody waiting any more."""

LOOKS_PER_SECOND: Final = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may happen at once."""

    starting: int = 10
    """Pods that start."""
    replacing: int = 5
    """Pods that are replaced by an upgrade and have not come back."""
    replacing_percent: int = 10
    """The same as a share of all sessions; the smaller of both counts, but one is always allowed."""
    replacing_per_node: int = 2


@dataclass(frozen=True, slots=True)
class _Slot:
    since: float
    node: str | None


@dataclass(slots=True)
class Pace(Generic[K]):
    """Who is starting and who is being replaced.

    In memory. After a restart it is learnt from what is seen who starts; a halt is not, and comes back after as many
    replacements as may be under way, because a pod that did not come back looks like one that its user broke.
    """

    limits: Limits = field(default_factory=Limits)
    _all: set[K] = field(default_factory=set)
    _starting: dict[K, _Slot] = field(default_factory=dict)
    _replacing: dict[K, _Slot] = field(default_factory=dict)

    def saw(self, key: K, *, starting: bool, healthy: bool, now: float) -> None:
        """Take note of a session: whether its pod starts just now, whether it is where it should be."""
        self._all.add(key)
        if not starting:
            self._starting.pop(key, None)
        elif key not in self._starting:
            self._starting[key] = _Slot(now, None)
        if healthy:
            self._replacing.pop(key, None)

    def forget(self, key: K) -> None:
        """Take note that a session is gone."""
        self._all.discard(key)
        self._starting.pop(key, None)
        self._replacing.pop(key, None)

    def start(self, key: K, now: float) -> bool:
        """Return whether a pod may be made now, and if so count it."""
        busy = sum(1 for other, slot in self._starting.items() if other != key and now - slot.since < SLOT_SECONDS)
        if busy >= self.limits.starting:
            return False
        self._all.add(key)
        self._starting[key] = _Slot(now, None)
        return True

    def turn(self) -> float:
        """Return the seconds after which one that waits asks again: all together some dozens a second at most."""
        return max(1.0, len(self._all) / LOOKS_PER_SECOND)

    def may_replace(self, key: K, node: str | None) -> bool:
        """Return whether a pod may be replaced now."""
        others = [slot for other, slot in self._replacing.items() if other != key]
        share = len(self._all | {key}) * self.limits.replacing_percent // 100
        if len(others) >= max(1, min(self.limits.replacing, share)):
            return False
        neighbours = [slot for slot in others if node is not None and slot.node == node]
        return len(neighbours) < self.limits.replacing_per_node

    def replace(self, key: K, node: str | None, now: float) -> None:
        """Count a pod that worked and is replaced for an upgrade.

        One that does not come back keeps its place for good: when enough do not, replacing halts.
        """
        self._all.add(key)
        self._replacing[key] = _Slot(now, node)
