"""How a page that does not say what it should is found."""

import asyncio
import contextlib
import pathlib

import pytest

from fakes.browser import Answer, FakeBrowser, FakeBrowsers
from scenes.worker.machine_story import S, facts
from whatsapp_session.conditions import Reason
from whatsapp_worker import errors
from whatsapp_worker.core import events
from whatsapp_worker.runtime import heartbeat

SEEN = facts(S.CONNECTED, synced=True)


async def told(monkeypatch: pytest.MonkeyPatch, times: int, *answers: Answer) -> list[events.Event]:
    """Let the heart ask so many times and return what it has told."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.0)
    posted: list[events.Event] = []
    browser = FakeBrowsers(*answers)(posted.append, lambda: None)
    await browser.launch(pathlib.Path("/nowhere"))
    over = asyncio.Event()

    def running() -> FakeBrowser | None:
        if browser.asked > times:
            over.set()
            return None
        return browser

    beating = heartbeat.Heartbeat(running, posted.append)
    beating.last_state = SEEN
    task = asyncio.create_task(beating.run())
    async with asyncio.timeout(60):
        await over.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return posted


async def test_a_page_without_an_adapter_is_told_after_a_minute_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await told(monkeypatch, 6, None) == [events.AdapterMissing()]
    assert await told(monkeypatch, 9, None, None, None, None, None, SEEN, None, None, None) == []


async def test_a_page_that_is_silent_twice_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = errors.BrowserError("silent")
    (event,) = await told(monkeypatch, 5, SEEN, silence, silence, SEEN)
    assert isinstance(event, events.BrowserGone)
    assert event.reason is Reason.PAGE_DEAD
