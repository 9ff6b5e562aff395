"""Never two browsers on one profile, whoever decides that one starts or ends, and when."""

import asyncio
import pathlib

import pytest

from fakes.browser import FakeBrowsers
from whatsapp_worker.core import events
from whatsapp_worker.runtime.browser_life import BrowserLife


class Scene:
    """The life of a browser, with what it reports."""

    def __init__(self) -> None:
        self.browsers = FakeBrowsers()
        self.events: list[events.Event] = []
        self.life = BrowserLife(self.browsers, lambda: pathlib.Path("/nowhere"), self.events.append)

    @property
    def launches(self) -> tuple[int, int, int]:
        """How many browsers were made, ran at the same time, and run now."""
        return len(self.browsers.made), self.browsers.most, len(self.browsers.running)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_a_browser_that_is_superseded_while_it_starts_is_ended_before_the_next(scene: Scene) -> None:
    scene.browsers.may_start.clear()
    first = asyncio.create_task(scene.life.recycle(lambda: 0, gently=False))
    await scene.browsers.starting.wait()
    second = asyncio.create_task(scene.life.recycle(lambda: 0, gently=False))
    await asyncio.sleep(0)
    assert scene.launches == (1, 1, 1), "the second has decided, and waits"
    scene.browsers.may_start.set()
    await asyncio.gather(first, second)
    assert scene.launches == (2, 1, 1)
    assert len([event for event in scene.events if isinstance(event, events.Launched)]) == 1


async def test_a_start_on_top_of_a_running_browser_ends_that_one(scene: Scene) -> None:
    await scene.life.launch()
    await scene.life.launch()
    assert scene.launches == (2, 1, 1)


async def test_a_browser_that_is_started_later_has_the_deadline_that_was_set_before(scene: Scene) -> None:
    scene.life.until(60.0)
    await scene.life.launch()
    scene.life.until(120.0)
    await scene.life.recycle(lambda: 0, gently=True)
    assert [browser.deadlines for browser in scene.browsers.made] == [[60.0, 120.0], [120.0]]


async def test_a_browser_that_ends_unasked_is_reported(scene: Scene) -> None:
    await scene.life.launch()
    scene.browsers.made[0].crash()
    assert isinstance(scene.events[-1], events.BrowserGone)
