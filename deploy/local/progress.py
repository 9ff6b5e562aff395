"""Report what is being built or started, and how long it usually takes.

Each step is a line on standard error, and JSON in a file, so that another program (the demo, which
runs its first part meanwhile) can show it too.
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
    """Return a duration as text: "0.4 s", "12 s", "3 min 5 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def read(path: Path) -> Step | None:
    """Return the step in the file; None when there is none, or when its process ended in the middle."""
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
