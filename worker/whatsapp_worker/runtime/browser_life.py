"""Start and end the one browser of a session: never two on one profile, whoever decides so and however often."""

import asyncio
import pathlib
from collections.abc import Awaitable, Callable

from whatsapp_session.conditions import Reason
from whatsapp_worker import errors
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import events
from whatsapp_worker.core.transitions import RETRY
from whatsapp_worker.runtime import heartbeat

Post = Callable[[events.Event], None]


async def _at_once() -> None:
    """Wait for nothing."""


class BrowserLife:
    """The browser, from one launch to the next; each method may be run as a task."""

    def __init__(
        self,
        make_browser: protocol.MakeBrowser,
        profile: Callable[[], pathlib.Path],
        post: Post,
        until_profile_is_there: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self._make_browser = make_browser
        self._profile = profile
        self._until_profile_is_there = until_profile_is_there
        self._post = post
        self.running: protocol.Browser | None = None
        self.changing = asyncio.Lock()
        """Held while a browser starts or ends."""
        self._endings = 0
        """Decisions to end the browser so far; whoever takes one starts the next, unless a later one was taken."""
        self._until: float | None = None
        self.heartbeat = heartbeat.Heartbeat(lambda: self.running, post)

    def until(self, time: float) -> None:
        """Let whatever browser runs now, or is started later, run until this time of the boot clock."""
        self._until = time
        if self.running is not None:
            self.running.until(time)

    async def launch(self) -> None:
        """Start the browser and load the page."""
        await self._launch_after(self._endings)

    async def _launch_after(self, ending: int) -> None:
        """Start the browser unless it was decided meanwhile to end it: two on one profile would ruin it."""
        await self._until_profile_is_there()
        async with self.changing:
            if ending != self._endings:
                return
            if self.running is not None:
                await self.running.kill()
            browser = self.running = self._make_browser(self._post, self._gone)
            if self._until is not None:
                browser.until(self._until)
            try:
                await browser.launch(self._profile())
            except errors.BrowserError:
                if ending == self._endings:
                    raise
            if ending != self._endings:
                return  # who has decided so waits for the lock and ends it
            self._post(events.Launched(browser.version, browser.sandbox))
        await self.load()

    def _gone(self) -> None:
        self._post(events.BrowserGone(Reason.BROWSER_CRASHED, "the browser or its page ended unexpectedly"))

    async def load(self) -> None:
        """Load the page again."""
        browser = self.running
        if browser is None:
            return
        try:
            await browser.load()
        except errors.BrowserError as error:
            if browser is self.running:
                self._post(events.LoadFailed(str(error)))

    async def end(self, *, gently: bool = False) -> int:
        """End the browser; ``gently`` lets it write its profile first. Returns the decision's number."""
        self._endings += 1
        ending = self._endings
        async with self.changing:
            browser, self.running, self.heartbeat.last_state = self.running, None, None
            if browser is not None:
                try:
                    await (browser.close() if gently else browser.kill())
                except asyncio.CancelledError:
                    await browser.kill()  # nobody else knows of it any more
                    raise
        return ending

    async def recycle(self, restarts: Callable[[], int], *, gently: bool) -> None:
        """End the browser and start it again on the same profile, after a pause if it was restarted before."""
        ending = await self.end(gently=gently)
        if restarts() > 1:
            await asyncio.sleep(RETRY.after(restarts()))
        await self._launch_after(ending)

    async def kill(self) -> None:
        """End the browser at once."""
        if self.running is not None:
            await self.running.kill()
