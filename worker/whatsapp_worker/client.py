"""Offer the library: a client that keeps one WhatsApp Web session, with the guide's strategies and events."""

import asyncio
import inspect
import logging
import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar, overload

from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import client_options
from whatsapp_worker.auth import Auth, Context, NoAuth
from whatsapp_worker.browser import command_line, driver
from whatsapp_worker.client_options import Options
from whatsapp_worker.core import events, operator_notes, ownership_deadline, requests
from whatsapp_worker.core.state import State
from whatsapp_worker.repository import fencing, records
from whatsapp_worker.runtime import error_events, runner
from whatsapp_worker.system import processes, steady_clock, watchdog

LOG = logging.getLogger("whatsapp_worker")
EVENTS = (
    "qr",
    "code",
    "authenticated",
    "auth_failure",
    "ready",
    "remote_session_saved",
    "disconnected",
    "change_state",
    "loading_screen",
)
_Listener = TypeVar("_Listener", bound=Callable[..., Any])


def local_owner(data_path: str) -> records.Owner:
    """Return who we are without Kubernetes: host, boot, process, data path."""
    mine = processes.me()
    return records.Owner(
        host=socket.gethostname(),
        boot_id=processes.boot_id(),
        pid=mine.pid,
        start_time=mine.start_time,
        data_path=data_path,
    )


class Client:
    """Keep one session: ``client.on("qr", show)``, then ``await client.run()``.

    Events: qr(code), code(code), authenticated(), auth_failure(message), ready(), remote_session_saved(),
    disconnected(reason), change_state(state), loading_screen(percent, message). Listeners may be coroutines.
    """

    def __init__(
        self,
        auth: Auth | None = None,
        options: Options | None = None,
        *,
        owner: records.Owner | None = None,
        reporters: tuple[runner.Reporter, ...] = (),
        lease_notes: Callable[[], operator_notes.Notes] = operator_notes.Notes,
    ) -> None:
        self.options = options or Options()
        self._auth = auth or NoAuth()
        self._listeners: dict[str, list[Callable[..., Any]]] = {name: [] for name in EVENTS}
        self._owner = owner
        self._reporters = reporters
        self._lease_notes = lease_notes
        self.clock = steady_clock.SteadyClock()
        """Tells the time; in a pod it hears the API server's."""
        self._runner: runner.SessionRunner | None = None
        self._done: asyncio.Task[runner.Outcome] | None = None

    @overload
    def on(self, name: str, listener: _Listener) -> _Listener: ...

    @overload
    def on(self, name: str) -> Callable[[_Listener], _Listener]: ...

    def on(self, name: str, listener: _Listener | None = None) -> _Listener | Callable[[_Listener], _Listener]:
        """Call ``listener`` at each event ``name`` and return it; without one, decorate: ``@client.on("qr")``.

        Raises ValueError for a name that does not exist.
        """
        if name not in self._listeners:
            raise ValueError(f"there is no event {name!r}; the events are {', '.join(EVENTS)}")

        def add(given: _Listener) -> _Listener:
            self._listeners[name].append(given)
            return given

        return add if listener is None else add(listener)

    @property
    def state(self) -> SessionState:
        """What the session is doing."""
        return self._runner.state.session_state if self._runner else SessionState.CLAIMING

    @property
    def current(self) -> State:
        """Everything the session knows of itself."""
        return self._runner.state if self._runner else State()

    @property
    def beat(self) -> float:
        """Monotonic time at which the loop last came round, 0 before it runs."""
        return self._runner.beat if self._runner else 0.0

    async def run(self) -> runner.Outcome:
        """Keep the session until something ends it; returns why. Cancelling it stops cleanly."""
        self.start()
        assert self._done is not None
        try:
            return await asyncio.shield(self._done)
        except asyncio.CancelledError:
            await self.destroy()
            raise

    async def may_start_blind(self) -> bool:
        """Tell whether the profile of an earlier life of this pod may go on though the store does not answer."""
        return self._owner is not None and await self._auth.may_start_blind(self._owner)

    def start(self, *, blind: bool = False) -> None:
        """Begin in the background of the running loop, once; the guide calls it initialize()."""
        if self._done is not None:
            return
        options, here = self.options, command_line.environment(os.environ)
        early = driver.EarlyDriver()
        self._runner = runner.SessionRunner(
            self._auth,
            client_options.machine_settings(self._auth, options, os.environ),
            client_options.make_browser(options, here, early),
            self._tell,
            self._reporters,
        )
        self._runner.ownership.validity = self._validity()
        if blind:
            self.lease_renewed(watchdog.now())
        self._auth.setup(self._context(self._runner, here, blind))
        self._done = asyncio.get_running_loop().create_task(self._kept(self._runner, early, here))

    initialize = start

    async def _kept(
        self, kept: runner.SessionRunner, early: driver.EarlyDriver, here: command_line.Environment
    ) -> runner.Outcome:
        """Run the session; what its first browser needs is made ready while the store is read."""
        early.begin(here.executable)
        try:
            return await kept.run()
        finally:
            await early.end()

    def _validity(self) -> dict[str, float]:
        """Return how long each witness vouches for us; a new owner of the Lease waits for both times."""
        poll = float(fencing.POLL_SECONDS)
        log = {ownership_deadline.LOG: poll} if self._auth.is_witness else {}
        lease = self.options.lease_duration
        return log | ({ownership_deadline.LEASE: max(poll, lease)} if lease else {})

    def lease_renewed(self, asked: float) -> None:
        """Hear that the Lease was ours when it was asked for at this time of the boot clock."""
        if self._runner is not None:
            self._runner.ownership.answered(ownership_deadline.LEASE, asked)

    def _context(self, kept: runner.SessionRunner, here: command_line.Environment, blind: bool) -> Context:
        return Context(
            owner=self._owner or local_owner(self._auth.data_path),
            url=self.options.url,
            browser_version=lambda: command_line.version(here.executable),
            take_over=self.options.take_over,
            relink=self.options.relink,
            blind=blind,
            failed=lambda error: kept.post(error_events.as_event(error)),
            lease_notes=self._lease_notes,
            report_problem=lambda reason, message: kept.post(events.RetryingAfter(reason, message)),
            copy_followed=lambda late: kept.post(events.CopyFollowed(late)),
            claimed=lambda time: kept.post(events.Claimed(time)),
            now=self.clock.now,
        )

    def request(self, event: requests.Request) -> None:
        """Pass a person's request on; one that was handled or is under way is ignored."""
        self._post(event)

    def request_save(self) -> None:
        """Ask for a save; ``remote_session_saved`` tells when changed content is in the store."""
        self._post(events.SaveRequested())

    def stop(self) -> None:
        """Ask for a clean end: last save, browser closed, session released."""
        self._post(events.StopRequested())

    def supersede(self, message: str) -> None:
        """End at once without saving, because another worker owns the session."""
        self._post(events.Fatal(ExitCode.DONE, Reason.SUPERSEDED, message))

    async def destroy(self) -> None:
        """Stop and wait for the end, as the guide's client does; a listener waits until the browser has closed."""
        self.stop()
        if self._runner is not None and self._runner.listeners.is_asking:
            await self._runner.closed.wait()  # the end itself waits for the listener
        elif self._done is not None:
            await asyncio.shield(self._done)

    async def logout(self) -> None:
        """Remove this device from the account; its archives are set aside."""
        if self._runner is not None:
            await self._runner.call_page("logout")

    def _post(self, event: events.Event) -> None:
        if self._runner is not None:
            self._runner.post(event)

    async def _tell(self, name: str, arguments: tuple[object, ...]) -> None:
        for listener in self._listeners[name]:
            try:
                result = listener(*arguments)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                # A listener's mistake must not cost the session. Its words may hold what it was told, such as the code.
                LOG.error("a listener of the event %s failed: %s", name, type(error).__name__)
