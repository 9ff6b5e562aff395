"""Keep the login in a store: restore before the browser starts, save while it runs and when it ends."""

import asyncio
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Awaitable, Callable

from whatsapp_session import names, timestamps
from whatsapp_session.conditions import Reason, SaveTrigger
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors, stores
from whatsapp_worker.auth import base, flush, latest_generation, local, locked_profile, offline_start
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events, requests
from whatsapp_worker.core.state import UNKNOWN, Problem, Restored, Saved
from whatsapp_worker.profile import encryption, layout, snapshot
from whatsapp_worker.repository import claim, generations, log, records, restore, wwebjs_copy, wwebjs_import
from whatsapp_worker.stores import registry

_Run = Callable[[Callable[[], stores.Copy | None]], Awaitable[stores.Copy | None]]


class RemoteAuth(base.Auth):
    """Keep generations of the profile in a store, on the session's numbered log.

    ``store`` is a Store or an address such as ``file:DIRECTORY``; ``backup_sync_interval`` is in seconds, at least 60.
    ``copies`` says how often the copy for the JavaScript stores follows; with a key file archives are encrypted, and
    there is no such copy.
    """

    saves = True
    is_witness = True

    def __init__(
        self,
        store: stores.Backend | str,
        client_id: str = "",
        data_path: pathlib.Path | str = ".wwebjs_auth",
        backup_sync_interval: float = 300.0,
        keep: int = generations.RETENTION,
        *,
        copies: Interop = Interop.EVERY_SAVE,
        encryption_key_file: pathlib.Path | str | None = None,
    ) -> None:
        if backup_sync_interval < 60:
            raise errors.ConfigurationError("the backup sync interval must be at least 60 seconds")
        self.interval = backup_sync_interval
        self.store = registry.open_store(store) if isinstance(store, str) else store
        self.session = names.store_session(local.check_client_id(client_id))
        self._data_path = pathlib.Path(data_path).absolute()
        self._keep = keep
        self._copies = copies
        self._keys = encryption.load(pathlib.Path(encryption_key_file)) if encryption_key_file else None
        if self._keys and not stores.capabilities(self.store).keeps_history:
            raise errors.ConfigurationError(
                "a whatsapp-web.js store cannot keep encrypted archives; use another store or no encryption key"
            )
        self._deferred_claim: offline_start.DeferredClaim | None = None
        self._locked_profile = locked_profile.LockedProfile(self.profile, self.session)
        self._storage = flush.Storage()

    @property
    def data_path(self) -> str:
        """The directory that holds the profile."""
        return str(self._data_path)

    @property
    def profile(self) -> pathlib.Path:
        """``<data_path>/RemoteAuth[-<client_id>]``."""
        return self._data_path / self.session

    def setup(self, context: base.Context) -> None:
        """Open the log as this owner."""
        super().setup(context)
        self._log = log.SessionLog(self.store, self.session, context.owner)
        self._claimer = claim.Claimer(self._log, self.store, context.asked)
        self._generations = generations.Generations(self.store, self._log, self._keep, self._keys)
        self._latest = latest_generation.LatestGeneration(self._generations)
        self._copy = wwebjs_copy.WwebjsCopy(self.store, self._log, self._copies)
        self._importer = wwebjs_import.ForeignArchiveImporter(self._copy, self._generations, self._log)
        self._restorer = restore.Restorer(self._generations, self.profile, context.browser_version)
        self._snapshotter = snapshot.Snapshotter(self.profile, layout.origin_folder(context.url))

    async def before_browser(self) -> events.ProfileReady:
        """Claim the session, wait out a previous owner, put the newest whole profile in place."""
        await asyncio.to_thread(self._tidy)
        if self.context.blind:
            return await self._start_offline()
        claimed, marker = await self.retry_until_available(self._claim)
        await self.wait_for_previous_owner(claimed.wait)
        self._claimer.waited()
        self.context.claimed(timestamps.parse(claimed.record.time).timestamp())
        if claimed.terms.relink is not None:
            below = claimed.record.slot
            prepared = await self.relink(
                await self.retry_until_available(lambda: self._known_hash(below)), claimed.terms.relink
            )
        else:
            prepared = await self._place(marker)
        return prepared.after(claimed.terms.handled)

    async def may_start_blind(self, owner: records.Owner) -> bool:
        """Look at the marker, then ask the store once."""
        journal = log.SessionLog(self.store, self.session, owner)
        return await asyncio.to_thread(offline_start.is_alone, self.profile, journal, owner)

    async def _start_offline(self) -> events.ProfileReady:
        marker = await asyncio.to_thread(self._locked_profile.reopened)
        if marker is None:
            raise errors.ArchiveDamaged(
                "the pod's own profile is incomplete, and neither the store nor the API answers"
            )
        self._locked_profile.continue_from(marker)
        self._restorer.begin()
        self._latest.restored = marker.generation
        self._deferred_claim = offline_start.DeferredClaim(self._resume, self.context.failed)
        self.context.claimed(0.0)
        problem = Problem(Reason.STORE_UNAVAILABLE, offline_start.MESSAGE, time.time())
        return events.ProfileReady(marker.account_hash, None, Restored(0, time.time()), problem)

    async def _resume(self) -> None:
        claim = await self.retry_until_available(self._claimer.resume)
        self._locked_profile.claimed(claim)
        self._latest.found = await self.retry_until_available(lambda: self._generations.next_candidate(claim.slot))

    async def _place(self, marker: layout.Marker | None) -> events.ProfileReady:
        """Use what lies there from before, or the newest whole archive: ours, or another program's if we have none."""
        if noticed := await self.retry_until_available(lambda: self._importer.look(self._data_path)):
            self.context.report_problem(Reason.FOREIGN_ARCHIVE, noticed)
        slot = self._log.head + 1
        self._restorer.begin(slot)
        if marker is None:
            await self.retry_until_available(lambda: self._claimer.refuse_the_wrong_store(self._locked_profile.login()))
            prepared = await self.retry_until_available(self._restore)
        else:
            self._latest.found = await self.retry_until_available(lambda: self._generations.next_candidate(slot))
            self._latest.restored = marker.generation  # of which this profile is a continuation
            await asyncio.to_thread(self._locked_profile.mark, marker.account_hash, marker.generation)
            restored = Restored(0, time.time()) if marker.account_hash else None
            prepared = events.ProfileReady(marker.account_hash, self._latest.saved(), restored)
        await self._follow(self.retry_until_available, edge=True)
        return prepared

    async def restore_previous(self) -> events.ProfileReady:
        """Restore the next older generation, or start empty and say so; after a blind start not before the claim."""
        prepared = await self.retry_until_available(self._restore_older)
        message = "the restored profile has no login; "
        message += (
            "the worker restores an older generation"
            if prepared.known_hash
            else "no older generation is left; link again"
        )
        problem = Problem(Reason.RESTORE_FAILED, message, time.time())
        restored = dataclasses.replace(prepared.restored, fallback=True) if prepared.restored else None
        return dataclasses.replace(prepared, restored=restored, problem=problem)

    def _tidy(self) -> None:
        self._locked_profile.lock()
        self._snapshotter.sweep()
        self._restorer.tidy()
        wwebjs_import.tidy(self._data_path, self.session)

    def _claim(self) -> tuple[claim.Claimed, layout.Marker | None]:
        claimed = self._claimer.claim()
        self._generations.sweep()
        self._locked_profile.claimed(claimed.record)
        marker = self._locked_profile.reopened()
        goes_on = marker is not None and claimed.terms.relink is None and self._claimer.was_here(claimed, marker)
        return claimed, marker if goes_on else None

    def _known_hash(self, below: int) -> str:
        newest = self._generations.next_candidate(below)
        return newest.generation.account_hash if newest else ""

    def _restore(self) -> events.ProfileReady:
        placed = self._restorer.place_next()
        problem = Problem(Reason.RESTORE_FAILED, "; ".join(placed.broken), time.time()) if placed.broken else None
        self._latest.place(placed.candidate)
        if placed.candidate is None:
            self._locked_profile.mark("", 0)
            return events.ProfileReady(problem=problem)
        generation = placed.candidate.generation
        known = generation.account_hash or UNKNOWN
        self._locked_profile.mark(known, generation.number)
        restored = Restored(generation.number, time.time(), bool(placed.broken))
        return events.ProfileReady(known, self._latest.saved(), restored, problem)

    def _restore_older(self) -> events.ProfileReady:
        self._claimer.require_claim()
        return self._restore()

    async def connected(self, account: page_events.Account, version: str) -> None:
        """Remember whose login the profile holds, and that the restored generation is good."""
        self._latest.prove(account, version)
        self._restorer.begin()  # what has been saved since can be fallen back to as well
        await asyncio.to_thread(self._locked_profile.mark, account.hash, self._latest.restored)

    async def save(self, running: RunningBrowser, account: page_events.Account, trigger: str) -> Saved | None:
        """Let the browser write, then snapshot it and publish what changed."""
        await flush.ask(running, account)
        await self._storage.look(running)
        async with flush.sentinel(running) as mark:
            await flush.wait_for(self.profile, mark)
            if self._latest.found and self._latest.holds(await asyncio.to_thread(self._snapshotter.live_digest)):
                result = self._latest.unchanged()
            else:
                result = await self._snapshot(running, account, trigger, mark)
        await self._follow()
        return result

    async def _snapshot(
        self, running: RunningBrowser, account: page_events.Account, trigger: str, mark: snapshot.Sentinel
    ) -> Saved:
        with contextlib.ExitStack() as stack:
            staged = await asyncio.to_thread(stack.enter_context, self._snapshotter.live(running.frozen, mark))
            await flush.ask(running, account)
            return await asyncio.to_thread(self._publish, staged, account, trigger)

    async def _follow(self, run: _Run = asyncio.to_thread, *, edge: bool = False) -> None:
        """Bring the copy for the JavaScript stores up, and say if something stands in its way."""
        if self._latest.found is None:
            return
        made = self._latest.found.generation
        foreign = await run(lambda: self._copy.follow(made, edge=edge))
        if foreign is not None:
            self.context.report_problem(Reason.FOREIGN_ARCHIVE, wwebjs_import.describe(self.session, foreign))

    async def close(self, running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        """Close the browser, which flushes, and publish what it leaves if it is known to hold the link."""
        if account is None:
            await running.close()
            return None
        try:
            await flush.ask(running, account)
            async with flush.sentinel(running) as mark:
                clean = await running.close()
        except errors.SnapshotFailed:
            await running.close()
            raise
        if not clean:
            raise errors.SnapshotFailed("the worker had to kill the browser, so it did not save its profile")
        with contextlib.ExitStack() as stack:
            staged = await asyncio.to_thread(stack.enter_context, self._snapshotter.closed(mark))
            result = await asyncio.to_thread(self._publish, staged, account, str(SaveTrigger.SHUTDOWN))
        await self._follow(edge=True)
        return result

    def _publish(self, staged: snapshot.Snapshot, account: page_events.Account, trigger: str) -> Saved:
        self._claimer.require_claim()
        result = self._latest.publish(staged, account, trigger)
        self._restorer.begin()
        return result

    async def retire_login(self, account_hash: str) -> None:
        """Put a tombstone into the log: nothing saved before is ever restored again."""
        await self._retire(records.Logout(account_hash))
        await asyncio.to_thread(self._locked_profile.mark, "", 0)

    async def _retire(self, tombstone: records.Logout) -> None:
        self._latest.forget()
        await self.retry_until_available(lambda: self._claimer.require_claim().append(tombstone))
        with contextlib.suppress(errors.StoreError):  # a dead login that is left there costs its reader a QR code
            await asyncio.to_thread(self._copy.drop)

    async def relink(self, account_hash: str, requested: str) -> events.ProfileReady:
        """Do as after a logout, on a profile that is empty from the start."""
        await self._retire(records.Logout(account_hash, requested))
        await asyncio.to_thread(self._restorer.place_nothing)
        await asyncio.to_thread(self._locked_profile.mark, "", 0)
        return events.ProfileReady(handled=((requests.RELINK, requested),))

    async def still_owner(self) -> bool:
        """Read the slot after ours; after a blind start there is none until the store has answered."""
        # Not True without a claim: that would count as an answer of a store that was not asked.
        return await asyncio.to_thread(lambda: self._claimer.require_claim().still_head())

    async def clean_up(self) -> None:
        """Give the profile's folder back."""
        if self._deferred_claim is not None:
            await self._deferred_claim.end()
        self._locked_profile.unlock()

    async def release(self) -> None:
        """Write the record that lets any owner follow."""
        await asyncio.to_thread(self._claimer.release)
