"""Offer the library: a client that keeps one WhatsApp Web session, with the guide's strategies and events."""

import asyncio
import inspect
import logging
import os
import pathlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload
from urllib.parse import urlsplit

from whatsapp_session import urls
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_session.session_spec import DEFAULT_URL
from whatsapp_worker import errors
from whatsapp_worker.auth import Auth, Context, NoAuth
from whatsapp_worker.browser import chromium, command_line, protocol, proxy_address
from whatsapp_worker.browser.page import contract
from whatsapp_worker.core import events, operator_notes, ownership_deadline, phone_numbers, requests
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.repository import fencing, records
from whatsapp_worker.runtime import error_events, runner
from whatsapp_worker.system import processes, watchdog

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
STRICT = "WHATSAPP_STRICT_TRANSITIONS"
"""Set to 1, a worker ends at a transition that its table does not list. For tests; a session would rather continue."""
_Listener = TypeVar("_Listener", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Options:
    """How a client behaves; times in seconds, 0 for ``linking_timeout`` means no limit."""

    url: str = DEFAULT_URL
    browser_args: tuple[str, ...] = ()
    user_agent: str | None = None
    linking_timeout: float = 1800.0
    cdp_port: int = 0
    """Open DevTools on this port of the loopback, for a bot that attaches to the browser; 0 = closed."""
    proxy: str = field(default="", repr=False)
    """Address of a proxy, may hold credentials: http://user:password@host:port or socks5://host:port.

    Characters such as # / ? : @ in user and password are percent-encoded.
    """
    phone_number: str = field(default="", repr=False)
    """Link by pairing code instead of QR code: 5 to 20 digits with the country code, perhaps with '+' before them."""
    expected_account: str = ""
    lease_duration: float = 0.0
    """Seconds for which a Lease in Kubernetes is ours after each renewal; 0 without one."""
    take_over: bool = False
    """Take a session that another owner has not released."""
    relink: bool = False
    """Set the saved login aside at the start and ask for a new link."""
    contract: pathlib.Path | None = None
    archive_warning: int = 0
    """Warn of an archive above this many bytes, 0 = never."""
    memory_warning: int = 0
    """Warn when worker and browser take more than this many bytes together, 0 = never."""


def machine_settings(strategy: Auth, options: Options, environment: Mapping[str, str]) -> Settings:
    """Return what the machine decides by."""
    return Settings(
        saves=strategy.saves,
        interval=strategy.interval or 300.0,
        linking_timeout=options.linking_timeout,
        phone_number=phone_numbers.parse(options.phone_number),
        expected_account=options.expected_account,
        archive_warning=options.archive_warning,
        memory_warning=options.memory_warning,
        strict=environment.get(STRICT) == "1",
    )


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
        options = self.options
        here = command_line.environment(os.environ)
        command_line.arguments(here, options.browser_args)  # a wrong argument is told now, and a wrong address
        proxy = proxy_address.parse(options.proxy)
        how = chromium.Options(
            url=_page(options.url),
            args=options.browser_args,
            user_agent=options.user_agent,
            proxy=proxy,
            cdp_port=options.cdp_port,
            environment=here,
            contract=contract.load(options.contract),
        )

        def make(on_event: protocol.OnEvent, on_gone: protocol.OnGone) -> protocol.Browser:
            return chromium.Chromium(how, on_event, on_gone)

        self._runner = runner.SessionRunner(
            self._auth, machine_settings(self._auth, options, os.environ), make, self._tell, self._reporters
        )
        self._runner.ownership.validity = self._validity()
        if blind:
            self.lease_renewed(watchdog.now())
        self._auth.setup(self._context(self._runner, here, blind))
        self._done = asyncio.get_running_loop().create_task(self._runner.run())

    initialize = start

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
            claimed=lambda time: kept.post(events.Claimed(time)),
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
        """End at once without saving: somebody else has the session."""
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


def _page(url: str) -> str:
    """Return the page's address; raises ConfigurationError that says what is wrong with it."""
    fault = urls.fault(url, ("https", "http"), DEFAULT_URL)
    if fault is None and "@" in urlsplit(url).netloc:
        fault = "may not hold a user or password; WhatsApp Web needs none"
    if fault is not None:
        raise errors.ConfigurationError(f"the page's address {fault}")
    return url
