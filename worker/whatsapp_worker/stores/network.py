"""Say why a store's server cannot be reached, by the kind of the failure: an address is never repeated."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

_PROXY: Final = (
    (r"connection failed: 407", "the HTTP proxy on the way to it refuses the login: are user and password right?"),
    (r"Tunnel connection failed", "the HTTP proxy on the way to it does not connect: does it allow the store's host?"),
    (r"ProxyError|[Cc]onnect to proxy", "the HTTP proxy on the way to it does not answer: is its address right?"),
)
_WORDS: Final = (
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "the worker does not trust its certificate; name the authority that signed it in spec.caBundle",
    ),
    (
        r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER",
        "it does not speak TLS; check the port, and whether it is http",
    ),
    (r"\bSSL\b|\bTLS\b", "TLS fails"),
    (
        r"\[Errno -[235]\]|Name or service not known|nodename nor servname|[Nn]ame resolution|getaddrinfo",
        "the host is not known; check its name",
    ),
    (r"\[Errno 111\]|[Cc]onnection refused", "it refuses connections; check that it runs, and the port"),
    (r"\[Errno 113\]|\[Errno 101\]|unreachable|No route", "there is no route to it; check NetworkPolicies"),
)
"""What clients say of failures whose kind they do not keep."""


def why(error: BaseException) -> str | None:
    """Return the reason in some words, None if it is not known."""
    text = " ".join(str(each) for each in chain(error))
    of_the_proxy = next((said for words, said in _PROXY if re.search(words, text)), None)
    if of_the_proxy is not None:
        return of_the_proxy
    for each in chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _WORDS[0][1]
        if isinstance(each, socket.gaierror):
            return _WORDS[3][1]
        if isinstance(each, ConnectionRefusedError):
            return _WORDS[4][1]
    return next((said for words, said in _WORDS if re.search(words, text)), None)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    for _ in range(10):  # a chain may be a ring
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
