"""Make ready what act 2 needs while act 1 is told: a process of its own, so that it can be ended with its builders."""

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

COMMAND = (sys.executable, "-m", "deploy.demo.prefetch")
GOODBYE_SECONDS = 10.0


class Preparation:
    """The process, as a context manager: whatever of it still runs at the end of the block is ended."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command

    def __enter__(self) -> "Preparation":
        # A group of its own: who builds for it is ended with it, and an interrupt at the terminal reaches us alone.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        return self

    def wait(self) -> None:
        """Return when all is ready; raises LocalClusterError with the sentence that the process printed."""
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise LocalClusterError(said.strip() or f"the preparation ended with exit code {self._process.returncode}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GOODBYE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # as an exception, so that what is half built is cleaned up


def main() -> int:
    """Make ready what the cache does not hold; a LocalClusterError becomes its one sentence on standard output."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        store = cache.locate()
        for tool in ("kubernetes", "etcd", "helm", "pause"):
            binaries.directory(store, tool)
        images.build(store)
    except LocalClusterError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
