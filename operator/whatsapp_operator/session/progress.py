"""Delay a status that only says how a start proceeds, so that a start costs few writes. Pure: time is an argument.

Such a status is written at most every ``PROGRESS_SECONDS``; ``status.session``, which the worker writes, is always
current. Every other change is written at once: a session that is ready, a problem, another pod.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Final, Generic, TypeVar

from whatsapp_session.conditions import ConditionStatus, ConditionType, Reason
from whatsapp_session.untrusted import mapping, mappings

K = TypeVar("K", bound=Hashable)

PROGRESS_SECONDS: Final = 5.0
_USUAL: Final = frozenset({Reason.POD_STARTING, Reason.RESTORING})


class Progress(Generic[K]):
    """The times of the last writes about sessions that start."""

    def __init__(self) -> None:
        self._written: dict[K, float] = {}

    def wait(self, key: K, before: Mapping[str, Any], own: Mapping[str, Any], now: float) -> float | None:
        """Return the seconds until a status may be written, None if it may be written now."""
        last = self._written.get(key)
        if last is None or now - last >= PROGRESS_SECONDS or not _only_proceeds(before, own):
            return None
        return PROGRESS_SECONDS - (now - last)

    def wrote(self, key: K, own: Mapping[str, Any], now: float) -> None:
        """Record that a status was written."""
        if _starts(own) is None:
            self._written.pop(key, None)
        else:
            self._written[key] = now

    def forget(self, key: K) -> None:
        """Forget a deleted session."""
        self._written.pop(key, None)


def _only_proceeds(before: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Return whether both statuses are about the same usual start."""
    start = _starts(own)
    return start is not None and start == _starts(before)


def _starts(status: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what identifies a start while it proceeds as usual, else None."""
    found = {item.get("type"): item for item in mappings(status.get("conditions"))}
    ready = mapping(found.get(ConditionType.READY))
    if ready.get("status") != ConditionStatus.FALSE or ready.get("reason") not in _USUAL:
        return None
    worker = mapping(status.get("worker"))
    parts = (worker.get("podUID"), worker.get("restarts"), worker.get("last"), status.get("handledRequests"))
    return (*parts, status.get("observedGeneration"), frozenset(found))
