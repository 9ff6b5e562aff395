"""Measure how long ago something was first seen, by this process' own monotonic clock.

No time that another machine wrote is compared with a clock of ours: the two may be an hour apart. After a restart of
the operator all is seen for the first time. So a pause begins anew then, and is never longer than it was meant to be.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)


class What(Enum):
    """What can be seen of a pod or a check."""

    ENDED = auto()
    """The worker in the pod has ended for good."""
    FAILED = auto()
    DELETING = auto()
    THERE = auto()
    CHECKED = auto()
    """A store's check has an outcome."""


Fact: TypeAlias = tuple[What, str]
"""With a text that tells it from others of the kind, such as the pod's UID."""
Ages: TypeAlias = Mapping[Fact, float]
"""Seconds since each fact was first seen."""


def age(ages: Ages, what: What, of: str) -> float:
    """Return the seconds since something was first seen, 0.0 if it was not seen before."""
    return ages.get((what, of), 0.0)


@dataclass(slots=True)
class Sightings(Generic[K]):
    """When each fact about a key was first seen; what is not seen any more is forgotten."""

    _first: dict[K, dict[Fact, float]] = field(default_factory=dict)

    def ages(self, key: K, facts: Iterable[Fact], now: float) -> Ages:
        """Take note of all that is seen of a key at a time of the monotonic clock; returns how old each fact is."""
        before = self._first.pop(key, {})
        first = {fact: before.get(fact, now) for fact in facts}
        if first:
            self._first[key] = first
        return {fact: now - since for fact, since in first.items()}

    def forget(self, key: K) -> None:
        """Take note that a key is gone."""
        self._first.pop(key, None)
