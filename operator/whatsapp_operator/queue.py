"""Queue keys so that each is worked on by one worker at a time, with a pause of its own after a failure.

``Schedule`` is the whole logic, sans-IO: time is an argument. ``KeyedQueue`` drives it with asyncio.
"""

import asyncio
import contextlib
import heapq
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from whatsapp_operator.errors import KubeError
from whatsapp_session.backoff import Backoff

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

PAUSES: Final = Backoff(0.2, 300.0)


def pause(failures: int, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row; ``jitter`` in [0, 1) takes away up to a quarter."""
    return PAUSES.after(failures) * (1 - jitter / 4)


@dataclass(slots=True)
class Schedule(Generic[K]):
    """Which key is due when; a key that is being worked on is due again only afterwards."""

    _due: dict[K, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _busy: set[K] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)
    _count: int = 0

    def add(self, key: K, at: float) -> None:
        """Make a key due at a time, or earlier if it was due earlier."""
        if key in self._due and self._due[key] <= at:
            return
        self._due[key] = at
        self._push(key, at)

    def take(self, now: float) -> K | None:
        """Return a key that is due and that nobody works on, and mark it busy."""
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != at or key in self._busy:
                continue  # overtaken by an earlier time, or pushed again when its worker is done
            del self._due[key]
            self._busy.add(key)
            return key
        return None

    def next_time(self) -> float | None:
        """Return when the next free key may be due, None if there is none."""
        return self._heap[0][0] if self._heap else None

    def done(self, key: K, again: float | None) -> None:
        """End the work on a key that went well; ``again`` is when it is due next, None for never."""
        self._failures.pop(key, None)
        self._release(key, again)

    def failed(self, key: K, now: float, jitter: float) -> int:
        """End the work on a key that failed; returns how many times in a row it has."""
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        # What was added meanwhile must not shorten the pause: that would be a hot loop.
        self._due.pop(key, None)
        self._release(key, now + pause(failures, jitter))
        return failures

    def size(self) -> int:
        """Return how many keys wait or are worked on."""
        return len(self._due.keys() | self._busy)

    def _release(self, key: K, again: float | None) -> None:
        self._busy.discard(key)
        times = [at for at in (again, self._due.get(key)) if at is not None]
        if times:
            self._due[key] = min(times)
            self._push(key, self._due[key])

    def _push(self, key: K, at: float) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, key))


Work = Callable[[K], Awaitable[float | None]]


class KeyedQueue(Generic[K]):
    """Run ``work`` for each added key with a fixed number of workers, in the loop that calls ``run``."""

    def __init__(self, work: Work[K], *, workers: int = 8) -> None:
        self._work = work
        self._workers = workers
        self._schedule: Schedule[K] = Schedule()
        self._wake = asyncio.Condition()
        self.last_beat = 0.0
        """The loop's time when a worker last had its turn; what the health check looks at."""

    async def add(self, key: K) -> None:
        """Make a key due now."""
        async with self._wake:
            self._schedule.add(key, asyncio.get_running_loop().time())
            self._wake.notify()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            key = await self._next(loop)
            try:
                after = await self._work(key)
            except Exception as error:
                failures = self._schedule.failed(key, loop.time(), random.random())  # noqa: S311  jitter, no secret
                if isinstance(error, KubeError):
                    log.warning("will try again: key=%s failures=%d error=%s", key, failures, error)
                else:
                    log.exception("will try again after a bug: key=%s failures=%d", key, failures)
            else:
                self._schedule.done(key, None if after is None else loop.time() + after)
            async with self._wake:
                self._wake.notify_all()

    async def _next(self, loop: asyncio.AbstractEventLoop) -> K:
        async with self._wake:
            while True:
                self.last_beat = loop.time()
                key = self._schedule.take(loop.time())
                if key is not None:
                    return key
                at = self._schedule.next_time()
                wait = 5.0 if at is None else min(5.0, max(0.0, at - loop.time()))
                # No wait_for: it makes a task, and kopf takes tasks made after its start for its own.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
