"""Keep the login in a store: restore before the browser starts, save while it runs and when it ends."""

import asyncio
import dataclasses
import pathlib

from whatsapp_session import names, timestamps
from whatsapp_session.conditions import Reason, SaveTrigger
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors, stores
from whatsapp_worker.auth import base, local, locked_profile, offline_start, snapshotter
from whatsapp_worker.browser.protocol import RunningBrowser
from whatsapp_worker.core import events, page_events, requests
from whatsapp_worker.core.state import UNKNOWN, Problem, Restored, Saved
from whatsapp_worker.profile import encryption, layout
from whatsapp_worker.repository import claim, generations, log, records, repository, restore
from whatsapp_worker.stores import registry


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
        keys = encryption.load(pathlib.Path(encryption_key_file)) if encryption_key_file else None
        if keys and not stores.capabilities(self.store).keeps_history:
            raise errors.ConfigurationError(
                "a whatsapp-web.js store cannot keep encrypted archives; use another store or no encryption key"
            )
        self._keeping = repository.Keeping(keep, copies, keys)
        self._locked_profile = locked_profile.LockedProfile(self.profile, self.session)
        self._deferred_claim: offline_start.DeferredClaim | None = None

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
        journal = log.SessionLog(self.store, self.session, context.owner, log.Ids(context.now))
        self._claimer = claim.Claimer(journal, self.store, context.asked)
        target = restore.Target(self.profile, context.browser_version)
        self._repository = repository.Repository(self.store, self._claimer, self._keeping, target)
        self._snapshotter = snapshotter.Snapshotter(self.profile, context.url)

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
            known = await self.retry_until_available(lambda: self._repository.account_hash(below))
            prepared = await self.relink(known, claimed.terms.relink)
        else:
            prepared = await self._place(marker)
        return prepared.after(claimed.terms.handled)

    def _tidy(self) -> None:
        self._locked_profile.lock()
        self._snapshotter.sweep()
        self._repository.tidy()

    def _claim(self) -> tuple[claim.Claimed, layout.Marker | None]:
        """Claim; returns the marker too if the profile that lies here continues the newest generation."""
        earlier = self._locked_profile.last_claim(self.context.owner.pod_uid)
        if earlier and requests.RELINK not in self.context.lease_notes().requests:
            self._claimer.log.expect(*earlier)  # a store that lacks it is unmounted or emptied: no word about the login
        claimed = self._claimer.claim()
        self._repository.sweep()
        self._locked_profile.claimed(claimed.record)
        marker = self._locked_profile.reopened()
        goes_on = marker is not None and claimed.terms.relink is None and self._claimer.was_here(claimed, marker)
        return claimed, marker if goes_on else None

    async def _place(self, marker: layout.Marker | None) -> events.ProfileReady:
        """Use what lies there from before, or the newest whole archive: ours, or another program's if we have none."""
        self._report_foreign(await self.retry_until_available(self._repository.adopt_foreign))
        if marker is None:
            await self.retry_until_available(lambda: self._claimer.refuse_the_wrong_store(self._locked_profile.login()))
            prepared = await self.retry_until_available(lambda: self._restored(self._repository.restore_next()))
        else:
            prepared = await self._continue_from(marker)
        self._report_copy(await self.retry_until_available(lambda: self._repository.follow(edge=True)))
        return prepared

    async def _continue_from(self, marker: layout.Marker) -> events.ProfileReady:
        below = self._claimer.log.head + 1
        await self.retry_until_available(lambda: self._repository.find_latest(below))
        self._repository.continue_from(marker.generation)
        await asyncio.to_thread(self._locked_profile.mark, marker.account_hash, marker.generation)
        restored = Restored(0, self.context.now()) if marker.account_hash else None
        return events.ProfileReady(marker.account_hash, self._repository.saved, restored)

    def _restored(self, placed: restore.Placed) -> events.ProfileReady:
        """Mark the profile that was put in place."""
        problem = Problem(Reason.RESTORE_FAILED, _outcome(placed), self.context.now()) if placed.broken else None
        if placed.candidate is None:
            self._locked_profile.mark("", 0)
            return events.ProfileReady(problem=problem)
        generation = placed.candidate.generation
        known = generation.account_hash or UNKNOWN
        self._locked_profile.mark(known, generation.number)
        restored = Restored(generation.number, self.context.now(), bool(placed.broken) or placed.from_copy)
        return events.ProfileReady(known, self._repository.saved, restored, problem)

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
        if marker.claim:  # a store that comes back without it is another one, and no word about ours
            self._claimer.log.expect(marker.slot, marker.claim)
        self._repository.continue_from(marker.generation)
        self._deferred_claim = offline_start.DeferredClaim(self._resume, self.context.failed)
        self.context.claimed(0.0)
        problem = Problem(Reason.STORE_UNAVAILABLE, offline_start.MESSAGE, self.context.now())
        return events.ProfileReady(marker.account_hash, None, Restored(0, self.context.now()), problem)

    async def _resume(self) -> None:
        claim = await self.retry_until_available(self._claimer.resume)
        self._locked_profile.claimed(claim)
        await self.retry_until_available(lambda: self._repository.find_latest(claim.slot))

    async def restore_previous(self) -> events.ProfileReady:
        """Restore the next older generation, or start empty and say so; after a blind start not before the claim."""
        prepared = await self.retry_until_available(lambda: self._restored(self._repository.restore_older()))
        message = "the restored profile has no login; "
        message += (
            "the worker restores an older generation"
            if prepared.known_hash
            else "no older generation is left; link again"
        )
        problem = Problem(Reason.RESTORE_FAILED, message, self.context.now())
        restored = dataclasses.replace(prepared.restored, fallback=True) if prepared.restored else None
        return dataclasses.replace(prepared, restored=restored, problem=problem)

    async def connected(self, account: page_events.Account, version: str) -> None:
        """Remember whose login the profile holds, and that the restored generation is good."""
        self._repository.prove(account, version)
        await asyncio.to_thread(self._locked_profile.mark, account.hash, self._repository.restored)

    async def save(self, running: RunningBrowser, account: page_events.Account, trigger: str) -> Saved | None:
        """Let the browser write, then snapshot it and publish what changed."""
        async with self._snapshotter.take(running, account, self._repository.digest) as taken:
            saved = await asyncio.to_thread(self._repository.save, taken, account, trigger)
        self._report_copy(await asyncio.to_thread(self._repository.follow))
        return saved

    async def close(self, running: RunningBrowser, account: page_events.Account | None) -> Saved | None:
        """Close the browser, which flushes, and publish what it leaves if it is known to hold the link."""
        if account is None:
            await running.close()
            return None
        async with self._snapshotter.take_last(running, account) as taken:
            saved = await asyncio.to_thread(self._repository.save, taken, account, str(SaveTrigger.SHUTDOWN))
        self._report_copy(await asyncio.to_thread(lambda: self._repository.follow(edge=True)))
        return saved

    def _report_copy(self, foreign: str) -> None:
        self.context.copy_followed(self._repository.copy_late)
        self._report_foreign(foreign)

    def _report_foreign(self, noticed: str) -> None:
        if noticed:
            self.context.report_problem(Reason.FOREIGN_ARCHIVE, noticed)

    async def retire_login(self, account_hash: str) -> None:
        """Put a tombstone into the log: nothing saved before is ever restored again."""
        await self._retire(records.Logout(account_hash))
        await asyncio.to_thread(self._locked_profile.mark, "", 0)

    async def relink(self, account_hash: str, requested: str) -> events.ProfileReady:
        """Do as after a logout, on a profile that is empty from the start."""
        await self._retire(records.Logout(account_hash, requested))
        await asyncio.to_thread(self._repository.restore_nothing)
        await asyncio.to_thread(self._locked_profile.mark, "", 0)
        return events.ProfileReady(handled=((requests.RELINK, requested),))

    async def _retire(self, tombstone: records.Logout) -> None:
        self._repository.forget()
        await self.retry_until_available(lambda: self._repository.retire(tombstone))

    async def still_owner(self) -> bool:
        """Read the slot after ours; after a blind start there is none until the store has answered."""
        # Not True without a claim: that would count as an answer of a store that was not asked.
        return await asyncio.to_thread(lambda: self._claimer.require_claim().still_head())

    async def release(self) -> None:
        """Write the record that lets any owner follow."""
        await asyncio.to_thread(self._claimer.release)

    async def clean_up(self) -> None:
        """Give the profile's folder back."""
        if self._deferred_claim is not None:
            await self._deferred_claim.end()
        self._locked_profile.unlock()


def _outcome(placed: restore.Placed) -> str:
    """Say what cannot be restored, and what the worker does instead."""
    broken = "; ".join(placed.broken)
    if placed.candidate is None:
        return f"no generation can be restored, so link again: {broken}"
    if placed.from_copy:
        return (
            f"the worker restored the wwebjs-compatible copy of generation {placed.candidate.generation.number}, "
            f"because no archive of a generation can be restored: {broken}"
        )
    return broken
