"""Decide when a store is checked: observation in, steps out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from whatsapp_operator.observed.ages import Ages, Fact, What, age
from whatsapp_operator.observed.state import Ownership
from whatsapp_operator.session.pod_startup import SLOW_START_SECONDS
from whatsapp_operator.session.purge import LOST_SECONDS
from whatsapp_operator.store.observed import Check, CheckPod, ObservedStore
from whatsapp_session.backoff import Backoff

GOOD_SECONDS: Final = 3600.0
"""Seconds after which a store that passed is checked again, unless its workers report that it answers."""
BACKOFF: Final = Backoff(15.0, 900.0)
"""Delays after a failed check."""
LIMIT_SECONDS: Final = 240.0
"""Seconds after which a check whose pod has not ended counts as failed."""
OBSTACLE_SECONDS: Final = 10.0
"""Seconds until the next check for objects that are not watched, such as a PVC."""
POLL_SECONDS: Final = (1.0, 15.0)
"""Delays between looks at a check pod, which is not watched and usually runs for seconds."""


@dataclass(frozen=True, slots=True)
class CreateCheck:
    """Create the pod that checks the store."""


@dataclass(frozen=True, slots=True)
class DeleteCheck:
    """Delete the pod with this UID; the status contains its result by then."""

    uid: str
    force: bool = False
    """Whether to delete it without waiting for its node, which is lost."""


Action: TypeAlias = CreateCheck | DeleteCheck


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps, and the seconds until the next reconciliation."""

    action: Action | None
    look_again: float


def facts(observed: ObservedStore) -> Iterator[Fact]:
    """Yield the facts whose ages a decision needs."""
    if observed.pod is not None:
        yield What.THERE, observed.pod.uid
        if observed.pod.deleting:
            yield What.DELETING, observed.pod.uid
    if observed.check is not None:
        yield What.CHECKED, _name(observed.check)


def plan(observed: ObservedStore, wanted_hash: str) -> Plan:
    """Return the next step."""
    pod = observed.pod
    if pod is not None:
        return _with_pod(pod, wanted_hash, observed.ages)
    if observed.obstacle is not None:
        return Plan(None, OBSTACLE_SECONDS)
    left = _left(observed.check, wanted_hash, observed.ages)
    if left > 0:
        return Plan(None, left)
    check = observed.check
    if observed.answers and check is not None and check.verdict.ok and check.template_hash == wanted_hash:
        return Plan(None, GOOD_SECONDS)
    return Plan(CreateCheck(), POLL_SECONDS[0])


def is_stuck(pod: CheckPod, ages: Ages) -> bool:
    """Return whether a pod has not ended within its time."""
    return pod.verdict is None and age(ages, What.THERE, pod.uid) > LIMIT_SECONDS


def is_slow(pod: CheckPod, ages: Ages) -> bool:
    """Return whether a pod has not started for so long that users should look."""
    return not pod.runs and age(ages, What.THERE, pod.uid) > SLOW_START_SECONDS


def _with_pod(pod: CheckPod, wanted_hash: str, ages: Ages) -> Plan:
    shortest, longest = POLL_SECONDS
    if pod.ownership is Ownership.FOREIGN:
        return Plan(None, OBSTACLE_SECONDS)
    if pod.deleting:
        lost = age(ages, What.DELETING, pod.uid) > pod.grace + LOST_SECONDS
        return Plan(DeleteCheck(pod.uid, force=True) if lost else None, shortest * 2)
    over = pod.verdict is not None or is_stuck(pod, ages)
    if pod.ownership is Ownership.PREDECESSOR or pod.template_hash != wanted_hash or over:
        return Plan(DeleteCheck(pod.uid), shortest)
    return Plan(None, min(longest, max(shortest, age(ages, What.THERE, pod.uid) / 4)))


def _left(check: Check | None, wanted_hash: str, ages: Ages) -> float:
    """Return the seconds until the next check."""
    if check is None or check.template_hash != wanted_hash:
        return 0.0
    pause = GOOD_SECONDS if check.verdict.ok else BACKOFF.after(max(1, check.failures))
    return pause - age(ages, What.CHECKED, _name(check))


def _name(check: Check) -> str:
    return f"{check.pod_uid} {check.time} {check.failures}"
