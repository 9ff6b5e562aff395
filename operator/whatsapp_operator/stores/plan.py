"""Decide when a store is checked: observation in, actions out."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from whatsapp_operator.observed import Ownership
from whatsapp_operator.stores.observed import Check, CheckPod, ObservedStore
from whatsapp_session import timestamps
from whatsapp_session.backoff import Backoff

GOOD_SECONDS: Final = 3600.0
"""A store that passed is checked again after this long, unless its workers say all the while that it answers."""
BACKOFF: Final = Backoff(15.0, 900.0)
"""Pauses after a check that failed."""
LIMIT_SECONDS: Final = 240.0
"""A check's pod that has not ended after this long is a check that failed."""
OBSTACLE_SECONDS: Final = 10.0
"""How soon to look again for what is not watched, such as a claim."""
POLL_SECONDS: Final = (1.0, 15.0)
"""Pods of checks are not watched: they live for seconds, and are looked at the less the older they are."""


@dataclass(frozen=True, slots=True)
class CreateCheck:
    """Make the pod that checks the store."""


@dataclass(frozen=True, slots=True)
class DeleteCheck:
    """Delete the pod with this UID; what it found is in the status by then."""

    uid: str


Action: TypeAlias = CreateCheck | DeleteCheck


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and after how many seconds to look again."""

    action: Action | None
    look_again: float


def plan(observed: ObservedStore, wanted_hash: str, now: float) -> Plan:
    """Return the next step."""
    pod = observed.pod
    if pod is not None:
        return _with_pod(pod, wanted_hash, now)
    if observed.obstacle is not None:
        return Plan(None, OBSTACLE_SECONDS)
    due = _due(observed.check, wanted_hash)
    if due > now:
        return Plan(None, due - now)
    check = observed.check
    if observed.answers and check is not None and check.verdict.ok and check.template_hash == wanted_hash:
        return Plan(None, GOOD_SECONDS)
    return Plan(CreateCheck(), POLL_SECONDS[0])


def is_stuck(pod: CheckPod, now: float) -> bool:
    """Return whether a pod had its time and has not ended."""
    return pod.verdict is None and _age(pod, now) > LIMIT_SECONDS


def _age(pod: CheckPod, now: float) -> float:
    return now - timestamps.parse(pod.created).timestamp()


def _with_pod(pod: CheckPod, wanted_hash: str, now: float) -> Plan:
    shortest, longest = POLL_SECONDS
    if pod.ownership is Ownership.FOREIGN:
        return Plan(None, OBSTACLE_SECONDS)
    if pod.deleting:
        return Plan(None, shortest * 2)
    over = pod.verdict is not None or is_stuck(pod, now)
    if pod.ownership is Ownership.PREDECESSOR or pod.template_hash != wanted_hash or over:
        return Plan(DeleteCheck(pod.uid), shortest)
    return Plan(None, min(longest, max(shortest, _age(pod, now) / 4)))


def _due(check: Check | None, wanted_hash: str) -> float:
    if check is None or check.template_hash != wanted_hash:
        return 0.0
    checked = timestamps.seconds(check.time) or 0.0
    return checked + (GOOD_SECONDS if check.verdict.ok else BACKOFF.after(max(1, check.failures)))
