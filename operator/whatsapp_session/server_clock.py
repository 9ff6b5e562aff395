"""Ask a server whose certificate is not valid at this machine's time by how much the clocks differ. Blocks.

The certificate is checked in all respects but its dates (OpenSSL can leave these out), so what is heard is the server's
word. Nothing secret is sent.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_session import clock_difference, timestamps

TIMEOUT: Final = 5.0
"""Seconds to connect, and to wait for an answer."""
UNKNOWN: Final = "the certificate is not valid at the time of this machine's clock; check both"
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the module ssl has no name for."""
_FAULTS: Final = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED."""
_WORDS: Final = ("certificate is not yet valid", "certificate has expired")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks TLS; ``whose`` names its clock in a sentence, such as "the store's"."""

    host: str
    port: int
    whose: str
    ca_file: str | None = None
    speaks_http: bool = True


def refuses(error: BaseException) -> bool:
    """Return whether a certificate was refused because of its dates; clients that hide the error keep its words."""
    return getattr(error, "verify_code", 0) in _FAULTS or any(words in str(error) for words in _WORDS)


def explanation(server: Server) -> str:
    """Return why the certificate is not valid at this machine's time: by how much the clocks differ, if it tells."""
    try:
        certificate, date = _ask(server)
    except (OSError, ValueError, http.client.HTTPException):
        return UNKNOWN
    return explain(certificate, date, time.time(), server.whose)


def explain(certificate: Mapping[str, Any], date: str | None, now: float, whose: str) -> str:
    """Return the sentence for a certificate and a Date header, None if the server sends none. Pure."""
    begins, ends = (ssl.cert_time_to_seconds(str(certificate[name])) for name in ("notBefore", "notAfter"))
    told = clock_difference.explanation(date, now, whose)
    if told is not None:
        return told
    if now < begins and date is None:
        return clock_difference.describe(begins - now, whose, at_least=True)
    if now < begins:
        return f"the certificate is valid from {timestamps.rfc3339(begins)} only; replace it"
    expired = f"the certificate has expired at {timestamps.rfc3339(ends)}; renew it"
    if date is not None:
        return expired
    return f"{expired}, unless {clock_difference.describe(ends - now, whose, at_least=True)}"


def _ask(server: Server) -> tuple[Mapping[str, Any], str | None]:
    context = ssl.create_default_context(cafile=server.ca_file)
    context.verify_flags |= _NO_CHECK_TIME
    connection = http.client.HTTPSConnection(server.host, server.port, timeout=TIMEOUT, context=context)
    try:
        connection.connect()
        certificate = connection.sock.getpeercert() or {}
        if not server.speaks_http:
            return certificate, None
        connection.request("HEAD", "/")
        return certificate, connection.getresponse().getheader("Date")
    finally:
        connection.close()
