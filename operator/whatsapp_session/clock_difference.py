"""Say by how much the clock of this machine differs from another's, which wrote the Date header of an HTTP answer.

Nothing here raises: the texts come from servers.
"""

import email.utils
from datetime import UTC
from typing import Final

EXACT: Final = 2.0
"""Seconds that mean no difference: a Date header has whole seconds, and its answer was under way."""
TOLERATED: Final = 300.0
"""Seconds that servers tolerate (S3's signatures allow 900); a smaller difference explains no refusal."""
_UNITS: Final = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"))


def seconds(date: object) -> float | None:
    """Return the seconds since 1970 that a Date header tells, None if it is not one."""
    if not isinstance(date, str) or len(date) > 64:
        return None
    try:
        found = email.utils.parsedate_to_datetime(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def behind(date: object, now: float) -> float | None:
    """Return the seconds by which a clock that shows ``now`` is behind a Date header, None if that is not a date."""
    told = seconds(date)
    return None if told is None else told - now


def describe(behind: float, whose: str, *, at_least: bool = False) -> str:
    """Return a sentence: "the clock of this machine is 26 hours behind the store's; set it"."""
    amount = abs(behind)
    size, unit = next((each for each in _UNITS if amount >= 2 * each[0]), (1.0, "seconds"))
    least = "at least " if at_least else ""
    which = "behind" if behind > 0 else "ahead of"
    return f"the clock of this machine is {least}{amount / size:.0f} {unit} {which} {whose}; set it"


def explanation(date: object, now: float, whose: str) -> str | None:
    """Return the sentence if the difference is large enough to make a server refuse requests, else None."""
    found = behind(date, now)
    return None if found is None or abs(found) < TOLERATED else describe(found, whose)
