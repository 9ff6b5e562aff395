"""Start the command so that it can be stopped from its first moment.

Process 1 of a container ignores a SIGTERM that it has no handler for, and importing what the command needs takes a
second (several on a busy node). A pod that was deleted in that time would run on until it is killed: with a restarted
container, after its session has another owner. Hence a handler first, the imports after it.
"""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command; returns the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    from whatsapp_worker.cli import run

    return run.main()


def _leave(_: int, __: FrameType | None) -> None:
    # Nothing has begun yet. A worker that was asked to stop has done so; a command on a store has not done its work.
    os._exit(0 if sys.argv[1:2] == ["run"] else 128 + signal.SIGTERM)
