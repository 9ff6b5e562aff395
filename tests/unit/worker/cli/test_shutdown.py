"""The process ends in time, with its code and its words, though a call to a store never returns."""

import subprocess
import sys

from whatsapp_worker.cli import shutdown

HANGS = """
import asyncio, sys, time
from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker.runtime import runner
from whatsapp_worker.cli import shutdown

async def work():
    asyncio.get_running_loop().run_in_executor(None, time.sleep, float(sys.argv[1]))
    return runner.Outcome(ExitCode.STORE_REFUSED, Reason.STORE_UNFENCED, "a sentence")

shutdown.PATIENCE = float(sys.argv[2])
outcome = shutdown.run(work(), lambda outcome: print("last words:", outcome.message))
print("returned:", outcome.message)
"""


def ended(seconds: float, patience: float) -> tuple[int, str]:
    """Run work that leaves a thread for so long; the limit is far below what Python would wait by itself."""
    command = [sys.executable, "-c", HANGS, str(seconds), str(patience)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.strip()


def test_a_thread_that_hangs_is_not_waited_for() -> None:
    assert ended(3600, shutdown.PATIENCE) == (3, "last words: a sentence")


def test_one_that_is_about_to_end_is() -> None:
    # With more patience than a busy machine takes to run the thread on.
    assert ended(0.05, 60) == (0, "returned: a sentence")
