"""End the process in time though a call to a store hangs: by itself Python waits for such a thread without bound."""

import asyncio
import concurrent.futures
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from whatsapp_worker.runtime import runner

LOG = logging.getLogger("whatsapp_worker")
PATIENCE = 2.0
"""Seconds for threads that are about to end; nothing of theirs counts any more: the session is released."""


def run(work: Coroutine[Any, Any, runner.Outcome], last_words: Callable[[runner.Outcome], None]) -> runner.Outcome:
    """Run the work and return its outcome; if a thread hangs, say the last words and end the process with its code."""
    return asyncio.run(_run(work, last_words))


async def _run(
    work: Coroutine[Any, Any, runner.Outcome], last_words: Callable[[runner.Outcome], None]
) -> runner.Outcome:
    pool = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="worker")
    asyncio.get_running_loop().set_default_executor(pool)
    outcome = await work
    ending = threading.Thread(target=pool.shutdown, daemon=True)
    ending.start()
    deadline = time.monotonic() + PATIENCE
    while ending.is_alive():
        if time.monotonic() > deadline:
            LOG.warning("left=true: a call to the store has not returned, and is not waited for")
            last_words(outcome)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(outcome.code))
        await asyncio.sleep(0.01)
    return outcome
