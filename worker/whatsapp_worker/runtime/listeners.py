"""Tell the library's listeners what happens, in order and beside the loop: a slow one must not hold the session up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

Tell = Callable[[str, tuple[object, ...]], Awaitable[None]]
PATIENCE = 5.0
"""Seconds for the last news once the browser has closed; once more for what a listener that is given up held back."""
_GIVING_UP = 1.0


class ListenerQueue:
    """Pass news on, one after the other; ``tell`` raises nothing."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._news: asyncio.Queue[tuple[str, tuple[object, ...]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def post(self, name: str, arguments: tuple[object, ...]) -> None:
        """Let the listeners of an event hear of it, at the first one's turn."""
        self._news.put_nowait((name, arguments))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell_all())

    @property
    def is_asking(self) -> bool:
        """Whether the caller is a listener, for whose end `finish` waits."""
        return self._task is not None and asyncio.current_task() is self._task

    async def finish(self) -> None:
        """Wait until the listeners have handled all events; a listener that hangs is cancelled, then left alone."""
        for _ in range(2):
            if self._task is None:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._news.join()
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_GIVING_UP)
            left = not self._news.empty()
            self._task = asyncio.get_running_loop().create_task(self._tell_all()) if left else None

    async def _tell_all(self) -> None:
        while True:
            news = await self._news.get()
            try:
                await self._tell(*news)
            finally:
                self._news.task_done()
