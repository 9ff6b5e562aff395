"""A strategy without a store, which remembers what was asked of it."""

import asyncio
import pathlib
from dataclasses import replace

from whatsapp_worker import auth
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events
from whatsapp_worker.core.state import Saved
from whatsapp_worker.repository import records


class FakeStrategy(auth.Auth):
    """Say of each save that ``saved`` holds it, changed while the browser runs; None: there is nothing to save."""

    saves = True

    def __init__(self, saved: Saved | None = None) -> None:
        self.context = auth.Context(records.Owner(), "", lambda: "156.0")
        self.saved = saved
        self.closed_for: list[page_events.Account | None] = []
        self.preparing, self.saving, self.uploads = asyncio.Event(), asyncio.Event(), asyncio.Event()
        """Set when a profile is asked for, when a save begins; a save waits for the last one, set unless cleared."""
        self.uploads.set()

    @property
    def profile(self) -> pathlib.Path:
        return pathlib.Path("/nowhere")

    async def before_browser(self) -> events.ProfileReady:
        self.preparing.set()
        self.context.claimed(0.0)
        return events.ProfileReady()

    async def restore_previous(self) -> events.ProfileReady:
        return events.ProfileReady()

    async def save(self, running: RunningBrowser, account: page_events.Account, trigger: str) -> Saved | None:
        self.saving.set()
        await self.uploads.wait()
        return self.saved

    async def close(self, running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        self.closed_for.append(account)
        await running.close()
        return replace(self.saved, changed=False) if self.saved else None
