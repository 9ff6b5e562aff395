"""Carry out what the machine decides about browser, profile and store, and post what came of it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import auth, errors
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import events
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import RETRY
from whatsapp_worker.runtime import heartbeat

LOG = logging.getLogger("whatsapp_worker")
Post = Callable[[events.Event], None]


class Executor:
    """Hold the one browser; each method may be run as a task."""

    def __init__(
        self,
        strategy: auth.Auth,
        make_browser: protocol.MakeBrowser,
        post: Post,
        current: Callable[[], State],
        phone_number: str,
    ) -> None:
        self._auth = strategy
        self._make_browser = make_browser
        self._post = post
        self._current = current
        self._phone_number = phone_number
        self.browser: protocol.Browser | None = None
        self._until: float | None = None
        self.changing = asyncio.Lock()
        """Held while a browser starts or ends."""
        self._endings = 0
        """Decisions to end the browser so far; whoever takes one starts the next, unless a later one was taken."""
        self.saving = asyncio.Lock()
        """Held by a save, and by whatever must not come between its parts."""
        self.heartbeat = heartbeat.Heartbeat(lambda: self.browser, post)

    def until(self, time: float) -> None:
        """Let whatever browser runs now, or is started later, run until this time of the boot clock."""
        self._until = time
        if self.browser is not None:
            self.browser.until(time)

    async def prepare(self) -> None:
        """Let the strategy put a profile in place."""
        self._post(await self._placed(self._auth.before_browser()))

    async def _placed(self, placing: Awaitable[events.ProfileReady]) -> events.Event:
        """Wait for a profile; without one nothing else would ever happen, so that a new process is to try again."""
        try:
            return await placing
        except errors.StoreError as error:
            return events.Fatal(ExitCode.CRASHED, Reason.STORE_UNAVAILABLE, str(error))

    async def launch(self) -> None:
        """Start the browser and load the page."""
        await self._launch_after(self._endings)

    async def _launch_after(self, ending: int) -> None:
        """Start the browser unless it was decided meanwhile to end it: two on one profile would ruin it."""
        async with self.changing:
            if ending != self._endings:
                return
            if self.browser is not None:
                await self.browser.kill()
            running = self.browser = self._make_browser(self._post, self._gone)
            if self._until is not None:
                running.until(self._until)
            try:
                await running.launch(self._auth.profile)
            except errors.BrowserError:
                if ending == self._endings:
                    raise
            if ending != self._endings:
                return  # who has decided so waits for the lock and ends it
            self._post(events.Launched(running.version, running.sandbox))
        await self.load()

    def _gone(self) -> None:
        self._post(events.BrowserGone(Reason.BROWSER_CRASHED, "the browser or its page ended unexpectedly"))

    async def load(self) -> None:
        """Load the page again."""
        running = self.browser
        if running is None:
            return
        try:
            await running.load()
        except errors.BrowserError as error:
            if running is self.browser:
                self._post(events.LoadFailed(str(error)))

    async def drop_browser(self, *, gently: bool = False) -> int:
        """End the browser; ``gently`` lets it write its profile first. Returns the decision's number."""
        self._endings += 1
        ending = self._endings
        async with self.changing:
            running, self.browser, self.heartbeat.last_state = self.browser, None, None
            if running is not None:
                try:
                    await (running.close() if gently else running.kill())
                except asyncio.CancelledError:
                    await running.kill()  # nobody else knows of it any more
                    raise
        return ending

    async def recycle(self, gently: bool) -> None:
        """End the browser and start it again on the same profile."""
        ending = await self.drop_browser(gently=gently)
        if self._current().browser.restarts > 1:
            await asyncio.sleep(RETRY.after(self._current().browser.restarts))
        await self._launch_after(ending)

    async def restore_previous(self) -> None:
        """End the browser and let the strategy put an older profile in place."""
        async with self.saving:  # a save that is under way must not come between the generations that are tried
            await self.drop_browser()
            self._post(await self._placed(self._auth.restore_previous()))

    async def save(self, trigger: str, login: int = 0) -> None:
        """Save and post how it went, unless the login for which it was decided has been given up meanwhile."""
        async with self.saving:
            if login != self._current().login.number:
                return
            running, account = self.browser, self._current().login.account
            if running is None or account is None:
                self._post(events.SaveFailed(Reason.SNAPSHOT_FAILED, "there is no linked browser to save", login))
                return
            try:
                await self._auth.connected(account, running.version)
                saved = await self._auth.save(running, account, trigger)
            except errors.StoreError as error:
                self._post(events.SaveFailed(Reason.STORE_UNAVAILABLE, str(error), login))
            except (errors.SnapshotFailed, errors.BrowserError, OSError) as error:
                self._post(events.SaveFailed(Reason.SNAPSHOT_FAILED, str(error), login))
            else:
                self._post(events.SaveDone(saved, login))

    async def retire_login(self, account_hash: str) -> None:
        """Set the login aside after a logout."""
        async with self.saving:  # a save that is under way must not come after the tombstone
            await self._auth.retire_login(account_hash)

    async def relink(self, account_hash: str, requested: str) -> None:
        """Set the login aside because a person asked, and begin anew."""
        if account_hash:
            await self.call_page("logout")  # so that the phone forgets the device; one that cannot be asked keeps it
        async with self.saving:
            await self.drop_browser()
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
            if self.browser is not None:
                await self.browser.call(name)

    async def pairing_code(self) -> None:
        """Ask the page for a pairing code, once."""
        if self.browser is None:
            return
        try:
            code = await self.browser.call("pairingCode", self._phone_number, True)
        except errors.BrowserError as error:
            self._post(events.RetryingAfter(Reason.AWAITING_SCAN, f"no pairing code: {error}"))
        else:
            if code:
                self._post(events.CodeShown(str(code)))

    async def close(self, *, save: bool) -> events.SaveDone | events.SaveFailed | None:
        """Close the browser, with a last save if that is wanted; returns how the save went, None without one."""
        running, login = self.browser, self._current().login.number
        if running is None:
            if not (save and self._current().login.proven):
                return None
            message = "no browser was running when the worker ended; the last save remains"
            return events.SaveFailed(Reason.SNAPSHOT_FAILED, message, login)
        # Not `synced`: the login of a page that has just been loaded again is as whole as before, and asked for anyway.
        account = self._current().login.account if save and self._current().login.proven else None
        try:
            if account is not None:
                await self._auth.connected(account, running.version)
            saved = await self._auth.close(running, account)
        except (errors.SnapshotFailed, errors.StoreError, errors.Superseded, OSError) as error:
            LOG.warning("reason=%s message=%s", Reason.SNAPSHOT_FAILED, error)
            return events.SaveFailed(Reason.SNAPSHOT_FAILED, str(error), login)
        return None if saved is None else events.SaveDone(saved, login)

    async def kill(self) -> None:
        """End the browser at once."""
        if self.browser is not None:
            await self.browser.kill()
