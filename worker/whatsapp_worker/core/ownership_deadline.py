"""Know until when a worker may go on: each of its two witnesses, Lease and log, vouches for a while. Pure.

A running owner goes on while one of them answers, because a new owner needs both. Times are the boot clock's, taken
before a request was sent. Source: the persistence protocol, section 4.
"""

from dataclasses import dataclass, field

LEASE, LOG = "lease", "log"


@dataclass(slots=True)
class OwnershipDeadline:
    """How long each witness vouches, in seconds, and when it last did; one that does not exist is not there."""

    validity: dict[str, float] = field(default_factory=dict)
    _answered: dict[str, float] = field(default_factory=dict)

    def answered(self, name: str, asked: float) -> None:
        """Note that a witness said that the session is ours, when asked at this time."""
        self._answered[name] = max(asked, self._answered.get(name, asked))

    def deadline(self) -> float | None:
        """Return when the last of them ceases to vouch, None while there is none to ask."""
        times = [self._answered[name] + validity for name, validity in self.validity.items() if name in self._answered]
        return max(times, default=None)
