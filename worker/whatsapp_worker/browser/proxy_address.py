"""Parse the address of a proxy, once, at the start. Pure; nothing that is said of an address repeats any part of it."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from whatsapp_worker import errors

_SCHEMES = ("http", "https", "socks4", "socks5")
_WRONG = (
    f"the proxy's address must be scheme://user:password@host:port (user and password may be missing) with a scheme of "
    f"{', '.join(_SCHEMES)}; write characters of user and password such as # / ? : @ % percent-encoded (# is %23)"
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
    try:
        parts = urlsplit(address)
        server = _server(parts)
    except ValueError:  # whose words hold a piece of the address, which may be the password's
        raise errors.ConfigurationError(_WRONG) from None
    return Proxy(server, unquote(parts.username or ""), unquote(parts.password or ""))


def _server(parts: SplitResult) -> str:
    host, port = parts.hostname, parts.port
    beyond = parts.path not in ("", "/") or parts.query or parts.fragment
    if parts.scheme not in _SCHEMES or not host or port == 0 or beyond:
        raise ValueError("not of that form")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port else "")
