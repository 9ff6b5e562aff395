"""Save a running browser's profile: ask, mark, snapshot, ask again. The caller publishes."""

import asyncio
import contextlib
import logging
import pathlib
import secrets
import time
from collections.abc import AsyncIterator

from whatsapp_worker import errors
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout, snapshot

LOG = logging.getLogger("whatsapp_worker")
_LINKED = (
    page_events.SocketState.CONNECTED,
    page_events.SocketState.OPENING,
    page_events.SocketState.TIMEOUT,
    page_events.SocketState.CONFLICT,
    page_events.SocketState.PROXYBLOCK,
)
"""In which the page may hold a whole login, with or without its connection."""
_COVERED = frozenset({"indexedDB", "caches", "serviceWorkerRegistrations"})
"""Kinds of storage that an archive holds, or that the page makes anew by itself."""
FLUSH_PATIENCE = 8.0
"""Seconds: the switch makes it about one; without the switch it is up to a minute, and the save is tried again."""


class Storage:
    """Warn, once for each, of kinds of storage that the page uses and no archive holds."""

    def __init__(self) -> None:
        self._warned: frozenset[str] = frozenset()

    async def look(self, running: RunningBrowser) -> None:
        """Ask the page what it uses."""
        kinds = frozenset(await running.call("storage") or ()) - _COVERED - self._warned
        if kinds:
            self._warned |= kinds
            LOG.warning(
                "storage=uncovered kinds=%s: the page keeps data that archives do not contain", ",".join(sorted(kinds))
            )


async def ask(running: RunningBrowser, account: page_events.Account) -> None:
    """Raise SnapshotFailed unless the page says that it is linked as this account.

    A lost connection does not matter: the login is whole, and the last save before a stop must not need the network.
    """
    try:
        facts = await running.facts()
    except errors.BrowserError as error:
        raise errors.SnapshotFailed(f"the page did not say whether it is linked: {error}") from error
    if facts is None or facts.account is None or facts.state not in _LINKED or facts.account.hash != account.hash:
        raise errors.SnapshotFailed("the page does not say that it is linked as this account")


@contextlib.asynccontextmanager
async def sentinel(running: RunningBrowser) -> AsyncIterator[snapshot.Sentinel]:
    """Write a random mark into the page's localStorage for the block."""
    mark = snapshot.Sentinel(layout.SENTINEL + secrets.token_hex(8), secrets.token_hex(16))
    try:
        await running.call("writeSentinel", mark.key, mark.value)
    except errors.BrowserError as error:
        raise errors.SnapshotFailed(f"the page did not accept the mark that proves a flush: {error}") from error
    try:
        yield mark
    finally:
        with contextlib.suppress(errors.BrowserError):  # left-overs go at the next load
            await running.call("removeSentinel", mark.key)


async def close(running: RunningBrowser, root: pathlib.Path) -> tuple[bool, snapshot.Sentinel]:
    """Close the browser once what its page wrote last is on disk.

    Returns whether it closed cleanly, and the mark that the page wrote last. Raises SnapshotFailed, with the browser
    still running, if the page does not take the mark.

    The browser's own flush can overtake what the page wrote last, which comes to the process that stores it by another
    way. The end of the page comes by the same way.
    """
    async with sentinel(running) as mark:
        await running.close_page()
        with contextlib.suppress(errors.SnapshotFailed):  # the close may still write it
            await wait_for(root, mark)
        return await running.close(), mark


async def wait_for(root: pathlib.Path, mark: snapshot.Sentinel) -> None:
    """Wait until the mark is on disk, without holding a thread; raises SnapshotFailed."""
    deadline = time.monotonic() + FLUSH_PATIENCE
    while not await asyncio.to_thread(_holds, root, mark):
        if time.monotonic() > deadline:
            raise errors.SnapshotFailed(f"the browser did not write localStorage to disk within {FLUSH_PATIENCE:.0f} s")
        await asyncio.sleep(0.05)


def _holds(root: pathlib.Path, mark: snapshot.Sentinel) -> bool:
    try:
        return layout.holds_sentinel(root, mark.key, mark.value)
    except (OSError, errors.ArchiveDamaged):
        return False
