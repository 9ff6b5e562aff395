"""Keep the login in a directory that stays: a laptop's disk, or a claim of its own."""

import asyncio
import pathlib
import re
import shutil
import socket
import time
from typing import BinaryIO

from whatsapp_session import names
from whatsapp_worker import browser, errors, happenings, model, processes, profiles, saving
from whatsapp_worker.auth import base
from whatsapp_worker.page import events

_CLIENT_ID = re.compile(names.CLIENT_ID_PATTERN)


def check_client_id(client_id: str) -> str:
    """Return a client id that can name a directory; raises ConfigurationError."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise errors.ConfigurationError("the client id may hold letters, digits, '-' and '_' only")
    return client_id


def clear_locks(root: pathlib.Path) -> None:
    """Remove Singleton* links whose holder is provably dead; raises ConfigurationError if it lives or is elsewhere."""
    holder = profiles.lock_holder(root)
    if holder is None:
        return
    host, pid = holder
    if host == socket.gethostname() and not processes.exists(pid):
        profiles.remove_locks(root)
        return
    raise errors.ConfigurationError(
        f"the profile {root.name} is in use by process {pid} on host {host}; if that host is gone for good, remove "
        f"the links Singleton* in {root}"
    )


class LocalAuth(base.Auth):
    """Keep the profile in ``<data_path>/session[-<client_id>]``; only a logout removes it."""

    saves = True
    interval = 300.0

    def __init__(self, client_id: str = "", data_path: pathlib.Path | str = ".wwebjs_auth") -> None:
        self._root = pathlib.Path(data_path).absolute() / names.local_session(check_client_id(client_id))
        self._previous: model.Saved | None = None
        self._lock: BinaryIO | None = None

    @property
    def profile(self) -> pathlib.Path:
        """The directory that stays."""
        return self._root

    async def before_browser(self) -> happenings.Prepared:
        """Use the profile as it is."""
        marker = await asyncio.to_thread(self._prepare)
        self.context.claimed()
        restored = model.Restored(0, time.time()) if marker and marker.account_hash else None
        return happenings.Prepared(known_hash=marker.account_hash if marker else "", restored=restored)

    def _prepare(self) -> profiles.Marker | None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = profiles.claim_folder(self._root)
        browser.end_orphan(self._root)
        clear_locks(self._root)
        return profiles.read_marker(self._root)

    async def fall_back(self) -> happenings.Prepared:
        """Go on with the profile: it is all there is, and only a logout removes it."""
        await asyncio.to_thread(profiles.write_marker, self._root, self._marker(""))
        return happenings.Prepared()

    def _marker(self, account_hash: str) -> profiles.Marker:
        return profiles.Marker(self._root.name, 0, account_hash, complete=True)

    async def connected(self, account: events.Account, version: str) -> None:
        """Remember whose login the profile holds."""
        await asyncio.to_thread(profiles.write_marker, self._root, self._marker(account.hash))

    async def save(self, running: browser.Browser, account: events.Account, trigger: str) -> base.SaveResult | None:
        """See that what the page has written is on disk; the profile itself is the archive."""
        async with saving.sentinel(running) as mark:
            await saving.wait_for(self._root, mark)
        first = self._previous is None
        self._previous = model.Saved(0, time.time(), 0, "", trigger)
        return base.SaveResult(self._previous, first)

    async def bury(self, account_hash: str) -> None:
        """Forget the account; the page itself wipes the profile, as a logout does."""
        await asyncio.to_thread(profiles.write_marker, self._root, self._marker(""))

    async def clean_up(self) -> None:
        """Give the profile's folder back."""
        if self._lock is not None:
            self._lock.close()

    async def remove(self) -> None:
        """Remove the profile."""
        await asyncio.to_thread(shutil.rmtree, self._root, True)
