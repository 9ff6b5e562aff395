"""Limit simultaneous replacements of worker pods during an upgrade. Time is an argument."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

LOOKS_PER_SECOND: Final = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for simultaneous starts and replacements."""

    starting: int = 10
    """Maximum number of pods that start; namespaces share it (``start_slots``)."""
    replacing: int = 5
    """Maximum number of replaced pods whose successors are not healthy yet."""
    replacing_percent: int = 10
    """The same in percent of all sessions; the smaller limit applies, but one pod is always allowed."""
    replacing_per_node: int = 2


@dataclass(slots=True)
class Pace(Generic[K]):
    """Pods that are being replaced, in memory only.

    After a restart of the operator a halted upgrade first replaces as many pods as the limits allow, because the
    operator cannot distinguish a pod that the upgrade broke from one that its user broke.
    """

    limits: Limits = field(default_factory=Limits)
    _all: set[K] = field(default_factory=set)
    _replacing: dict[K, str | None] = field(default_factory=dict)
    """Node of each replaced pod."""

    def saw(self, key: K, *, healthy: bool) -> None:
        """Record whether a session is healthy."""
        self._all.add(key)
        if healthy:
            self._replacing.pop(key, None)

    def forget(self, key: K) -> None:
        """Forget a deleted session."""
        self._all.discard(key)
        self._replacing.pop(key, None)

    def turn(self) -> float:
        """Return the seconds after which a waiting session asks again: all together ask some dozen times a second."""
        return max(1.0, len(self._all) / LOOKS_PER_SECOND)

    def may_replace(self, key: K, node: str | None) -> bool:
        """Return whether a pod may be replaced now."""
        others = [place for other, place in self._replacing.items() if other != key]
        share = len(self._all | {key}) * self.limits.replacing_percent // 100
        if len(others) >= max(1, min(self.limits.replacing, share)):
            return False
        return node is None or others.count(node) < self.limits.replacing_per_node

    def replace(self, key: K, node: str | None) -> None:
        """Count a healthy pod that an upgrade replaces.

        It counts until its successor is healthy: if enough successors are not, the upgrade halts.
        """
        self._all.add(key)
        self._replacing[key] = node
