"""Say how a client behaves, and what machine and browser make of that."""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from whatsapp_session import urls
from whatsapp_session.session_spec import DEFAULT_URL
from whatsapp_worker import errors
from whatsapp_worker.auth import Auth
from whatsapp_worker.browser import chromium, command_line, driver, protocol, proxy_address
from whatsapp_worker.browser.page import contract
from whatsapp_worker.core import phone_numbers
from whatsapp_worker.core.settings import Settings

STRICT = "WHATSAPP_STRICT_TRANSITIONS"
"""Set to 1, a worker ends at a transition that its table does not list. For tests; a session would rather continue."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a client behaves; times in seconds, 0 for ``linking_timeout`` means no limit."""

    url: str = DEFAULT_URL
    browser_args: tuple[str, ...] = ()
    user_agent: str | None = None
    linking_timeout: float = 1800.0
    cdp_port: int = 0
    """Open DevTools on this port of the loopback, for a bot that attaches to the browser; 0 = closed."""
    separate_processes: bool = False
    """Let Chromium run in as many processes as it does by itself; takes some 60 MiB more, see `process_switches`."""
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
        keeps_profile=strategy.keeps_profile,
        interval=strategy.interval or 300.0,
        linking_timeout=options.linking_timeout,
        phone_number=phone_numbers.parse(options.phone_number),
        expected_account=options.expected_account,
        archive_warning=options.archive_warning,
        memory_warning=options.memory_warning,
        strict=environment.get(STRICT) == "1",
    )


def make_browser(options: Options, here: command_line.Environment, early: driver.EarlyDriver) -> protocol.MakeBrowser:
    """Return what makes the browsers of these options; a wrong argument or address raises ConfigurationError now."""
    command_line.arguments(here, options.browser_args)
    proxy = proxy_address.parse(options.proxy)
    how = chromium.Options(
        url=_page(options.url),
        args=options.browser_args,
        user_agent=options.user_agent,
        proxy=proxy,
        cdp_port=options.cdp_port,
        separate_processes=options.separate_processes,
        environment=here,
        contract=contract.load(options.contract),
    )

    def make(on_event: protocol.OnEvent, on_gone: protocol.OnGone) -> protocol.Browser:
        return chromium.Chromium(how, on_event, on_gone, early)

    return make


def _page(url: str) -> str:
    """Return the page's address; raises ConfigurationError that says what is wrong with it."""
    fault = urls.fault(url, ("https", "http"), DEFAULT_URL)
    if fault is None and "@" in urlsplit(url).netloc:
        fault = "may not hold a user or password; WhatsApp Web needs none"
    if fault is not None:
        raise errors.ConfigurationError(f"the page's address {fault}")
    return url
