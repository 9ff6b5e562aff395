"""Keep the numbered event log: what happened, in order, without any credential."""

from __future__ import annotations

import collections
import dataclasses

KEPT = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Hold one thing that happened; `at` in seconds of the server's wall clock."""

    number: int
    at: float
    kind: str
    device: str | None
    details: dict[str, object]

    def as_json(self) -> dict[str, object]:
        """Return the event as JSON values."""
        return dataclasses.asdict(self)


class Journal:
    """Number events from 1 and keep the newest; numbers are never reused, not even after a reset."""

    def __init__(self) -> None:
        self._events: collections.deque[Event] = collections.deque(maxlen=KEPT)
        self._last = 0

    @property
    def last(self) -> int:
        """Return the number of the newest event, 0 when nothing has happened."""
        return self._last

    def add(self, at: float, kind: str, device: str | None = None, **details: object) -> Event:
        """Append an event and return it."""
        self._last += 1
        event = Event(self._last, at, kind, device, details)
        self._events.append(event)
        return event

    def after(self, number: int) -> list[Event]:
        """Return the kept events with a higher number, oldest first."""
        return [event for event in self._events if event.number > number]

    def clear(self) -> None:
        """Forget the events, not the numbering: a reader that waits for 'after N' goes on."""
        self._events.clear()
