"""How a page that does not say what it should is found."""

import asyncio
import contextlib
from typing import cast

import pytest

from scenes.worker.machine_story import S, facts
from whatsapp_session.conditions import Reason
from whatsapp_worker import errors
from whatsapp_worker.browser import chromium
from whatsapp_worker.core import events, page_events
from whatsapp_worker.runtime import heartbeat

SEEN = facts(S.CONNECTED, synced=True)


class Page:
    """Answer as told, the last answer for ever; ``over`` is set when it was asked so many times."""

    def __init__(self, times: int, *answers: page_events.PageState | Exception | None) -> None:
        self.times, self.answers = times, list(answers)
        self.asked = 0
        self.over = asyncio.Event()

    async def facts(self) -> page_events.PageState | None:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if self.asked > self.times:
            self.over.set()
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def told(page: Page, monkeypatch: pytest.MonkeyPatch) -> list[events.Event]:
    """Let the heart ask and return what it has told."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.0)
    posted: list[events.Event] = []
    beating = heartbeat.Heartbeat(lambda: cast("chromium.Browser", page), posted.append)
    beating.last_state = SEEN
    task = asyncio.create_task(beating.run())
    async with asyncio.timeout(60):
        await page.over.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return posted


async def test_a_page_without_an_adapter_is_told_after_a_minute_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await told(Page(6, None), monkeypatch) == [events.AdapterMissing()]
    assert await told(Page(9, None, None, None, None, None, SEEN, None, None, None), monkeypatch) == []


async def test_a_page_that_is_silent_twice_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = errors.BrowserError("silent")
    (event,) = await told(Page(5, SEEN, silence, silence, SEEN), monkeypatch)
    assert isinstance(event, events.BrowserGone)
    assert event.reason is Reason.PAGE_DEAD
