"""Read what somebody else wrote: a worker, a user, a node. Nothing here raises, whatever was written.

A value of another type than the expected one counts as absent. Text is cut, and shown without control characters.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

LONGEST_TEXT: Final = 4096
"""Characters of a text: the longest that any field of the definitions takes."""
LONGEST_JSON: Final = 65_536
_INTEGERS: Final = (-(2**31), 2**31 - 1)
_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def mapping(value: object) -> Mapping[str, Any]:
    """Return a map, {} for anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return a list, () for anything else."""
    return value if isinstance(value, list | tuple) else ()


def mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    """Return the maps of a list."""
    return tuple(item for item in sequence(value) if isinstance(item, Mapping))


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return a printable text of one line, cut where it is too long; "" for anything else."""
    return printable(value[:longest])[:longest] if isinstance(value, str) else ""


def text_or_none(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Return what ``text`` returns, None for what is no text or empty."""
    return text(value, longest) or None


def texts(value: object, longest: int = LONGEST_TEXT) -> dict[str, str]:
    """Return those entries of a map whose values are texts."""
    found = mapping(value)
    return {text(name): text(item, longest) for name, item in found.items() if isinstance(item, str)}


def integer(value: object, default: int = 0) -> int:
    """Return an integer, moved into the range of 32 bits; the default for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    smallest, largest = _INTEGERS
    return max(smallest, min(largest, value))


def flag(value: object) -> bool:
    """Return whether the value is true, and no other value that would pass for it."""
    return value is True


def json_mapping(written: object) -> Mapping[str, Any]:
    """Return the JSON object that a text holds, {} for anything else."""
    if not isinstance(written, str):
        return {}
    try:
        return mapping(json.loads(written[:LONGEST_JSON]))
    except (ValueError, RecursionError):  # the second by brackets within brackets
        return {}


def printable(written: str) -> str:
    r"""Return the text on one line, with what would steer a terminal or reorder a line written as ``\x1b``.

    Also with half a surrogate pair written so, which cannot be encoded: JSON may hold one.
    """
    return _UNPRINTABLE.sub(_escaped, _BREAKS.sub(" ", written))


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
