"""Read values that workers, users or nodes wrote. The functions never raise.

A value of an unexpected type counts as absent. Text is truncated and stripped of control characters.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

LONGEST_TEXT: Final = 4096
"""Longest text, in characters, that a field of the CRDs accepts."""
LONGEST_JSON: Final = 65_536
_INTEGERS: Final = (-(2**31), 2**31 - 1)
_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a map, else {}."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return the value if it is a list, else ()."""
    return value if isinstance(value, list | tuple) else ()


def mappings(value: object) -> tuple[Mapping[str, Any], ...]:
    """Return the items of a list that are maps."""
    return tuple(item for item in sequence(value) if isinstance(item, Mapping))


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return the value as printable text on one line, truncated; "" if it is not text."""
    return printable(value[:longest])[:longest] if isinstance(value, str) else ""


def text_or_none(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Return the same as ``text``, but None instead of ""."""
    return text(value, longest) or None


def texts(value: object, longest: int = LONGEST_TEXT) -> dict[str, str]:
    """Return the entries of a map whose values are text."""
    found = mapping(value)
    return {text(name): text(item, longest) for name, item in found.items() if isinstance(item, str)}


def integer(value: object, default: int = 0) -> int:
    """Return the value if it is an integer, limited to the range of 32 bits; else the default."""
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    smallest, largest = _INTEGERS
    return max(smallest, min(largest, value))


def flag(value: object) -> bool:
    """Return whether the value is the Boolean true, not merely a truthy value."""
    return value is True


def json_mapping(written: object) -> Mapping[str, Any]:
    """Return the JSON object that the text contains, {} for any other text."""
    if not isinstance(written, str):
        return {}
    try:
        return mapping(json.loads(written[:LONGEST_JSON]))
    except (ValueError, RecursionError):  # RecursionError: deeply nested brackets
        return {}


def printable(written: str) -> str:
    r"""Return the text on one line, with characters that control a terminal or reorder text escaped as ``\x1b``.

    Lone surrogates, which JSON can contain and which cannot be encoded, are escaped too.
    """
    return _UNPRINTABLE.sub(_escaped, _BREAKS.sub(" ", written))


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
