"""Perform what the machine decides: one loop of events, one browser, one strategy."""

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import auth, errors
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import actions, changes, events, machine, ownership_deadline, page_events, stopping
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.runtime import browser_life, error_events, executor, listeners, work
from whatsapp_worker.system import processes, watchdog

LOG = logging.getLogger("whatsapp_worker")
CHANGES = logging.getLogger("whatsapp_worker.changes")
"""What observers show as well: a command that shows it to a person does not log it beside that."""
TICK = 0.5
WATCH = 20.0
"""A third of the poll interval that our claims state."""
RETIRING_PATIENCE = 45.0
"""Seconds of the last save's that a login which is given up may take to be set aside, behind a save under way."""
RELEASE_PATIENCE = 15.0
"""Seconds for the release: without it the next owner waits, which is better than a kill at the end of the grace."""
CLOSE_PATIENCE = 90.0
"""Seconds for the last save, less those for which the stop waited for a first sync.

With the release, which a silent store holds up, they stay under the pod's grace period of 120 s.
"""


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
        self._browser = browser_life.BrowserLife(
            make_browser, lambda: strategy.profile, self.post, strategy.before_launch
        )
        self._executor = executor.Executor(
            strategy, self._browser, self.post, lambda: self.state, settings.phone_number
        )
        self.listeners = listeners.ListenerQueue(tell)
        self.closed = asyncio.Event()
        """Set when the browser has ended and the session is released; listeners may still hear the last news."""
        self.state = State()
        self.ownership = ownership_deadline.OwnershipDeadline()
        self._deadline = 0.0
        self._stop_asked = 0.0
        """When a stop began to wait for a first sync, 0 = none did."""
        self._silent = False
        self._refusal = ""
        """Why the log could not be read when it was last tried, "" if it was."""
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
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            self._work = work.Work(group, lambda error: self.post(error_events.as_event(error)))
            try:
                outcome = await self._keep()
            except Exception as error:  # raised behind the group as it is, not in an exception of the group's
                failure = error
        if failure is not None:
            raise failure
        return outcome

    async def _keep(self) -> Outcome:
        heart = self._browser.heartbeat
        self.state = replace(self.state, since=self._auth.context.now())
        self._work.begin(self._executor.prepare(), work.Kind.PLACING)
        for each in (self._tick(), heart.run(), heart.measure(), self._watch()):
            self._work.begin(each)
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
            self._browser.heartbeat.last_state = event.facts
        before, (self.state, todo) = (
            self.state,
            machine.step(self._settings, self.state, event, self._auth.context.now()),
        )
        if self.state.stopping and not before.stopping:
            self._stop_asked = time.monotonic()
            final = events.StopRequested(final=True)
            asyncio.get_running_loop().call_later(stopping.PATIENCE, self.post, final)
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
                    CHANGES.warning("reason=%s message=%s", problem.reason, problem.message)

    async def _perform(self, action: actions.Action) -> None:
        match action:
            case actions.Emit(name, arguments):
                self.listeners.post(name, arguments)
            case actions.Launch():
                self._work.begin(self._browser.launch())
            case actions.Recycle(gently):
                self._work.begin(self._browser.recycle(lambda: self.state.browser.restarts, gently=gently))
            case actions.Load():
                self._work.begin(self._browser.load())
            case actions.RestorePrevious():
                self._work.begin(self._executor.restore_previous(), work.Kind.PLACING)
            case actions.Save(trigger):
                self._work.begin(self._executor.save(str(trigger), self.state.login.number))
            case actions.RetireLogin(account_hash):
                self._work.begin(self._executor.retire_login(account_hash), work.Kind.RETIRING)
            case actions.Relink(account_hash, requested):
                self._work.begin(self._executor.relink(account_hash, requested), work.Kind.RETIRING)
            case actions.CheckOwnership():
                self._work.begin(self._executor.check_ownership())
            case actions.RefreshQr():
                self._work.begin(self._executor.call_page("refreshQr"))
            case actions.TakeOver():
                self._work.begin(self._executor.call_page("takeOver"))
            case actions.Unlink():
                self._work.begin(self._executor.call_page("logout"))
            case actions.AskPairingCode():
                self._work.begin(self._executor.pairing_code())
            case actions.Shutdown():
                raise AssertionError("handled by the loop")
            case _:
                assert_never(action)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._judge_silence()
            self.post(events.Tick())
            if (
                os.getpid() == 1
                and (running := self._browser.running) is not None
                and not self._browser.changing.locked()
            ):
                processes.reap(running.children)

    def _judge_silence(self) -> None:
        """Tell watchdog and machine until when the browser may run; the watchdog does not wait for this loop."""
        deadline = self.ownership.deadline()
        if deadline is None:
            return
        if deadline != self._deadline:
            self._deadline = deadline
            self._browser.until(deadline)
        silent = watchdog.now() >= deadline
        if silent is not self._silent:
            self._silent = self._browser.heartbeat.paused = silent
            self.post(events.OwnershipExpired(self._refusal) if silent else events.OwnershipRenewed())

    async def _watch(self) -> None:
        while True:
            asked = watchdog.now()
            try:
                if self.state.session_state is not SessionState.CLAIMING:
                    if not await self._auth.still_owner():
                        raise errors.Superseded("another worker claimed the session")
                    self.ownership.answered(ownership_deadline.LOG, asked)
                    self._refusal = ""
            except errors.StoreError as error:
                self._refusal = str(error)
            await asyncio.sleep(WATCH if self.state.session_state is not SessionState.CLAIMING else TICK)

    async def _end(self, ending: actions.Shutdown | None) -> Outcome:
        """Save if that is wanted and possible, close, release; a second signal does not shorten it."""
        ending = ending or actions.Shutdown(ExitCode.CRASHED, Reason.CRASH_LOOP, "the worker's loop failed", save=False)
        superseded = ending.reason is Reason.SUPERSEDED
        began = time.monotonic()
        self.beat = 0.0  # the loop has ended on purpose; what follows is bounded by its own patience
        try:
            if not superseded:  # whose browser does not wait for an upload of ours: the next owner's does not either
                waited = began - self._stop_asked if self._stop_asked else 0.0
                async with asyncio.timeout(CLOSE_PATIENCE - waited):
                    await self._close(ending)
        except TimeoutError:
            LOG.warning("the last save did not finish in time")
            if (lost := self._executor.lost("the last save did not finish in time")) is not None:
                await self._step(lost)
        finally:
            await self._work.cancel()
            await self._browser.kill()
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
        await self._work.cancel(work.Kind.PLACING)
        await self._work.wait(work.Kind.RETIRING, RETIRING_PATIENCE)
        await self._work.cancel(work.Kind.RETIRING)
        async with self._executor.lane:
            await self._work.cancel()
            await self._hear_saves()
            if (last := await self._executor.close(save=ending.save)) is not None:
                await self._step(last)
            await self._hear_saves()

    async def _hear_saves(self) -> None:
        """Take in how the save went that was under way: the loop that would have heard of it has ended."""
        while not self._events.empty():
            event = self._events.get_nowait()
            if isinstance(event, events.SaveDone | events.SaveFailed | events.CopyFollowed):
                await self._step(event)
