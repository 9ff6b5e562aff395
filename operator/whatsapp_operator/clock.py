"""Tell the time: by the API server's clock, and how long something takes by the machine's monotonic one.

No decision follows the wall clock of the operator's machine, which can be wrong by days. What is compared with times of
the API (requests, creation times, saves) is compared with the API server's time, which its answers bear. Durations run
on the monotonic clock from when the operator saw their beginning.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from whatsapp_session import clock_difference

log = logging.getLogger("whatsapp_operator")


class Clock(Protocol):
    """The API server's time and a monotonic clock."""

    def now(self) -> datetime:
        """Return the API server's present time in UTC."""

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""


class ServerClock:
    """The API server's time as its answers tell it; until the first one the machine's."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._told = False

    def hear(self, date: str | None) -> None:
        """Take the time from the Date header of an answer that has just come."""
        behind = clock_difference.behind(date, self._monotonic() + self._offset)
        if behind is not None and abs(behind) >= clock_difference.EXACT:
            self._offset += behind
        explanation = clock_difference.explanation(date, self._wall(), "the API server's")
        if explanation is not None and not self._told:
            log.warning("%s; the operator goes by the API server's", explanation)
        self._told = explanation is not None

    def now(self) -> datetime:
        """Return the API server's present time in UTC."""
        return datetime.fromtimestamp(self._monotonic() + self._offset, UTC)

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        return self._monotonic()
