"""Say by how much the clock of this machine differs from a store's, where the store, or its certificate, refuses it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from whatsapp_session import clock_difference, server_clock, timestamps
from whatsapp_worker.stores import network, route

_WHOSE: Final = "the store's"


def of_signature(headers: Mapping[str, Any], server_time: object) -> str | None:
    """Return the difference that explains why S3 refused a signature, None if none does.

    ``headers`` are the answer's, by lower-case name; ``server_time`` is the member ServerTime of its error.
    """
    date, now = headers.get("date"), time.time()
    told = clock_difference.explanation(date, now, _WHOSE)
    written = timestamps.seconds(server_time)
    if told is not None or date is not None or written is None:
        return told
    return clock_difference.describe(written - now, _WHOSE)


def of_certificate(
    error: BaseException, host: str, port: int, way: route.Route, *, speaks_http: bool = True
) -> str | None:
    """Return why a server's certificate is not valid at this time, None if that is not what is wrong. Blocks."""
    if not any(server_clock.refuses(each) for each in network.chain(error)):
        return None
    if way.proxy is not None:
        return server_clock.UNKNOWN
    return server_clock.explanation(server_clock.Server(host, port, _WHOSE, way.ca_file, speaks_http))
