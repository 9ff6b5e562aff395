"""A browser that dies or hangs while it is made ready."""

import asyncio
import pathlib

import pytest
from playwright import async_api

from whatsapp_worker import errors
from whatsapp_worker.browser import chromium


class Half(chromium.Chromium):
    """A browser that starts, and whose set-up ends as told: with an error, or never."""

    def __init__(self, end: Exception | None) -> None:
        super().__init__(chromium.Options("https://web.whatsapp.com/"), lambda event: None, lambda: None)
        self.end, self.kills = end, 0

    async def _start(self, user_data_dir: pathlib.Path) -> None:
        return

    async def _set_up(self) -> None:
        if self.end is not None:
            raise self.end
        await asyncio.Event().wait()

    async def kill(self) -> None:
        self.kills += 1


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (async_api.Error("Target page, context or browser has been closed\nCall log:"), "or browser has been closed"),
        (OSError(28, "No space left on device"), "No space left"),
        (errors.BrowserError("the browser's process is gone"), "process is gone"),
        (None, "did not answer in time"),
    ],
    ids=["closed", "disk full", "gone", "hangs"],
)
async def test_a_browser_that_ends_late_in_its_launch_is_one_that_did_not_start(
    end: Exception | None, message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chromium, "_SET_UP_PATIENCE", 0.01)
    half = Half(end)
    with pytest.raises(errors.BrowserError, match=message):
        await half.launch(tmp_path)
    assert half.kills == 1
