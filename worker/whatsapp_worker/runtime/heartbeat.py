"""Ask the page now and then whether it still lives, and tell what its events have not."""

import asyncio
from collections.abc import Callable

from whatsapp_session.conditions import Reason
from whatsapp_worker import errors
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events
from whatsapp_worker.system import processes

INTERVAL = 10.0
"""Seconds between two questions; two without an answer make a page dead: within a minute in all."""
MEASURE = 30.0
_SILENCES = 2
_ABSENCES = 6
"""Answers in a row, without an adapter, after which a page counts as not loaded; a load takes its time to get one."""


class Heartbeat:
    """Watch one page at a time; ``seen`` is what the page said last, None while nothing listens there."""

    def __init__(self, running: Callable[[], RunningBrowser | None], post: Callable[[events.Event], None]) -> None:
        self._running = running
        self._post = post
        self.last_state: page_events.PageState | None = None
        self.paused = False
        """Set while the browser stands still on purpose."""

    async def measure(self) -> None:
        """Look at the memory of this process and all below it, for ever."""
        while True:
            await asyncio.sleep(MEASURE)
            self._post(events.Measured(await asyncio.to_thread(processes.memory, processes.me())))

    async def run(self) -> None:
        """Ask for ever."""
        silent = absent = 0
        while True:
            await asyncio.sleep(INTERVAL)
            asked, seen = self._running(), self.last_state
            if asked is None or seen is None or self.paused:
                silent = absent = 0
                continue
            try:
                facts = await asked.facts()
            except errors.BrowserError:
                silent += 1
                if silent >= _SILENCES and asked is self._running():
                    silent = 0
                    self._post(events.BrowserGone(Reason.PAGE_DEAD, "the page did not answer two checks in a row"))
                continue
            silent, absent = 0, absent + 1 if facts is None else 0
            if absent >= _ABSENCES and asked is self._running():
                absent = 0
                self._post(events.AdapterMissing())
            if facts is not None and (facts.state, facts.synced) != (seen.state, seen.synced):
                self._post(page_events.Changed(facts))  # an event that the page swallowed
