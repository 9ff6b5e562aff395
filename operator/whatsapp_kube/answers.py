"""Read answers of the API server: its time, and of a failed one the KubeError, by its structure where it has one."""

import json
from collections.abc import Mapping
from typing import Any

from whatsapp_kube.errors import Asked, Cause, Conflict, KubeError, Refused, Unreachable

NAMESPACE_TERMINATING = "NamespaceTerminating"
"""Cause in an answer: the namespace is being deleted and accepts no new objects."""
LONGEST_RETRY_SECONDS = 3600
_FOR_GOOD = ("failed calling webhook", "failed to create typed patch object")
"""Messages of answers with status 500 that have no structured cause but are refusals:
a webhook that does not answer, and a field that the installed CRDs do not know."""


def date(headers: Mapping[str, str]) -> str | None:
    """Return the time of the server that answered, as its Date header has it."""
    return headers.get("Date")


def error(status: int, body: Any, asked: Asked, headers: Mapping[str, str] | None = None) -> KubeError:
    """Return the error for a status and a body, which can be text or any parsed JSON value."""
    answer = _answer(body)
    said = answer.get("message")
    text = said if isinstance(said, str) and said else f"status {status}"
    details = _mapping(answer.get("details"))
    causes = tuple(_cause(item) for item in _list(details.get("causes")))
    what = f"{asked.verb} {asked.kind}/{asked.name}: {text}"
    match status:
        case 409:
            return Conflict(status, what, asked)
        case 404 if details.get("kind") == "namespaces":
            gone = Cause(NAMESPACE_TERMINATING, "metadata.namespace", text)
            return Refused(status, text, asked, (*causes, gone))
        case 404 if details.get("name"):
            return Conflict(status, what, asked)
        case 400 | 403 | 422:
            return Refused(status, text, asked, causes)
        case 404 | 405:
            return Refused(status, what, asked, causes)
        case 500 if any(words in text for words in _FOR_GOOD):
            return Refused(status, text, asked, causes)
        case _:
            return Unreachable(status, what, asked, retry_after=_retry_after(details, headers or {}))


def _retry_after(details: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """Return the seconds that the server asks to wait, 0 if it asks for none; more than an hour counts as an hour."""
    said = details.get("retryAfterSeconds") or next(
        (value for name, value in headers.items() if name.lower() == "retry-after"), ""
    )
    return float(min(int(said), LONGEST_RETRY_SECONDS)) if str(said).isdecimal() else 0.0


def _answer(body: Any) -> Mapping[str, Any]:
    try:
        return _mapping(body if isinstance(body, Mapping) else json.loads(body))
    except (TypeError, ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _cause(item: Any) -> Cause:
    found = _mapping(item)
    return Cause(*(str(found.get(name) or "") for name in ("reason", "field", "message")))
