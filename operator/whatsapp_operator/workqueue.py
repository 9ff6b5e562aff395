"""Process keys with a fixed number of workers, each key by one at a time, in the order of ``queue_schedule``."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from whatsapp_kube.errors import Conflict, KubeError, Unreachable
from whatsapp_operator.queue_schedule import OUTAGE_PAUSES, PAUSES, USER, Rest, Schedule, one_group

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

USUAL_CONFLICTS: Final = 5
"""Number of conflicts in a row for one key above which the operator logs a warning."""
Work = Callable[[K], Awaitable[float | Rest | None]]
"""Processes a key; returns the seconds until it is due again, None to wait for an event."""


class KeyedQueue(Generic[K]):
    """Run ``work`` for each added key with a fixed number of workers, in the loop that calls ``run``."""

    def __init__(
        self,
        work: Work[K],
        *,
        workers: int = 16,
        group: Callable[[K], Hashable] = one_group,
        retried: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._retried = retried
        self._schedule: Schedule[K] = Schedule(workers, group)
        self._wake = asyncio.Condition()
        self.last_beat = 0.0
        """Time of the loop at which a worker last ran, for the health check."""

    def depth(self) -> float:
        """Return the number of keys that wait or are being processed."""
        return self._schedule.size()

    def longest_wait(self) -> float:
        """Return the seconds for which the longest waiting key has been due."""
        return self._schedule.longest_wait(asyncio.get_running_loop().time())

    async def add(self, key: K, asked: int | None = None, source: str = USER) -> None:
        """Add an event of a key; ``asked`` is a digest of the source's input."""
        async with self._wake:
            self._schedule.add(key, asyncio.get_running_loop().time(), asked, source)
            self._wake.notify()

    async def wake(self, key: K) -> None:
        """Process a waiting key at once."""
        async with self._wake:
            self._schedule.wake(key, asyncio.get_running_loop().time())
            self._wake.notify()

    async def run(self) -> None:
        """Run the workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._schedule.workers):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = await self._next(loop)
            try:
                again = await self._work(key)
            except Exception as error:
                self._failed(key, error, loop.time())
            else:
                now = loop.time()
                match again:
                    case Rest(seconds):
                        self._schedule.rests(key, now, seconds)
                    case None:
                        self._schedule.done(key, None)
                    case _:
                        self._schedule.done(key, now + again)
            async with self._wake:
                self._wake.notify_all()

    def _failed(self, key: K, error: Exception, now: float) -> None:
        pauses = OUTAGE_PAUSES if isinstance(error, Unreachable) else PAUSES
        asked = error.retry_after if isinstance(error, Unreachable) else 0.0
        self._retried()
        failures = self._schedule.failed(key, now, random.random(), pauses, asked)  # noqa: S311  jitter, no secret
        match error:
            case Conflict() if failures <= USUAL_CONFLICTS:
                # The worker has changed its part of the same status: the observation is outdated, which is usual.
                log.info("will look again, somebody wrote meanwhile: key=%s", key)
            case KubeError():
                log.warning("will try again: key=%s failures=%d error=%s", key, failures, error)
            case _:
                log.error("will try again after a bug: key=%s failures=%d", key, failures, exc_info=error)

    async def _next(self, loop: asyncio.AbstractEventLoop) -> K:
        async with self._wake:
            while True:
                self.last_beat = loop.time()
                key = self._schedule.take(loop.time())
                if key is not None:
                    self._wake.notify()  # another worker may take another key
                    return key
                at = self._schedule.next_time()
                wait = 5.0 if at is None else min(5.0, max(0.0, at - loop.time()))
                # No wait_for: it creates a task, and kopf treats tasks that were created after its start as its own.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
