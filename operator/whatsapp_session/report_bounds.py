"""Limit the size of ``status.session``; the schema in the CRD has the same limits (a test compares them).

The API server rejects a whole status that exceeds one limit, so the worker truncates what it writes. All values
together take less than 16 kB of UTF-8, so that ten thousand sessions do not fill etcd.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from whatsapp_session import untrusted
from whatsapp_session.conditions import fitting

TOTAL_BYTES: Final = 16_000
INT32, INT64 = 2**31 - 1, 2**63 - 1
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
_NOT_ASCII: Final = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Word:
    """Printable ASCII; longer text is truncated, other characters are replaced."""

    longest: int


@dataclass(frozen=True, slots=True)
class Code:
    """Printable ASCII that is complete or absent, because half a code is of no use."""

    longest: int


@dataclass(frozen=True, slots=True)
class Text:
    """Printable text on one line; the schema also accepts line breaks in ``prose``, for older workers."""

    longest: int
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Time:
    """A time in UTC; any other value is omitted."""

    longest: int = 40


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number of at least zero."""

    largest: int


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of maps."""

    longest: int
    item: Mapping[str, "Bound"]


Bound: TypeAlias = Word | Code | Text | Time | Number | Flag | ListOf | Mapping[str, "Bound"]

_REASON: Final = Word(64)
_QR_CODE: Final = Code(1024)
REPORT: Final[Mapping[str, Bound]] = {
    "podUID": Word(64),
    "restartCount": Number(INT32),
    "state": Word(32),
    "stateSince": Time(),
    "account": {"id": Text(128), "pushName": Text(128), "platform": Text(64), "hash": Word(64)},
    "qr": {"code": _QR_CODE, "issuedAt": Time(), "expiresAt": Time(), "attempt": Number(INT32)},
    "pairingCode": Code(32),
    "saved": {
        "generation": Number(INT64),
        "time": Time(),
        "bytes": Number(INT64),
        "sha256": Word(64),
        "trigger": Word(32),
        "overdueSince": Time(),
    },
    "restored": {"generation": Number(INT64), "time": Time(), "fallback": Flag()},
    "sandbox": Word(64),
    "warnings": ListOf(4, {"reason": _REASON, "message": Text(192, prose=True)}),
    "webVersion": Word(64),
    "browserVersion": Word(64),
    "handledRequests": {"relink": Word(64), "save": Word(64), "takeover": Word(64)},
    "lastError": {"reason": _REASON, "message": Text(1536, prose=True), "time": Time()},
    "loading": {"percent": Number(100), "message": Text(64)},
}


def is_code(code: str) -> bool:
    """Return whether a code fits into a QR code (at most 2,953 characters) and into the status."""
    return _fitted(_QR_CODE, code) is not None


def bounded(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as the schema accepts it, without unknown fields and values that cannot be adapted.

    Never raises, whatever the page, the store or the browser reported.
    """
    found = _members(REPORT, report)
    if "code" not in found.get("qr", {"code": ""}):
        del found["qr"]  # the other fields are of no use without the code
    return found


def _members(bounds: Mapping[str, Bound], value: object) -> dict[str, Any]:
    given = untrusted.mapping(value)
    fitted = {name: _fitted(bound, given[name]) for name, bound in bounds.items() if name in given}
    return {name: item for name, item in fitted.items() if item is not None}


def _fitted(bound: Bound, value: object) -> Any:
    match bound:
        case Word(longest):
            return _NOT_ASCII.sub("?", value)[:longest] if isinstance(value, str) else None
        case Code(longest):
            whole = isinstance(value, str) and len(value) <= longest and not _NOT_ASCII.search(value)
            return value if whole else None
        case Text(longest):
            return fitting(untrusted.text(value), longest) if isinstance(value, str) else None
        case Time():
            return value if isinstance(value, str) and _TIME.fullmatch(value) else None
        case Number(largest):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return max(0, min(largest, int(value))) if whole and isinstance(value, int) else None
        case Flag():
            return value if isinstance(value, bool) else None
        case ListOf(longest, item):
            return [_members(item, each) for each in untrusted.mappings(value)[:longest]]
        case _:
            return _members(bound, value) if isinstance(value, Mapping) else None
