"""Start the command so that it can be stopped from its first moment."""

import sys

from whatsapp_session import early_stop


def main() -> int:
    """Run the command; returns the exit code."""
    # Nothing has begun yet. A worker that was asked to stop has done so; a command on a store has not done its work.
    early_stop.listen(0 if sys.argv[1:2] == ["run"] else None)
    from whatsapp_worker.cli import run

    try:
        return run.main()
    except early_stop.Stopped as stop:
        early_stop.leave(stop.exit_code)
