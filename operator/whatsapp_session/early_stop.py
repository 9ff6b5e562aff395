"""Let a command be stopped from its first moment: with the exit code of a stop, and without a traceback.

Importing what a command needs takes a second, several on a busy node. Until then Python prints a traceback at SIGINT,
and process 1 of a container ignores a SIGTERM that it has no handler for: a pod that was deleted in that time would run
on until it is killed. So each command listens first and imports afterwards. What Python does before it runs the
command's first line (about 20 ms) cannot be changed from here.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TYPE_CHECKING = False  # as type checkers read it: importing typing takes as long as all else before the first line
if TYPE_CHECKING:
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal has ended a piece of work; it is no error, so that no ``except Exception`` takes it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _exit_code(number)


def listen(exit_code: int | None = None) -> None:
    """End the process at once at a signal, with ``exit_code`` or as a shell counts (128 + the signal's number).

    Not by an exception: where one is raised within a callback or a finalizer, Python prints it and goes on.
    """

    def end(number: int, _: FrameType | None) -> None:
        os._exit(_exit_code(number) if exit_code is None else exit_code)

    for number in SIGNALS:
        signal.signal(number, end)


@contextmanager
def raising() -> Iterator[None]:
    """Raise Stopped at the first signal, for work that has something to tidy up; a second signal does not wait."""

    def stop(number: int, _: FrameType | None) -> None:
        listen()
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(exit_code: int) -> "NoReturn":
    """End the process after Stopped: a thread may wait for ever for what the signal kept from coming."""
    settle()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def settle() -> None:
    """Ignore signals from now on: the work is done, and the process ends with its outcome."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _exit_code(number: int) -> int:
    return 128 + number
