"""Say what is being made ready and how long it usually takes.

One line on standard error for a person, and the same as JSON in a file, so that another program
(the demo, which tells its first act meanwhile) can show it in its own way.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """What the process `pid` is doing: `usually` and `took` are seconds, `started` is a Unix time."""

    what: str
    usually: float
    started: float
    pid: int
    took: float | None = None
    failed: bool = False

    def line(self, now: float) -> str:
        """Return the step as one line of text."""
        if self.took is not None:
            return f"{self.what}: {'failed after' if self.failed else 'took'} {duration(self.took)}"
        return f"{self.what}: {duration(now - self.started)} so far, usually {duration(self.usually)}"


def duration(seconds: float) -> str:
    """Return seconds as people say them: "0.4 s", "12 s", "3 min 5 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def read(path: Path) -> Step | None:
    """Return the step that the file tells of; None when there is none, or when its process died in the middle."""
    try:
        found = Step(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    dead = found.took is None and not Path(f"/proc/{found.pid}").exists()
    return None if dead else found


@contextmanager
def step(path: Path, what: str, usually: float) -> Iterator[None]:
    """Announce a step, and how long it took when it ends."""
    started = time.time()
    _publish(path, Step(what, usually, started, os.getpid()))
    print(f"==> {what} (usually {duration(usually)})", file=sys.stderr, flush=True)
    failed = True
    try:
        yield
        failed = False
    finally:
        took = time.time() - started
        done = Step(what, usually, started, os.getpid(), took, failed)
        _publish(path, done)
        print(f"    {done.line(started + took)}", file=sys.stderr, flush=True)


def _publish(path: Path, current: Step) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{current.started}.tmp")
    temporary.write_text(json.dumps(asdict(current)))
    temporary.replace(path)
