"""Perform what the machine decides: one loop of events, one browser, one strategy."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import auth, errors
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import actions, changes, events, machine, ownership_deadline, page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.runtime import error_events, executor, listeners
from whatsapp_worker.system import processes, watchdog

LOG = logging.getLogger("whatsapp_worker")
TICK = 0.5
WATCH = 20.0
"""A third of the poll interval that our claims state."""
ASIDE_PATIENCE = 45.0
"""Seconds of the last save's that a login which is given up may take to be set aside, behind a save under way."""
RELEASE_PATIENCE = 15.0
"""Seconds for the release: without it the next owner waits, which is better than a kill at the end of the grace."""
CLOSE_PATIENCE = 90.0
"""Seconds for the last save: with the release, which a silent store holds up, under the pod's grace period of 120 s."""


class Reporter(Protocol):
    """Show the machine's state to an observer; must not block."""

    def show(self, current: State) -> None:
        """Take the newest state."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why the worker ended."""

    code: ExitCode
    reason: Reason | None
    message: str


class SessionRunner:
    """Keep one session alive until something ends it."""

    def __init__(
        self,
        strategy: auth.Auth,
        settings: Settings,
        make_browser: protocol.MakeBrowser,
        tell: listeners.Tell,
        reporters: tuple[Reporter, ...],
    ) -> None:
        self._auth = strategy
        self._settings = settings
        self._reporters = reporters
        self._events: asyncio.Queue[events.Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._aside: set[asyncio.Task[None]] = set()
        """Those that set a login aside, which takes until the store answers."""
        self._placing: set[asyncio.Task[None]] = set()
        """Those that put a profile in place, which takes as long."""
        self._executor = executor.Executor(strategy, make_browser, self.post, lambda: self.state, settings.phone_number)
        self.listeners = listeners.ListenerQueue(tell)
        self.closed = asyncio.Event()
        """Set when the browser has ended and the session is released; listeners may still hear the last news."""
        self.state = State(since=time.time())
        self.ownership = ownership_deadline.OwnershipDeadline()
        self._deadline = 0.0
        self._silent = False
        self.beat = time.monotonic()
        """When the loop last came round: what liveness means."""

    def post(self, event: events.Event) -> None:
        """Let the machine hear of something; callable from the loop's thread."""
        self._events.put_nowait(event)

    async def call_page(self, name: str) -> None:
        """Call a function of the page; one that does not answer is the heartbeat's matter."""
        await self._executor.call_page(name)

    async def run(self) -> Outcome:
        """Keep the session until it ends; returns why."""
        heart = self._executor.heartbeat
        self._placing |= self._spawn(self._executor.prepare())
        self._spawn(self._tick(), heart.run(), heart.measure(), self._watch())
        self._show()
        ending: actions.Shutdown | None = None
        try:
            while ending is None:
                ending = await self._step(await self._events.get())
                self.beat = time.monotonic()
        finally:
            outcome = await self._end(ending)
        return outcome

    async def _step(self, event: events.Event) -> actions.Shutdown | None:
        frozen = self.state.session_state is SessionState.FROZEN
        if isinstance(event, page_events.Attached | page_events.Changed | page_events.Synced) and not frozen:
            self._executor.heartbeat.last_state = event.facts
        before, (self.state, todo) = self.state, machine.step(self._settings, self.state, event, time.time())
        if self.state != before:
            self._show()
            self._note(before)
        for action in todo:
            if isinstance(action, actions.Shutdown):
                return action
            await self._perform(action)
        return None

    def _show(self) -> None:
        for reporter in self._reporters:
            reporter.show(self.state)

    def _note(self, before: State) -> None:
        for change in changes.changes(before, self.state):
            match change:
                case changes.StateChanged(previous, entered):
                    LOG.info("state=%s before=%s", entered, previous)
                case changes.TransitionUnlisted(previous, entered):
                    LOG.error("transition=unlisted state=%s before=%s", entered, previous)
                case changes.ProblemReported(problem) | changes.WarningRaised(problem):
                    LOG.warning("reason=%s message=%s", problem.reason, problem.message)

    async def _perform(self, action: actions.Action) -> None:
        match action:
            case actions.Emit(name, arguments):
                self.listeners.post(name, arguments)
            case actions.Launch():
                self._spawn(self._executor.launch())
            case actions.Recycle(gently):
                self._spawn(self._executor.recycle(gently))
            case actions.Load():
                self._spawn(self._executor.load())
            case actions.RestorePrevious():
                self._placing |= self._spawn(self._executor.restore_previous())
            case actions.Save(trigger):
                self._spawn(self._executor.save(str(trigger), self.state.login.number))
            case actions.RetireLogin(account_hash):
                self._aside |= self._spawn(self._executor.retire_login(account_hash))
            case actions.Relink(account_hash, requested):
                self._aside |= self._spawn(self._executor.relink(account_hash, requested))
            case actions.CheckOwnership():
                self._spawn(self._executor.check_ownership())
            case actions.RefreshQr():
                self._spawn(self._executor.call_page("refreshQr"))
            case actions.TakeOver():
                self._spawn(self._executor.call_page("takeOver"))
            case actions.Unlink():
                self._spawn(self._executor.call_page("logout"))
            case actions.AskPairingCode():
                self._spawn(self._executor.pairing_code())
            case actions.Shutdown():
                raise AssertionError("handled by the loop")
            case _:
                assert_never(action)

    def _spawn(self, *works: Coroutine[Any, Any, None]) -> set[asyncio.Task[None]]:
        begun = {asyncio.get_running_loop().create_task(self._guarded(work)) for work in works}
        self._tasks |= begun
        for task in begun:
            for kind in (self._tasks, self._aside, self._placing):
                task.add_done_callback(kind.discard)
        return begun

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Turn what a task could not cope with into the event that says so."""
        try:
            await work
        except Exception as error:
            self.post(error_events.as_event(error))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._judge_silence()
            self.post(events.Tick())
            if (
                os.getpid() == 1
                and (running := self._executor.browser) is not None
                and not self._executor.changing.locked()
            ):
                processes.reap(running.children)

    def _judge_silence(self) -> None:
        """Tell watchdog and machine until when the browser may run; the watchdog does not wait for this loop."""
        deadline = self.ownership.deadline()
        if deadline is None:
            return
        if deadline != self._deadline:
            self._deadline = deadline
            self._executor.until(deadline)
        silent = watchdog.now() >= deadline
        if silent is not self._silent:
            self._silent = self._executor.heartbeat.paused = silent
            self.post(events.OwnershipExpired() if silent else events.OwnershipRenewed())

    async def _watch(self) -> None:
        while True:
            asked = watchdog.now()
            with contextlib.suppress(errors.StoreError):
                if self.state.session_state is not SessionState.CLAIMING:
                    if not await self._auth.still_owner():
                        raise errors.Superseded("another worker claimed the session")
                    self.ownership.answered(ownership_deadline.LOG, asked)
            await asyncio.sleep(WATCH if self.state.session_state is not SessionState.CLAIMING else TICK)

    async def _end(self, ending: actions.Shutdown | None) -> Outcome:
        """Save if that is wanted and possible, close, release; a second signal does not shorten it."""
        ending = ending or actions.Shutdown(ExitCode.CRASHED, Reason.CRASH_LOOP, "the worker's loop failed", save=False)
        superseded = ending.reason is Reason.SUPERSEDED
        began = time.monotonic()
        self.beat = 0.0  # the loop has ended on purpose; what follows is bounded by its own patience
        try:
            if not superseded:  # whose browser does not wait for an upload of ours: the next owner's does not either
                async with asyncio.timeout(CLOSE_PATIENCE):
                    await self._close(ending)
        except TimeoutError:
            LOG.warning("the last save did not finish in time")
        finally:
            await _cancelled(self._tasks)
            await self._executor.kill()
            if not superseded:
                with contextlib.suppress(errors.StoreError, errors.Superseded, TimeoutError):
                    async with asyncio.timeout(RELEASE_PATIENCE):
                        await self._auth.release()
            await self._auth.clean_up()
            self.closed.set()
        LOG.info("ended code=%d seconds=%.1f", ending.code, time.monotonic() - began)
        self._show()
        await self.listeners.finish()
        return Outcome(ending.code, ending.reason, ending.message)

    async def _close(self, ending: actions.Shutdown) -> None:
        """Let a login that is given up be set aside, then save and close the browser."""
        await _cancelled(self._placing)  # they may wait for a silent store for as long as they like
        if self._aside:
            await asyncio.wait(self._aside, timeout=ASIDE_PATIENCE)
            await _cancelled(self._aside)
        async with self._executor.saving:
            await _cancelled(self._tasks)
            await self._hear_saves()
            if (last := await self._executor.close(save=ending.save)) is not None:
                await self._step(last)

    async def _hear_saves(self) -> None:
        """Take in how the save went that was under way: the loop that would have heard of it has ended."""
        while not self._events.empty():
            if isinstance(event := self._events.get_nowait(), events.SaveDone | events.SaveFailed):
                await self._step(event)


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    ending = tuple(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
