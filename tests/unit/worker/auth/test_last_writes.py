"""What a page wrote last is on disk after a stop, although the browser's own flush may overtake it."""

import pathlib

import pytest

from fakes.browser import FakeBrowser, FakeBrowsers
from scenes.worker.machine_story import ALICE, S, facts
from whatsapp_worker.auth import LocalAuth
from whatsapp_worker.auth.snapshotter import Snapshotter
from whatsapp_worker.profile import layout

LINKED = facts(S.CONNECTED, ALICE, True)


@pytest.fixture
def browsers() -> FakeBrowsers:
    made = FakeBrowsers(LINKED)
    made.flush_overtakes = True
    return made


async def running(browsers: FakeBrowsers, profile: pathlib.Path) -> FakeBrowser:
    """Return a browser whose page has just written something."""
    browser = browsers(lambda event: None, lambda: None)
    await browser.launch(profile)
    await browser.call("writeSentinel", "last", "words")
    return browser


async def test_with_remoteauth_the_last_snapshot_holds_it(browsers: FakeBrowsers, tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "profile"
    browser = await running(browsers, profile)
    async with Snapshotter(profile, "https://web.whatsapp.com/").take_last(browser, ALICE) as taken:
        assert layout.holds_sentinel(taken.folder, "last", "words")
    assert not browser.runs


async def test_with_localauth_the_profile_holds_it(browsers: FakeBrowsers, tmp_path: pathlib.Path) -> None:
    strategy = LocalAuth("one", tmp_path)
    browser = await running(browsers, strategy.profile)
    assert await strategy.close(browser, ALICE) is None
    assert not browser.runs
    assert layout.holds_sentinel(strategy.profile, "last", "words")


async def test_localauth_closes_a_browser_whose_page_takes_no_mark(
    browsers: FakeBrowsers, tmp_path: pathlib.Path
) -> None:
    strategy = LocalAuth("one", tmp_path)
    browser = await running(browsers, strategy.profile)
    browsers.refuses = frozenset({"writeSentinel"})
    assert await strategy.close(browser, ALICE) is None
    assert not browser.runs
