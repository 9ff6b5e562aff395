"""Run a session's work in one task group: begun in the order of the decisions, ended by its kind."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """What becomes of a piece of work at the end of the session."""

    ORDINARY = auto()
    """It is cancelled, behind a save that is under way."""
    PLACING = auto()
    """It puts a profile in place, which takes until the store answers: it is cancelled at once."""
    RETIRING = auto()
    """It sets a login aside, which takes as long: it is given some time."""


class Work:
    """The pieces of work of one session. One that fails is reported, and ends no other."""

    def __init__(self, group: asyncio.TaskGroup, failed: Callable[[Exception], None]) -> None:
        self._group = group
        self._failed = failed
        self._kinds: dict[asyncio.Task[None], Kind] = {}

    def begin(self, work: Coroutine[Any, Any, None], kind: Kind = Kind.ORDINARY) -> None:
        """Begin a piece of work beside what runs."""

        def ended(task: asyncio.Task[None]) -> None:
            del self._kinds[task]
            work.close()  # one that was cancelled before its first step

        task = self._group.create_task(self._guarded(work))
        self._kinds[task] = kind
        task.add_done_callback(ended)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self._failed(error)

    def runs(self, kind: Kind | None = None) -> bool:
        """Tell whether any work of this kind runs, or any at all."""
        return bool(self._of(kind))

    async def wait(self, kind: Kind, seconds: float) -> None:
        """Wait until no work of this kind runs, but no longer than so many seconds."""
        if tasks := self._of(kind):
            await asyncio.wait(tasks, timeout=seconds)

    async def cancel(self, kind: Kind | None = None) -> None:
        """Cancel the work of a kind, or all of it, and wait until it has ended."""
        tasks = self._of(kind)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _of(self, kind: Kind | None) -> tuple[asyncio.Task[None], ...]:
        return tuple(task for task, its in self._kinds.items() if kind in (None, its))
