"""Pace replacements, so that an upgrade does not starve itself. Time is an argument."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

LOOKS_PER_SECOND: Final = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may happen at once."""

    starting: int = 10
    """Pods that start; namespaces share them (``starts``)."""
    replacing: int = 5
    """Pods that are replaced by an upgrade and have not come back."""
    replacing_percent: int = 10
    """The same as a share of all sessions; the smaller of both counts, but one is always allowed."""
    replacing_per_node: int = 2


@dataclass(slots=True)
class Pace(Generic[K]):
    """Who is being replaced.

    In memory. After a restart a halt comes back after as many replacements as may be under way, because a pod that did
    not come back looks like one that its user broke.
    """

    limits: Limits = field(default_factory=Limits)
    _all: set[K] = field(default_factory=set)
    _replacing: dict[K, str | None] = field(default_factory=dict)
    """The node that each was on."""

    def saw(self, key: K, *, healthy: bool) -> None:
        """Take note of a session: whether it is where it should be."""
        self._all.add(key)
        if healthy:
            self._replacing.pop(key, None)

    def forget(self, key: K) -> None:
        """Take note that a session is gone."""
        self._all.discard(key)
        self._replacing.pop(key, None)

    def turn(self) -> float:
        """Return the seconds after which one that waits asks again: all together some dozens a second at most."""
        return max(1.0, len(self._all) / LOOKS_PER_SECOND)

    def may_replace(self, key: K, node: str | None) -> bool:
        """Return whether a pod may be replaced now."""
        others = [place for other, place in self._replacing.items() if other != key]
        share = len(self._all | {key}) * self.limits.replacing_percent // 100
        if len(others) >= max(1, min(self.limits.replacing, share)):
            return False
        return node is None or others.count(node) < self.limits.replacing_per_node

    def replace(self, key: K, node: str | None) -> None:
        """Count a pod that worked and is replaced for an upgrade.

        One that does not come back keeps its place for good: when enough do not, replacing halts.
        """
        self._all.add(key)
        self._replacing[key] = node
