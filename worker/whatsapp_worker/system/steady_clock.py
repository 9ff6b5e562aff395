"""Tell the time without jumps, and wait: what the worker decides, it decides by a clock that nobody can set.

The wall clock of a machine can be wrong by days, and somebody may correct it while a session runs. The clock here looks
at it once and counts on with the boot clock. In a pod the API server's time corrects it before the session starts,
because users' requests and the records of other machines are compared with it. Later answers do not move it.
"""

import threading
import time
from collections.abc import Callable

from whatsapp_session import clock_difference
from whatsapp_worker.system import watchdog


class SteadyClock:
    """Seconds since 1970 that pass as the boot clock's do, suspension included."""

    def __init__(self, wall: Callable[[], float] = time.time, boot: Callable[[], float] = watchdog.now) -> None:
        self._boot = boot
        self._machine = wall() - boot()
        self._settled = False
        self.ahead = 0.0
        """Seconds by which this clock is ahead of the machine's at its start."""

    def now(self) -> float:
        """Return the present time."""
        return self.at(self._boot())

    def at(self, boot: float) -> float:
        """Return the time at a moment of the boot clock."""
        return boot + self._machine + self.ahead

    def hear(self, date: str | None) -> None:
        """Take the time from the Date header of an answer, unless `settle` was called or it is no date."""
        if self._settled:
            return
        behind = clock_difference.behind(date, self._boot() + self._machine)
        self.ahead = 0.0 if behind is None or abs(behind) < clock_difference.EXACT else behind

    def settle(self) -> None:
        """Let nothing move the clock any more: the session begins."""
        self._settled = True


def pause(seconds: float) -> None:
    """Let a thread wait.

    Not `time.sleep`: it passes the system a moment of the monotonic clock rather than a number of seconds, and a
    library that fakes the wall clock (libfaketime) then answers EINVAL, which once cost a snapshot.
    """
    threading.Event().wait(seconds)
