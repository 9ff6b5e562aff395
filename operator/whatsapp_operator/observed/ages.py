"""Measure how long ago the operator first saw a fact, by its own monotonic clock.

It does not compare times of other machines with its own clock, because clocks can differ by an hour. After a restart of
the operator each fact counts as new: a pause begins again, and is never longer than intended.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)


class What(Enum):
    """Kinds of facts about a pod or a check."""

    ENDED = auto()
    """The worker in the pod has ended for good."""
    FAILED = auto()
    DELETING = auto()
    UNREADY = auto()
    """A worker reports that it is well, but its pod is not ready."""
    THERE = auto()
    CHECKED = auto()
    """A store's check has an outcome."""


Fact: TypeAlias = tuple[What, str]
"""Kind and identity of a fact, such as the UID of the pod."""
Ages: TypeAlias = Mapping[Fact, float]
"""Seconds since each fact was first seen."""


def age(ages: Ages, what: What, of: str) -> float:
    """Return the seconds since a fact was first seen, 0.0 if it was not seen before."""
    return ages.get((what, of), 0.0)


@dataclass(slots=True)
class Sightings(Generic[K]):
    """Times at which each fact about a key was first seen; facts that are no longer seen are removed."""

    _first: dict[K, dict[Fact, float]] = field(default_factory=dict)

    def ages(self, key: K, facts: Iterable[Fact], now: float) -> Ages:
        """Record all facts about a key at a time of the monotonic clock; returns the age of each fact."""
        before = self._first.pop(key, {})
        first = {fact: before.get(fact, now) for fact in facts}
        if first:
            self._first[key] = first
        return {fact: now - since for fact, since in first.items()}

    def forget(self, key: K) -> None:
        """Remove all facts about a key."""
        self._first.pop(key, None)
