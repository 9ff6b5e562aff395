"""Run Chromium with one page through Playwright. Its only user beside `driver`."""

import asyncio
import contextlib
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright import async_api

from whatsapp_worker import errors
from whatsapp_worker.browser import (
    command_line,
    devtools_port,
    driver,
    orphan,
    page_certificate,
    protocol,
    proxy_address,
)
from whatsapp_worker.browser.page import contract
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout
from whatsapp_worker.system import processes, watchdog

_BINDING = "whatsappWorkerReport"
_API = "whatsappWorkerPage"
_CALL = f"([name, values]) => window.{_API} ? window.{_API}[name](...values) : null"
_LOAD_PATIENCE = 60.0
_LAUNCH_PATIENCE = 60.0
"""Seconds: the driver may not notice that a browser has died as it started; by itself it would wait three minutes."""
_SET_UP_PATIENCE = 60.0
_ATTACH_PATIENCE = 30.0
ANSWER_PATIENCE = 12.0
"""Seconds that the page may lack what its contract says, as while it loads, before the adapter names it."""
LOOK_INTERVAL = 1.0
"""Seconds between two looks of the adapter at what the page's events may not have told."""
_CALL_PATIENCE = 10.0
_CLOSE_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to start the browser."""

    url: str
    args: tuple[str, ...] = ()
    user_agent: str | None = None
    proxy: proxy_address.Proxy | None = None
    cdp_port: int = 0
    separate_processes: bool = False
    environment: command_line.Environment = field(default_factory=lambda: command_line.Environment(None, False, True))
    contract: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Chromium:
    """One browser on one profile. Reports page events to ``on_event`` and its own end to ``on_gone``."""

    def __init__(
        self,
        options: Options,
        on_event: protocol.OnEvent,
        on_gone: protocol.OnGone,
        early: driver.EarlyDriver | None = None,
    ) -> None:
        self._options = options
        self._early = early or driver.EarlyDriver()
        self._on_event = on_event
        self._on_gone = on_gone
        self._driver: driver.Driver | None = None
        self._context: async_api.BrowserContext | None = None
        self._page: async_api.Page | None = None
        self._watchdog: watchdog.Watchdog | None = None
        self._until: float | None = None
        self._attaching: set[asyncio.Task[None]] = set()
        self._closing = False
        self._address = ""
        self.version = ""
        self.sandbox = command_line.sandbox(options.environment)
        self.children: frozenset[int] = frozenset()  # driver and watchdog
        self.identity: processes.Identity | None = None

    async def launch(self, user_data_dir: pathlib.Path) -> None:
        """Start on the profile, which no other browser may use; raises BrowserError with the browser's last words."""
        try:
            await self._start(user_data_dir)
            async with asyncio.timeout(_SET_UP_PATIENCE):
                await self._set_up()
        except (async_api.Error, OSError, errors.BrowserError) as error:  # a time-out is an OSError
            await self.kill()
            raise errors.BrowserError(f"the browser did not start: {_sentence(error)}") from error

    async def _start(self, user_data_dir: pathlib.Path) -> None:
        here = self._options.environment
        devtools_port.require_free(self._options.cdp_port)
        self._watchdog = watchdog.Watchdog()
        if self._until is not None:
            self._watchdog.until(self._until)
        self._driver = await self._early.take()
        self._watchdog.watch_driver(self._driver.pids)
        self.children = self._driver.pids | {self._watchdog.pid}
        browsers = self._driver.playwright.chromium
        executable = here.executable or driver.bundled(browsers)
        agent = self._options.user_agent or command_line.user_agent(
            await asyncio.to_thread(command_line.version, executable)
        )
        self._context = await browsers.launch_persistent_context(
            user_data_dir,
            executable_path=executable,
            headless=True,
            timeout=_LAUNCH_PATIENCE * 1000,
            args=self._arguments(agent),
            ignore_default_args=command_line.unwanted_defaults(here),
            chromium_sandbox=here.sandbox,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            no_viewport=True,
            proxy=_proxy(self._options.proxy),
        )
        self.identity = processes.identify(processes.find_browser(user_data_dir))
        self._watchdog.watch_browser(self.identity.pid)
        orphan.write_down(user_data_dir, self.identity)

    async def _set_up(self) -> None:
        assert self._context is not None
        browser = self._context.browser
        self.version = browser.version if browser else await self._ask_version()
        self._context.on("close", self._gone)
        await self._grant_durable_storage()
        await self._context.expose_binding(_BINDING, self._report)
        self._page = self._context.pages[0] if self._context.pages else await self._context.new_page()
        self._page.on("crash", self._gone)
        self._page.on("close", self._gone)
        self._page.on("domcontentloaded", self._loaded)
        self._page.on("framenavigated", self._navigated)

    def until(self, time: float) -> None:
        """Let the browser run until this time of the boot clock; past it the watchdog makes it stand still."""
        self._until = time
        if self._watchdog is not None:
            self._watchdog.until(time)

    def _arguments(self, agent: str) -> list[str]:
        told = self._options
        given = command_line.arguments(told.environment, told.args, separate_processes=told.separate_processes)
        return [*given, *command_line.debugging(told.cdp_port), *([f"--user-agent={agent}"] if agent else [])]

    async def load(self) -> None:
        """Load the page; raises BrowserError when the site does not answer."""
        url = self._options.url
        try:
            answer = await self._live().goto(url, wait_until="commit", timeout=_LOAD_PATIENCE * 1000, referer=None)
        except async_api.Error as error:
            why = await page_certificate.explained(_sentence(error), url, direct=self._options.proxy is None)
            raise errors.BrowserError(f"the browser could not load {url}: {why}") from error
        if answer is not None and answer.status >= 400:
            raise errors.BrowserError(f"{url} answered {answer.status}")

    async def facts(self) -> page_events.PageState | None:
        """Ask the page what it is; None while no adapter listens there."""
        raw = await self.call("facts")
        return page_events.facts(raw) if raw else None

    async def call(self, name: str, *values: object) -> Any:
        """Call a function of the adapter; raises BrowserError when the page does not answer within 10 s."""
        try:
            async with asyncio.timeout(_CALL_PATIENCE):
                return await self._live().evaluate(_CALL, [name, list(values)])
        except TimeoutError:
            raise errors.BrowserError("the page does not answer") from None
        except async_api.Error as error:
            raise errors.BrowserError(f"the page refused {name}: {_sentence(error)}") from error

    def frozen(self) -> contextlib.AbstractContextManager[None]:
        """Stop the browser and its storage service while the block runs; the page runs on."""
        if self.identity is None:
            raise errors.BrowserError("the browser is not running")
        return processes.frozen(processes.writers(self.identity))

    async def close_page(self) -> None:
        """Close the page, so that its storage is written now; what does not close is left to `close`."""
        self._closing = True
        if self._page is not None:
            with contextlib.suppress(async_api.Error, TimeoutError):
                async with asyncio.timeout(_CALL_PATIENCE):
                    await self._page.close()

    async def close(self) -> bool:
        """Close cleanly, which writes everything to disk; kill what does not close. Tells whether it was clean."""
        self._closing = True
        clean = False
        if self._context is not None:
            with contextlib.suppress(async_api.Error, TimeoutError):
                async with asyncio.timeout(_CLOSE_PATIENCE):
                    await self._context.close()
                    clean = True
        await self.kill()
        return clean

    async def kill(self) -> None:
        """End the browser at once, and the driver with it."""
        self._closing = True
        for task in self._attaching:
            task.cancel()
        if self.identity is not None:
            await asyncio.to_thread(processes.kill_tree, self.identity)
        if self._driver is not None:
            await self._driver.stop()
        if self._watchdog is not None:
            await asyncio.to_thread(self._watchdog.close)
        self._context = self._page = self._driver = self._watchdog = None

    def _live(self) -> async_api.Page:
        if self._page is None:
            raise errors.BrowserError("the browser is not running")
        return self._page

    async def _ask_version(self) -> str:
        session = await self._session()
        product = str((await session.send("Browser.getVersion"))["product"])
        await session.detach()
        return product.rpartition("/")[2]

    async def _grant_durable_storage(self) -> None:
        # Without it a full disk may evict the login.
        parts = urlsplit(self._options.url)
        session = await self._session()
        origin = f"{parts.scheme}://{parts.netloc}"
        with contextlib.suppress(async_api.Error):  # a browser that does not know the permission goes on without
            await session.send("Browser.grantPermissions", {"permissions": ["durableStorage"], "origin": origin})
        await session.detach()

    async def _session(self) -> async_api.CDPSession:
        assert self._context is not None
        page = self._context.pages[0] if self._context.pages else await self._context.new_page()
        return await self._context.new_cdp_session(page)

    def _gone(self, _: object = None) -> None:
        if not self._closing:
            self._closing = True
            self._on_gone()

    def _report(self, source: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
        if source.get("frame") is self._live().main_frame and (event := page_events.parse(raw)):
            self._on_event(event)

    def _navigated(self, frame: async_api.Frame) -> None:
        if not self._page or frame is not self._page.main_frame or not _is_of_the_web(frame.url):
            return  # an error page between two loads of one address makes no news of it
        before, self._address = self._address, frame.url
        if page_events.is_news_of_logout(frame.url, before, str(self._options.contract["loggedOutParameter"])):
            self._on_event(page_events.LoggedOut())

    def _loaded(self, page: async_api.Page) -> None:
        if _is_of_the_web(page.url):
            task = asyncio.get_running_loop().create_task(self._attach(page))
            self._attaching.add(task)
            task.add_done_callback(self._attaching.discard)

    async def _attach(self, page: async_api.Page) -> None:
        argument = {
            "contract": dict(self._options.contract),
            "binding": _BINDING,
            "api": _API,
            "patienceMs": _ATTACH_PATIENCE * 1000,
            "answerMs": ANSWER_PATIENCE * 1000,
            "lookMs": LOOK_INTERVAL * 1000,
            "sentinelPrefix": layout.SENTINEL,
        }
        # A navigation ends the evaluation; the next load attaches anew. A page that stands still is the heart's matter.
        with contextlib.suppress(async_api.Error, TimeoutError):
            async with asyncio.timeout(_ATTACH_PATIENCE + ANSWER_PATIENCE + _CALL_PATIENCE):
                await page.evaluate(contract.script(), argument)


def _is_of_the_web(url: str) -> bool:
    return url.startswith(("http:", "https:"))


def _proxy(given: proxy_address.Proxy | None) -> async_api.ProxySettings | None:
    if given is None:
        return None
    return {"server": given.server, "username": given.username, "password": given.password}


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line.partition("[err]")[2].strip() for line in lines if "[err]" in line]
    last = f" ({said[-1][:300]})" if said and said[-1] else ""
    return (lines[0][:300] if lines else type(error).__name__) + last
