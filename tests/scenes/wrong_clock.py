"""Processes whose wall clock is wrong: libfaketime, which `make test` installs.

Only the Python process that is given the environment sees the wrong time. Monotonic clocks are not faked, and neither
are the times of files: a machine whose clock is wrong shows both as they are. The browser sees the right time, because
the library makes Chromium take all of the processor and a minute to start.
"""

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
_PROCESS: Final = pathlib.Path(__file__).with_name("wrong_clock_process")
_LIBRARIES: Final = "usr/lib/*/faketime/libfaketimeMT.so.1"


def environment(ahead: float) -> Mapping[str, str]:
    """Return what makes a process's clock be ahead by so many seconds; negative ones put it behind."""
    return _library() | {"FAKETIME": f"{ahead:+.0f}"}


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that somebody sets while processes run; they see it at once."""

    file: pathlib.Path

    def set(self, ahead: float) -> None:
        """Put the clock ahead by so many seconds, or behind by negative ones."""
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{ahead:+.0f}\n")
        beside.replace(self.file)

    def ahead(self) -> float:
        """Return by how many seconds the clock is ahead."""
        return float(self.file.read_text())

    def environment(self) -> Mapping[str, str]:
        """Return what makes a process follow this clock."""
        return _library() | {"FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1"}


def _library() -> dict[str, str]:
    found = next(pathlib.Path("/").glob(_LIBRARIES), None)
    assert found is not None, "the Debian package faketime is not installed: run `make clocks`"
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_PROCESS), os.environ.get("PYTHONPATH", "")))),
    }
