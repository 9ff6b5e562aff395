"""A snapshot is taken of a linked page only, whole and with what the page wrote last, or not at all."""

import pathlib

import pytest

from fakes.browser import FakeBrowser, FakeBrowsers
from scenes.worker.machine_story import ALICE, BOB, S, facts
from whatsapp_worker import errors
from whatsapp_worker.auth.snapshotter import Snapshotter
from whatsapp_worker.profile import layout

LINKED = facts(S.CONNECTED, ALICE, True)


class Scene:
    """A browser whose page answers as told, and the profile that it writes."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.profile = root / "profile"
        self.browsers = FakeBrowsers(LINKED)
        self.snapshotter = Snapshotter(self.profile, "https://web.whatsapp.com/")

    async def running(self) -> FakeBrowser:
        browser = self.browsers(lambda event: None, lambda: None)
        await browser.launch(self.profile)
        return browser

    def left(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir())


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


async def test_a_snapshot_is_whole_and_goes_with_its_block(scene: Scene) -> None:
    browser = await scene.running()
    async with scene.snapshotter.take(browser, ALICE) as taken:
        assert taken is not None
        layout.check(taken.folder)
        assert taken.checks == ("linked", "sentinel", "databases")
        assert browser.freezes == 1
    assert scene.left() == ["profile"]
    assert browser.calls == ["storage", "writeSentinel", "removeSentinel"]


async def test_a_profile_that_says_what_is_saved_already_is_not_frozen(scene: Scene) -> None:
    browser = await scene.running()
    async with scene.snapshotter.take(browser, ALICE) as taken:
        assert taken is not None
    async with scene.snapshotter.take(browser, ALICE, taken.content_digest) as again:
        assert again is None
    async with scene.snapshotter.take(browser, ALICE, "another") as changed:
        assert changed is not None
    assert browser.freezes == 2


@pytest.mark.parametrize("later", [facts(S.UNPAIRED), facts(S.CONNECTED, BOB), None, errors.BrowserError("silent")])
async def test_a_login_that_went_while_it_was_copied_gives_no_snapshot(
    scene: Scene, later: "errors.BrowserError | None"
) -> None:
    scene.browsers.answers = [LINKED, later]
    browser = await scene.running()
    with pytest.raises(errors.SnapshotFailed):
        async with scene.snapshotter.take(browser, ALICE):
            raise AssertionError("nothing may be published")
    assert browser.freezes == 1
    assert scene.left() == ["profile"]
    assert browser.calls[-1] == "removeSentinel"


async def test_a_page_that_takes_no_mark_gives_no_snapshot(scene: Scene) -> None:
    scene.browsers.refuses = frozenset({"writeSentinel"})
    browser = await scene.running()
    with pytest.raises(errors.SnapshotFailed, match="mark"):
        async with scene.snapshotter.take(browser, ALICE):
            raise AssertionError("nothing may be published")
    assert browser.freezes == 0


async def test_the_last_one_is_taken_of_a_browser_that_has_closed(scene: Scene) -> None:
    browser = await scene.running()
    async with scene.snapshotter.take_last(browser, ALICE) as taken:
        assert not browser.runs
        assert "sentinel" in taken.checks
    assert browser.freezes == 0


async def test_a_browser_is_closed_though_its_page_is_linked_no_more(scene: Scene) -> None:
    browser = await scene.running()
    with pytest.raises(errors.SnapshotFailed):
        async with scene.snapshotter.take_last(browser, BOB):
            raise AssertionError("nothing may be published")
    assert not browser.runs


async def test_a_browser_that_had_to_be_killed_leaves_nothing_to_save(scene: Scene) -> None:
    scene.browsers.closes_cleanly = False
    browser = await scene.running()
    with pytest.raises(errors.SnapshotFailed, match="had to kill"):
        async with scene.snapshotter.take_last(browser, ALICE):
            raise AssertionError("nothing may be published")
    assert not browser.runs
