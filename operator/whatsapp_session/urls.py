"""Describe what is wrong with the URL of a server, one sentence for each mistake.

The sentences do not repeat any part of the URL, because it can contain a password anywhere.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
ENCODE: Final = "write characters of user and password such as # / ? : @ % percent-encoded (# is %23)"


def fault(address: str, schemes: Sequence[str], example: str) -> str | None:
    """Return what is wrong, to follow the words "the address ", or None if the URL is valid for one of the schemes."""
    if not address:
        return f"is empty: it must look like {example}"
    if _BLANK.search(address):
        return f"holds blanks or line breaks: write it on one line, like {example}"
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"has no scheme: it must look like {example}"
    if scheme.lower() not in schemes:
        return f"must begin with {' or '.join(f'{known}://' for known in schemes)}: it must look like {example}"
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return f"has brackets that hold no IPv6 address: it must look like {example}"
    if not host:
        return f"names no host: it must look like {example}"
    if _has_port_or_none(parts.netloc):
        return None
    if "@" in rest[len(parts.netloc) :]:
        return f"has an '@' after a character that ends its host: {ENCODE}"
    return "must have a port from 1 to 65535 after the host, or none"


def host(address: str) -> str:
    """Return host and port of a valid URL for messages, without user, password and path."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _has_port_or_none(netloc: str) -> bool:
    place = netloc.rpartition("@")[2].rpartition("]")[2]
    _, colon, port = place.partition(":")
    return not colon or (bool(_PORT.fullmatch(port)) and int(port) <= 65535)
