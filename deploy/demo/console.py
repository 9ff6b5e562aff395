"""Print what each step of the demo does and how long it took."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

_T = TypeVar("_T")


class DemoError(Exception):
    """A step failed; the text says what was expected and where to look."""


class BusyError(DemoError):
    """A request was not answered; it may succeed when it is repeated."""


class Console:
    """Print numbered steps with their durations in seconds."""

    def __init__(self, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._number = 0
        self._started = clock()

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a step, then how long it took."""
        self._number += 1
        self.say(f"\n[{self._number}] {what}")
        started = self._clock()
        try:
            yield
        except BaseException:
            self.say(f"    failed after {self._clock() - started:.1f} s")
            raise
        self.say(f"    done in {self._clock() - started:.1f} s")

    def elapsed(self) -> float:
        """Return the seconds since the demo began."""
        return self._clock() - self._started


def wait_for(what: str, probe: Callable[[], _T | None], timeout: float, interval: float = 0.2) -> _T:
    """Return the probe's first answer that is not None.

    A probe that was not answered (BusyError, OSError) is repeated. Raises DemoError, which names ``what``, after
    ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        unanswered: Exception | None = None
        try:
            if (answer := probe()) is not None:
                return answer
        except (BusyError, OSError) as error:
            unanswered = error
        if time.monotonic() > deadline:
            last = "" if unanswered is None else f"; the last answer was: {unanswered}"
            raise DemoError(f"waited {timeout:.0f} s without success for {what}{last}") from unanswered
        time.sleep(interval)
