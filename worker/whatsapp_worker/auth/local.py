"""Keep the login in a directory that stays: a laptop's disk, or a claim of its own."""

import asyncio
import pathlib
import re
import shutil
import socket
from typing import BinaryIO

from whatsapp_session import names, timestamps
from whatsapp_worker import errors
from whatsapp_worker.auth import base, flush
from whatsapp_worker.browser import orphan
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events, requests
from whatsapp_worker.core.state import Restored, Saved
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import claim, log, records
from whatsapp_worker.stores import filesystem
from whatsapp_worker.system import processes

_CLIENT_ID = re.compile(names.CLIENT_ID_PATTERN)
LOG_FOLDER = ".whatsapp-log"
"""Beside the profile: the folder of the numbered log, which a logout does not remove."""


def check_client_id(client_id: str) -> str:
    """Return a client id that can name a directory; raises ConfigurationError."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise errors.ConfigurationError("the client id may hold letters, digits, '-' and '_' only")
    return client_id


def clear_locks(root: pathlib.Path, gone_host: str = "") -> None:
    """Remove Singleton* links whose holder is provably dead; raises ConfigurationError if it lives or is elsewhere.

    ``gone_host`` is the host of the previous owner of the session, which has ended: the log and our claim say so.
    """
    holder = layout.lock_holder(root)
    if holder is None:
        return
    host, pid = holder
    if host == gone_host or (host == socket.gethostname() and not processes.exists(pid)):
        layout.remove_locks(root)
        return
    raise errors.ConfigurationError(
        f"the profile {root.name} is in use by process {pid} on host {host}; if that host no longer exists, remove "
        f"the links Singleton* in {root}"
    )


class LocalAuth(base.Auth):
    """Keep the profile in ``<data_path>/session[-<client_id>]``; only a logout removes it."""

    saves = True
    keeps_profile = True
    interval = 300.0

    def __init__(self, client_id: str = "", data_path: pathlib.Path | str = ".wwebjs_auth") -> None:
        self._root = pathlib.Path(data_path).absolute() / names.local_session(check_client_id(client_id))
        self._previous: Saved | None = None
        self._lock: BinaryIO | None = None

    @property
    def data_path(self) -> str:
        """The directory that holds the profile."""
        return str(self._root.parent)

    @property
    def profile(self) -> pathlib.Path:
        """The directory that stays."""
        return self._root

    def setup(self, context: base.Context) -> None:
        """Open the log beside the profile as this owner."""
        super().setup(context)
        store = filesystem.FilesystemStore(self._root.parent / LOG_FOLDER)
        self._log = log.SessionLog(store, self._root.name, context.owner, log.Ids(context.now))
        self._claimer = claim.Claimer(self._log, store, context.asked)

    async def before_browser(self) -> events.ProfileReady:
        """Claim the session, wait out a previous owner, use the profile as it is."""
        await asyncio.to_thread(self._tidy)
        claimed = await self.retry_until_available(self._claimer.claim)
        await self.wait_for_previous_owner(claimed.wait)
        self._claimer.waited()
        self.context.claimed(timestamps.seconds(claimed.record.time) or 0.0)
        if claimed.terms.relink is not None:
            prepared = await self.relink(self._known_hash(), claimed.terms.relink)
        else:
            marker = await asyncio.to_thread(self._use, claimed)
            restored = Restored(0, self.context.now()) if marker and marker.account_hash else None
            prepared = events.ProfileReady(known_hash=marker.account_hash if marker else "", restored=restored)
        return prepared.after(claimed.terms.handled)

    def _tidy(self) -> None:
        self._lock = layout.claim_folder(self._root)
        orphan.end(self._root)

    def _use(self, claimed: claim.Claimed) -> layout.Marker | None:
        if not (self._root / "Default").is_dir():
            self._claimer.refuse_the_wrong_store()
        self._root.mkdir(mode=0o700, exist_ok=True)
        before = claimed.previous.owner if claimed.previous else None
        # A pod's successor has its host name and may have its process numbers: there the log is the proof.
        clear_locks(self._root, before.host if before and before.session_uid else "")
        return layout.read_marker(self._root)

    def _known_hash(self) -> str:
        marker = layout.read_marker(self._root)
        return marker.account_hash if marker else ""

    async def before_launch(self) -> None:
        """Wait while the data path is not the claimed one: the browser would make a profile below a mount point."""
        await self.retry_until_available(self._log.require_own_store)

    async def restore_previous(self) -> events.ProfileReady:
        """Go on with the profile: it is all there is, and only a logout removes it."""
        await asyncio.to_thread(self._mark, "")
        return events.ProfileReady()

    def _mark(self, account_hash: str) -> None:
        self._log.require_own_store()
        layout.write_marker(self._root, layout.Marker(self._root.name, self._log.head, account_hash, complete=True))

    async def connected(self, account: page_events.Account, version: str) -> None:
        """Remember whose login the profile holds."""
        await asyncio.to_thread(self._mark, account.hash)

    async def save(self, running: RunningBrowser, account: page_events.Account, trigger: str) -> Saved | None:
        """See that what the page has written is on disk; the profile itself is the archive."""
        async with flush.sentinel(running) as mark:
            await flush.wait_for(self._root, mark)
        self._previous = Saved(0, self.context.now(), 0, "", trigger, changed=self._previous is None)
        return self._previous

    async def close(self, running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        """Close the browser once what its page wrote last is on disk; without a login it just closes."""
        try:
            if account is not None:
                await flush.close(running, self._root)
        except errors.SnapshotFailed:
            pass  # the page takes no mark: what the browser's own flush writes is all that can be had
        await running.close()
        return None

    async def retire_login(self, account_hash: str) -> None:
        """Forget the account; the page itself wipes the profile, as a logout does."""
        self._previous = None
        await self.retry_until_available(lambda: self._log.append(records.Logout(account_hash)))
        await asyncio.to_thread(self._mark, "")

    async def relink(self, account_hash: str, requested: str) -> events.ProfileReady:
        """Remove the profile, as a logout does, and begin with an empty one."""
        self._previous = None
        await self.retry_until_available(lambda: self._log.append(records.Logout(account_hash, requested)))
        await self.retry_until_available(self._empty)
        return events.ProfileReady(handled=((requests.RELINK, requested),))

    def _empty(self) -> None:
        self._log.require_own_store()
        layout.marker_path(self._root).unlink(missing_ok=True)
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700)
        self._mark("")

    async def still_owner(self) -> bool:
        """Read the slot after ours."""
        return await asyncio.to_thread(self._log.still_head)

    async def release(self) -> None:
        """Write the record that lets any owner follow."""
        await asyncio.to_thread(self._claimer.release)

    async def clean_up(self) -> None:
        """Give the profile's folder back."""
        if self._lock is not None:
            self._lock.close()

    async def remove(self) -> None:
        """Remove the profile."""
        await asyncio.to_thread(shutil.rmtree, self._root, True)
