"""Fetch and build what part 2 needs while part 1 runs: a separate process, so that it and its builders can be ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType

from deploy.local import cache
from deploy.local.build import binaries, images
from deploy.local.errors import LocalClusterError
from deploy.local.provider import DEFAULT_NAME
from deploy.local.provider_choice import choose

COMMAND = (sys.executable, "-m", "deploy.demo.prefetch")
GRACE_SECONDS = 10.0


class Prefetch:
    """The process, as a context manager: at the end of the block it is ended with its children."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command

    def __enter__(self) -> "Prefetch":
        # Its own group: builders are ended with it, and an interrupt at the terminal reaches the demo only.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def wait(self) -> None:
        """Return when all is ready; raises LocalClusterError with the message that the process printed."""
        printed, _ = self._process.communicate()
        if self._process.returncode:
            raise LocalClusterError(
                printed.strip() or f"the preparation failed with exit code {self._process.returncode}"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # as an exception, so that incomplete builds are cleaned up


def main() -> int:
    """Fetch and build what the cache does not hold; print a LocalClusterError on standard output."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        store = cache.locate()
        for tool in ("kubernetes", "helm"):
            binaries.directory(store, tool)
        choose(store, DEFAULT_NAME).prepare()
        images.build(store)
    except LocalClusterError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
