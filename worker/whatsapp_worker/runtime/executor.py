"""Carry out what the machine decides about browser, profile and store, and post what came of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import auth, errors
from whatsapp_worker.core import events
from whatsapp_worker.core.state import State
from whatsapp_worker.runtime import browser_life

LOST = (
    "the worker stopped during the first sync of a new link and could not save it; "
    "if the next start shows a code, link again"
)


class Executor:
    """Each method may be run as a task. Work on the profile has one lane: a piece begins when the last has ended."""

    def __init__(
        self,
        strategy: auth.Auth,
        browser: browser_life.BrowserLife,
        post: browser_life.Post,
        current: Callable[[], State],
        phone_number: str,
    ) -> None:
        self._auth = strategy
        self._browser = browser
        self._post = post
        self._current = current
        self._phone_number = phone_number
        self.lane = asyncio.Lock()
        """First come, first served: no save comes between the generations that are tried, or after a tombstone."""

    async def prepare(self) -> None:
        """Let the strategy put a profile in place."""
        async with self.lane:
            self._post(await self._placed(self._auth.before_browser()))

    async def _placed(self, placing: Awaitable[events.ProfileReady]) -> events.Event:
        """Wait for a profile; without one nothing else would ever happen, so that a new process is to try again."""
        try:
            return await placing
        except errors.StoreError as error:
            return events.Fatal(ExitCode.CRASHED, Reason.STORE_UNAVAILABLE, str(error))

    async def restore_previous(self) -> None:
        """End the browser and let the strategy put an older profile in place."""
        async with self.lane:
            await self._browser.end()
            self._post(await self._placed(self._auth.restore_previous()))

    async def save(self, trigger: str, login: int = 0) -> None:
        """Save and post how it went, unless the login for which it was decided has been given up meanwhile."""
        async with self.lane:
            if login != self._current().login.number:
                return
            running, account = self._browser.running, self._current().login.account
            if running is None or account is None:
                self._post(events.SaveFailed(Reason.SNAPSHOT_FAILED, "there is no linked browser to save", login))
                return
            try:
                await self._auth.connected(account, running.version)
                saved = await self._auth.save(running, account, trigger)
            except (errors.StoreError, errors.StoreRefused) as error:  # no store's fault ends a session that runs
                self._post(events.SaveFailed(Reason.STORE_UNAVAILABLE, str(error), login))
            except (errors.SnapshotFailed, errors.BrowserError, OSError) as error:
                self._post(events.SaveFailed(Reason.SNAPSHOT_FAILED, str(error), login))
            else:
                self._post(events.SaveDone(saved, login))

    async def retire_login(self, account_hash: str) -> None:
        """Set the login aside after a logout."""
        async with self.lane:
            await self._auth.retire_login(account_hash)

    async def relink(self, account_hash: str, requested: str) -> None:
        """Retire the login on a user's request, and start again without one."""
        if account_hash:
            await self.call_page("logout")  # so that the phone forgets the device; one that cannot be asked keeps it
        async with self.lane:
            await self._browser.end()
            self._post(await self._auth.relink(account_hash, requested))

    async def check_ownership(self) -> None:
        """Ask the log whose the session is."""
        if await self._auth.still_owner():
            self._post(events.StillOwner())
        else:
            raise errors.Superseded("another worker claimed the session")

    async def call_page(self, name: str) -> None:
        """Call a function of the page; one that does not answer is the heartbeat's matter."""
        with contextlib.suppress(errors.BrowserError):
            if (running := self._browser.running) is not None:
                await running.call(name)

    async def pairing_code(self) -> None:
        """Ask the page for a pairing code, once."""
        if (running := self._browser.running) is None:
            return
        try:
            code = await running.call("pairingCode", self._phone_number, True)
        except errors.BrowserError as error:
            self._post(events.RetryingAfter(Reason.AWAITING_SCAN, f"no pairing code: {error}"))
        else:
            if code:
                self._post(events.CodeShown(str(code)))

    async def close(self, *, save: bool) -> events.SaveDone | events.SaveFailed | None:
        """Close the browser, with a last save if that is wanted; returns how the save went, None without one."""
        running, login = self._browser.running, self._current().login.number
        if running is None:
            if not (save and self._current().login.proven):
                return self.lost("no browser was running")
            message = "no browser was running when the worker ended; the last save remains"
            return events.SaveFailed(Reason.SNAPSHOT_FAILED, message, login)
        # Not `synced`: the login of a page that has just been loaded again is as whole as before, and asked for anyway.
        # A first sync that outlasts the stop's patience: page and disk say before and after whether the link is whole.
        savable = self._current().login.proven or self._current().stopping
        account = self._current().login.account if save and savable else None
        try:
            if account is not None:
                await self._auth.connected(account, running.version)
            saved = await self._auth.close(running, account)
        except (errors.SnapshotFailed, errors.StoreError, errors.StoreRefused, errors.Superseded, OSError) as error:
            return self.lost(str(error)) or events.SaveFailed(Reason.SNAPSHOT_FAILED, str(error), login)
        return self.lost("WhatsApp Web did not name its account") if saved is None else events.SaveDone(saved, login)

    def lost(self, why: str) -> events.SaveFailed | None:
        """Say what a stop loses that has waited for a first sync in vain, None when nothing is lost."""
        current = self._current()
        if not current.stopping or current.saving.saved is not None:
            return None
        return events.SaveFailed(Reason.SNAPSHOT_FAILED, f"{LOST}: {why}", current.login.number)
