"""Chromium with the simulator's page does what the worker expects of a browser."""

import os
import pathlib
from collections.abc import AsyncIterator

import pytest

from component.conftest import MakeHome
from scenes.worker.browser_contract import BrowserContract, Scene
from whatsapp_session.session_spec import DEFAULT_URL
from whatsapp_worker.browser import chromium, command_line, protocol
from whatsapp_worker.browser.page import contract
from whatsapp_worker.system import processes


def crash(browser: protocol.Browser) -> None:
    assert isinstance(browser, chromium.Chromium)
    assert browser.identity is not None
    processes.kill_tree(browser.identity)


class TestChromium(BrowserContract):
    """The real one."""

    @pytest.fixture
    async def scene(self, make_home: MakeHome, tmp_path: pathlib.Path) -> AsyncIterator[Scene]:
        options = chromium.Options(
            DEFAULT_URL,
            tuple(make_home().simulator.browser_args()),
            environment=command_line.environment(os.environ),
            contract=contract.load(),
        )
        made = Scene(lambda *reports: chromium.Chromium(options, *reports), tmp_path / "profile", crash)
        yield made
        await made.browser.kill()
