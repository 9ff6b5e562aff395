"""Perform what the machine decides: one loop of events, one browser, one strategy."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import auth, browser, errors, faults, heart, machine, model, processes, steps
from whatsapp_worker import happenings as on
from whatsapp_worker.page import events

LOG = logging.getLogger("whatsapp_worker")
TICK = 0.5
WATCH = 20.0
"""A third of the poll interval that our claims state."""
LISTENERS_PATIENCE = 5.0
PAIRING_RETRY = 60.0
CLOSE_PATIENCE = 100.0
"""Seconds for the last save: under the pod's grace period of 120 s."""


class Reporter(Protocol):
    """Show the model to somebody; must not block."""

    def show(self, current: model.Model) -> None:
        """Take the newest model."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why the worker ended."""

    code: ExitCode
    reason: Reason | None
    message: str


MakeBrowser = Callable[[Callable[[events.PageEvent], None], Callable[[], None]], browser.Browser]
Tell = Callable[[str, tuple[object, ...]], Awaitable[None]]


class Keeper:
    """Keep one session alive until something ends it."""

    def __init__(
        self,
        strategy: auth.Auth,
        settings: model.Settings,
        make_browser: MakeBrowser,
        tell: Tell,
        reporters: tuple[Reporter, ...],
    ) -> None:
        self._auth = strategy
        self._settings = settings
        self._make_browser = make_browser
        self._tell = tell
        self._reporters = reporters
        self._events: asyncio.Queue[on.Event] = asyncio.Queue()
        self._browser: browser.Browser | None = None
        self._browser_lock = asyncio.Lock()
        self._save_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._heart = heart.Heart(lambda: self._browser, self.post)
        self._told: asyncio.Queue[tuple[str, tuple[object, ...]]] = asyncio.Queue()
        self.model = model.Model(since=time.time())
        self.beat = time.monotonic()
        """When the loop last came round: what liveness means."""

    def post(self, event: on.Event) -> None:
        """Let the machine hear of something; callable from the loop's thread."""
        self._events.put_nowait(event)

    async def run(self) -> Outcome:
        """Keep the session until it ends; returns why."""
        self._spawn(self._prepare(), self._tick(), self._heart.beat(), self._watch(), self._tell_all())
        self._show()
        ending: do.Shutdown | None = None
        try:
            while ending is None:
                ending = await self._step(await self._events.get())
                self.beat = time.monotonic()
        finally:
            outcome = await self._end(ending)
        return outcome

    async def _step(self, event: on.Event) -> do.Shutdown | None:
        if isinstance(event, events.Attached | events.Changed | events.Synced):
            self._heart.seen = event.facts
        before, (self.model, todo) = self.model, machine.step(self._settings, self.model, event, time.time())
        if self.model != before:
            self._show()
            self._note(before)
        for action in todo:
            if isinstance(action, do.Shutdown):
                return action
            await self._perform(action)
        return None

    def _show(self) -> None:
        for reporter in self._reporters:
            reporter.show(self.model)

    def _note(self, before: model.Model) -> None:
        if self.model.state is not before.state:
            LOG.info("state=%s before=%s", self.model.state, before.state)
        if self.model.fault and self.model.fault != before.fault:
            LOG.warning("reason=%s message=%s", self.model.fault.reason, self.model.fault.message)

    async def _perform(self, action: do.Action) -> None:
        match action:
            case do.Emit(name, arguments):
                self._told.put_nowait((name, arguments))
            case do.Launch():
                self._spawn(self._launch())
            case do.Recycle():
                self._spawn(self._recycle())
            case do.Load():
                self._spawn(self._load())
            case do.FallBack():
                self._spawn(self._fall_back())
            case do.Save(trigger):
                self._spawn(self._save(str(trigger)))
            case do.BuryLogin(account_hash):
                self._spawn(self._bury(account_hash))
            case do.Relink(account_hash, requested):
                self._spawn(self._relink(account_hash, requested))
            case do.AskOwner():
                self._spawn(self._ask_owner())
            case do.RefreshQr():
                self._spawn(self.call_page("refreshQr"))
            case do.TakeOver():
                self._spawn(self.call_page("takeOver"))
            case do.Unlink():
                self._spawn(self.call_page("logout"))
            case do.AskPairingCode():
                self._spawn(self._pairing_code())
            case do.Shutdown():
                raise AssertionError("handled by the loop")
            case _:
                assert_never(action)

    def _spawn(self, *works: Coroutine[Any, Any, None]) -> None:
        for work in works:
            task = asyncio.get_running_loop().create_task(self._guarded(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Turn what a task could not cope with into the event that says so."""
        try:
            await work
        except Exception as error:
            self.post(faults.as_happening(error))

    async def _prepare(self) -> None:
        self.post(await self._auth.before_browser())

    async def _launch(self) -> None:
        async with self._browser_lock:
            running = self._browser = self._make_browser(self.post, self._gone)
            await running.launch(self._auth.profile)
            self.post(on.Launched(running.version))
        await self._load()

    def _gone(self) -> None:
        self.post(on.BrowserGone(Reason.BROWSER_CRASHED, "the browser or its page ended unasked"))

    async def _load(self) -> None:
        running = self._browser
        if running is None:
            return
        try:
            await running.load()
        except errors.BrowserError as error:
            if running is self._browser:
                self.post(on.LoadFailed(str(error)))

    async def _drop_browser(self) -> None:
        async with self._browser_lock:
            running, self._browser, self._heart.seen = self._browser, None, None
            if running is not None:
                await running.kill()

    async def _recycle(self) -> None:
        await self._drop_browser()
        if self.model.relaunches > 1:
            await asyncio.sleep(steps.backoff(self.model.relaunches))
        await self._launch()

    async def _fall_back(self) -> None:
        await self._drop_browser()
        self.post(await self._auth.fall_back())

    async def _save(self, trigger: str) -> None:
        async with self._save_lock:
            running, account = self._browser, self.model.account
            if running is None or account is None:
                self.post(on.SaveFailed(Reason.SNAPSHOT_FAILED, "there is no linked browser to save"))
                return
            try:
                await self._auth.connected(account, running.version)
                result = await self._auth.save(running, account, trigger)
            except errors.StoreError as error:
                self.post(on.SaveFailed(Reason.STORE_UNAVAILABLE, str(error)))
            except (errors.SnapshotFailed, errors.BrowserError, OSError) as error:
                self.post(on.SaveFailed(Reason.SNAPSHOT_FAILED, str(error)))
            else:
                if result is not None:
                    self.post(on.SaveDone(result.saved, result.changed))

    async def _bury(self, account_hash: str) -> None:
        async with self._save_lock:  # a save that is under way must not come after the tombstone
            await self._auth.bury(account_hash)

    async def _relink(self, account_hash: str, requested: str) -> None:
        if account_hash:
            await self.call_page("logout")  # so that the phone forgets the device; one that cannot be asked keeps it
        async with self._save_lock:
            await self._drop_browser()
            self.post(await self._auth.relink(account_hash, requested))

    async def _ask_owner(self) -> None:
        if await self._auth.still_owner():
            self.post(on.StillOwner())
        else:
            raise errors.Superseded("another worker has claimed the session")

    async def call_page(self, name: str) -> None:
        """Call a function of the page; one that does not answer is the heartbeat's matter."""
        with contextlib.suppress(errors.BrowserError):
            if self._browser is not None:
                await self._browser.call(name)

    async def _pairing_code(self) -> None:
        while (running := self._browser) is not None:
            try:
                code = await running.call("pairingCode", self._settings.phone_number, True)
            except errors.BrowserError as error:
                self.post(on.Troubled(Reason.AWAITING_SCAN, f"no pairing code: {error}"))
                await asyncio.sleep(PAIRING_RETRY)
                continue
            if code:
                self.post(on.CodeShown(str(code)))
            return

    async def _tell_all(self) -> None:
        # Beside the loop: a listener that takes its time must not hold the session up.
        while True:
            await self._tell(*await self._told.get())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.post(on.Tick())
            if os.getpid() == 1 and (running := self._browser) is not None and not self._browser_lock.locked():
                processes.reap(running.children)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            with contextlib.suppress(errors.StoreError):
                if self.model.state is not SessionState.CLAIMING and not await self._auth.still_owner():
                    raise errors.Superseded("another worker has claimed the session")

    async def _end(self, ending: do.Shutdown | None) -> Outcome:
        """Save if that is wanted and possible, close, release; a second signal does not shorten it."""
        ending = ending or do.Shutdown(ExitCode.CRASHED, Reason.CRASH_LOOP, "the worker's loop failed", save=False)
        superseded = ending.reason is Reason.SUPERSEDED
        self.beat = 0.0  # the loop has ended on purpose; what follows is bounded by its own patience
        try:
            async with asyncio.timeout(CLOSE_PATIENCE), self._save_lock:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await self._close(ending, superseded)
        except TimeoutError:
            LOG.warning("the last save did not end in time")
        finally:
            if self._browser is not None:
                await self._browser.kill()
            if not superseded:
                with contextlib.suppress(errors.StoreError, errors.Superseded):
                    await self._auth.release()
            await self._auth.clean_up()
        self._show()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTENERS_PATIENCE):
                while not self._told.empty():
                    await self._tell(*self._told.get_nowait())
        return Outcome(ending.code, ending.reason, ending.message)

    async def _close(self, ending: do.Shutdown, superseded: bool) -> None:
        running = self._browser
        if running is None:
            return
        if superseded:
            await running.kill()
            return
        account = self.model.account if ending.save and self.model.synced else None
        try:
            if account is not None:
                await self._auth.connected(account, running.version)
            result = await self._auth.close(running, account)
        except (errors.SnapshotFailed, errors.StoreError, errors.Superseded, OSError) as error:
            LOG.warning("reason=%s message=%s", Reason.SNAPSHOT_FAILED, error)
            await self._step(on.SaveFailed(Reason.SNAPSHOT_FAILED, str(error)))
        else:
            if result is not None:
                await self._step(on.SaveDone(result.saved, result.changed))
