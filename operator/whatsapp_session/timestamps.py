"""Write and read times: RFC 3339 text on one side, seconds since the epoch or aware datetimes on the other.

``seconds`` and ``is_newer`` cannot raise: they read what users and workers write. ``parse`` raises: it reads what
we or the API server wrote.
"""

import re
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

Precision: TypeAlias = Literal["seconds", "milliseconds", "microseconds"]
"""Kubernetes writes times of objects with seconds and those of Leases with microseconds, the log has milliseconds."""
LONGEST: Final = 35
"""Characters of the longest text that counts as a time: nanoseconds are the finest that any program writes."""
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def rfc3339(moment: datetime | float, precision: Precision = "seconds") -> str:
    """Return a time as text in UTC, cut off at the precision: ``2026-01-31T12:00:00Z``.

    ``moment`` is an aware datetime or seconds since the epoch.
    """
    utc = moment.astimezone(UTC) if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def parse(text: str) -> datetime:
    """Return the time in UTC that a text of ours, or of the API server, says; raises ValueError if it says none."""
    found = _read(text)
    if found is None:
        # The text stays out of the message: whoever wrote it may have put a secret there.
        raise ValueError("not a time of RFC 3339, such as 2026-01-31T12:00:00Z")
    return found


def seconds(text: object) -> float | None:
    """Return the seconds since the epoch that a stranger's text says; None for whatever is not a time. Never raises.

    A time has a date, a time of day with seconds, at most nine digits behind them, and Z or an offset, as RFC 3339
    demands. Leap seconds and years outside 1 to 9999 (in UTC) count as no time.
    """
    found = _read(text)
    return None if found is None else found.timestamp()


def is_newer(time: object, than: object) -> bool:
    """Tell whether a stranger's time is later than another. Never raises.

    What is no time is newer than nothing, and older than every time.
    """
    mine, other = seconds(time), seconds(than)
    return mine is not None and (other is None or mine > other)


def _read(text: object) -> datetime | None:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February, the year 0; a day before the year 1 in UTC
        return None
