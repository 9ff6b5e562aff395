"""Start Playwright's driver, small, and early: while the store is read, so that the browser need not wait for it."""

import asyncio
import contextlib
import pathlib
from dataclasses import dataclass

from playwright import async_api

from whatsapp_worker import errors
from whatsapp_worker.browser import command_line
from whatsapp_worker.system import own_session

_STOP_PATIENCE = 20.0
FLAGS = ("--lite-mode", "--max-semi-space-size=1")
"""What its Node.js is started with: no optimizing compiler, and a small nursery. 15 MiB less for 0.03 s more CPU.

No limit for the heap: a driver that reaches it ends, and the browser with it.
"""


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver that runs, and its processes."""

    playwright: async_api.Playwright
    pids: frozenset[int]

    async def stop(self) -> None:
        """End it, as far as it still answers."""
        with contextlib.suppress(async_api.Error, OSError):  # a time-out is an OSError
            async with asyncio.timeout(_STOP_PATIENCE):
                await self.playwright.stop()


class EarlyDriver:
    """Start a driver before a browser needs it. It belongs to the first who takes it; later ones get a new one."""

    def __init__(self) -> None:
        self._starting: asyncio.Future[Driver] | None = None
        self._asking: asyncio.Future[str] | None = None

    def begin(self, executable: str | None) -> None:
        """Begin to start one in the background of the running loop, and to ask for the browser's version."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(_started())
            self._asking = asyncio.ensure_future(asyncio.to_thread(command_line.version, executable))

    async def take(self) -> Driver:
        """Return a driver that is the caller's; one whose start was cut off is ended."""
        starting, self._starting = self._starting or asyncio.ensure_future(_started()), None
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _undone(starting)
            raise

    async def end(self) -> None:
        """End the one that nobody has taken."""
        starting, self._starting = self._starting, None
        if starting is not None:
            await _undone(starting)
        if self._asking is not None:
            await self._asking


async def _undone(starting: asyncio.Future[Driver]) -> None:
    # To cancel it would leave its process, and an error that nobody hears.
    with contextlib.suppress(async_api.Error, OSError):
        async with asyncio.timeout(_STOP_PATIENCE):
            await (await starting).stop()


async def _started() -> Driver:
    with own_session.programs_in_their_own_session(FLAGS) as pids:
        playwright = await async_api.async_playwright().start()
    return Driver(playwright, frozenset(pids))


def bundled(browsers: async_api.BrowserType) -> str:
    """Return the path of the browser that Playwright has installed; raises BrowserError without one."""
    # Left to itself the driver takes its headless shell, which is another browser than the image's.
    executable = browsers.executable_path
    if not pathlib.Path(executable).exists():
        raise errors.BrowserError(
            "Chromium is not installed; install the system's package, or run `playwright install chromium`"
        )
    return executable
