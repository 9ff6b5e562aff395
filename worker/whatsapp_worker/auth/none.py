"""Keep nothing: a temporary profile for each start."""

import asyncio
import pathlib
import shutil
import tempfile

from whatsapp_worker.auth import base
from whatsapp_worker.core import events


class NoAuth(base.Auth):
    """Start without a login each time, as the guide's default strategy does."""

    def __init__(self) -> None:
        self._parent: pathlib.Path | None = None

    @property
    def profile(self) -> pathlib.Path:
        """A temporary directory, removed at exit."""
        assert self._parent is not None, "before_browser comes first"
        return self._parent / "profile"

    async def before_browser(self) -> events.ProfileReady:
        """Make an empty profile."""
        self._parent = pathlib.Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="whatsapp-"))
        self.profile.mkdir()
        self.context.claimed(0.0)
        return events.ProfileReady()

    async def restore_previous(self) -> events.ProfileReady:
        """Start empty again."""
        await self.clean_up()
        return await self.before_browser()

    async def clean_up(self) -> None:
        """Remove the profile."""
        if self._parent is not None:
            await asyncio.to_thread(shutil.rmtree, self._parent, True)
