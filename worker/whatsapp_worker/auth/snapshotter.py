"""Take snapshots of a profile that its page says is linked: ask, mark, wait, freeze, check, ask again.

Source: the persistence protocol, section 2. What becomes of a snapshot is the caller's matter.
"""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator

from whatsapp_worker import errors
from whatsapp_worker.auth import flush
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout, snapshot


class Snapshotter:
    """Takes the snapshots of one profile; a snapshot goes with the block that it was taken for."""

    def __init__(self, profile: pathlib.Path, url: str) -> None:
        self._profile = profile
        self._staging = snapshot.Staging(profile, layout.origin_folder(url))
        self._storage = flush.Storage()

    def sweep(self) -> None:
        """Remove what killed predecessors left behind; blocks."""
        self._staging.sweep()

    @contextlib.asynccontextmanager
    async def take(
        self, running: RunningBrowser, account: page_events.Account, known: str | None = None
    ) -> AsyncIterator[snapshot.Snapshot | None]:
        """Let the browser write, then yield a checked snapshot, or None if the profile says what ``known`` digests.

        Raises SnapshotFailed if a check fails, or if the page is not linked as this account before and after.
        """
        await flush.ask(running, account)
        await self._storage.look(running)
        async with flush.sentinel(running) as mark:
            await flush.wait_for(self._profile, mark)
            if known is not None and await asyncio.to_thread(self._staging.live_digest) == known:
                yield None
                return
            with contextlib.ExitStack() as stack:
                taken = await asyncio.to_thread(stack.enter_context, self._staging.live(running.frozen, mark))
                await flush.ask(running, account)
                yield taken

    @contextlib.asynccontextmanager
    async def take_last(
        self, running: RunningBrowser, account: page_events.Account
    ) -> AsyncIterator[snapshot.Snapshot]:
        """Close the browser, which flushes, then yield a checked snapshot of what it leaves.

        Raises SnapshotFailed as `take` does, and if the browser had to be killed; it is closed in any case.
        """
        try:
            await flush.ask(running, account)
            clean, mark = await flush.close(running, self._profile)
        except errors.SnapshotFailed:
            await running.close()
            raise
        if not clean:
            raise errors.SnapshotFailed("the worker had to kill the browser, so it did not save its profile")
        with contextlib.ExitStack() as stack:
            yield await asyncio.to_thread(stack.enter_context, self._staging.closed(mark))
