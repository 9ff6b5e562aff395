"""The browser of the unit tests does what the real one does."""

import pathlib

import pytest

from fakes.browser import FakeBrowser, FakeBrowsers
from scenes.worker.browser_contract import BrowserContract, Scene
from scenes.worker.machine_story import S, facts
from whatsapp_worker.browser import protocol


def crash(browser: protocol.Browser) -> None:
    assert isinstance(browser, FakeBrowser)
    browser.crash()


class TestFakeBrowser(BrowserContract):
    """The fake."""

    @pytest.fixture
    async def scene(self, tmp_path: pathlib.Path) -> Scene:
        return Scene(FakeBrowsers(facts(S.UNPAIRED)), tmp_path / "profile", crash)
