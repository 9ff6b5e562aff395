"""Say what is wrong with a connection string: a sentence for each mistake, and in none of them a part of it. Pure."""

import re
from typing import Final

from whatsapp_session import urls

_PLAIN, _SRV = "mongodb://", "mongodb+srv://"
_EXAMPLE: Final = "mongodb://user:password@mongo.example.com:27017/?tls=true"
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_HOST: Final = re.compile(r"[^\s:@/?#\[\]]+|\[[0-9A-Fa-f:.%a-z]+\]")
_ENCODED: Final = re.compile(r"(%[0-9A-Fa-f]{2}|[^%:@/?#\[\]])*")


def fault(uri: str) -> str | None:
    """Return what is wrong, to be read after "the store's address (key uri of its secret) "; None if nothing is."""
    if re.search(r"[\s\x00-\x1f\x7f]", uri):
        return "contains blanks or line breaks; write it on one line"
    if not uri.startswith((_PLAIN, _SRV)):
        return f"must begin with {_PLAIN} or {_SRV}, like {_EXAMPLE}"
    scheme, _, rest = uri.partition("://")
    login, at, place = rest.rpartition("@") if "@" in rest else ("", "", rest)
    if at and not _is_login(login):
        return f"has an '@' after characters that end user and password: {urls.ENCODE}"
    hosts, options = re.sub("[/?].*", "", place), place.partition("?")[2]
    return _hosts_fault(hosts, srv=scheme.endswith("+srv")) or _options_fault(options)


def _is_login(login: str) -> bool:
    user, colon, password = login.partition(":")
    return bool(user) and all(_ENCODED.fullmatch(part) for part in (user, password if colon else ""))


def _hosts_fault(hosts: str, *, srv: bool) -> str | None:
    if not hosts:
        return f"names no host: it must look like {_EXAMPLE}"
    for each in hosts.split(","):
        name, port = _split(each)
        if not _HOST.fullmatch(name):
            return "has an invalid host; separate hosts with commas, and write IPv6 addresses in brackets"
        if port is not None and not (_PORT.fullmatch(port) and int(port) <= 65535):
            return "must have ports from 1 to 65535 after its hosts, or none"
        if srv and (port is not None or "," in hosts):
            return f"must have one host without a port after {_SRV}; to give ports, begin with {_PLAIN}"
    return None


def _split(host: str) -> tuple[str, str | None]:
    end = host.find("]") + 1
    name, colon, port = host[end:].partition(":")
    return host[:end] + name, port if colon else None


def _options_fault(options: str) -> str | None:
    for each in filter(None, re.split("[&;]", options)):
        if not re.fullmatch("[A-Za-z]+=.+", each):
            return "has an option after '?' that is not NAME=VALUE; separate options with '&'"
    return None
