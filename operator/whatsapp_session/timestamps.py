"""Convert times between RFC 3339 text and seconds since the epoch or aware datetimes.

``seconds`` and ``is_newer`` never raise, because they read text of users and workers. ``parse`` raises: it reads text
of the operator, the worker or the API server.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

Precision: TypeAlias = Literal["seconds", "milliseconds", "microseconds"]
"""Kubernetes uses seconds for objects and microseconds for Leases; the log of a session uses milliseconds."""
LONGEST: Final = 35
"""Longest text, in characters, that counts as a time: one with nanoseconds."""
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def rfc3339(moment: datetime | float, precision: Precision = "seconds") -> str:
    """Return a time as text in UTC, truncated to the precision: ``2026-01-31T12:00:00Z``.

    ``moment`` is an aware datetime or seconds since the epoch.
    """
    utc = moment.astimezone(UTC) if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def parse(text: str) -> datetime:
    """Return the time in UTC that a trusted text contains; raises ValueError if it contains none."""
    found = _read(text)
    if found is None:
        # The message does not repeat the text, which might contain a secret.
        raise ValueError("not a time of RFC 3339, such as 2026-01-31T12:00:00Z")
    return found


def seconds(text: object) -> float | None:
    """Return the seconds since the epoch that an untrusted text contains, None if it is not a time. Never raises.

    A time has a date, a time of day with seconds and at most nine fractional digits, and Z or an offset, as RFC 3339
    requires. Leap seconds and years outside 1 to 9999 (in UTC) are not times here.
    """
    found = _read(text)
    return None if found is None else found.timestamp()


def is_newer(time: object, than: object) -> bool:
    """Return whether an untrusted time is later than another. Never raises.

    A text that is not a time is newer than None and older than every time.
    """
    mine, other = seconds(time), seconds(than)
    return mine is not None and (other is None or mine > other)


def _read(text: object) -> datetime | None:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # February 30, the year 0, or a day before the year 1 in UTC
        return None
