"""Parse the address of a proxy, once, at the start. Pure; nothing that is said of an address repeats any part of it."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from whatsapp_session import urls
from whatsapp_worker import errors

_SOCKS = ("socks4", "socks5")
_SCHEMES = ("http", "https", *_SOCKS)
_EXAMPLE = "http://user:password@proxy.example.com:3128"
_LOGIN = (
    "names a SOCKS proxy with user or password, and Chromium cannot log in to SOCKS proxies: use the provider's HTTP "
    "proxy, let the provider allow this cluster's address without a password, or run a proxy without password in a "
    "sidecar that logs in for it"
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the browser's traffic goes, and with what credentials."""

    server: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def parse(address: str) -> Proxy | None:
    """Return the proxy of an address, None for ""; raises ConfigurationError that says how to write one."""
    if not address:
        return None
    fault = urls.fault(address, _SCHEMES, _EXAMPLE) or _fault(address)
    if fault is not None:
        raise errors.ConfigurationError(f"the proxy's address {fault}")
    parts = urlsplit(address)
    server = f"{parts.scheme}://{urls.host(address)}"
    return Proxy(server, unquote(parts.username or ""), unquote(parts.password or ""))


def _fault(address: str) -> str | None:
    parts = urlsplit(address)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return f"may hold nothing after host and port; {urls.ENCODE}"
    if parts.scheme in _SOCKS and (parts.username or parts.password):
        return _LOGIN
    return None
