"""Name the situation of a session whose archives a pod moves or deletes."""

from whatsapp_operator.observed import evictions
from whatsapp_operator.observed.ages import What, age
from whatsapp_operator.observed.state import Observed, Ownership, Pod
from whatsapp_operator.session.pod_startup import SLOW_START_SECONDS, PhaseStatus, not_running, slow
from whatsapp_session.conditions import Phase, Reason


def phase(observed: Observed, pod: Pod | None, busy: PhaseStatus, failed: str) -> PhaseStatus:
    """Return the phase while a pod runs a task on a store."""
    if pod is not None and pod.ownership is Ownership.FOREIGN:
        return PhaseStatus(
            Phase.FAILED, Reason.CONFLICT, f"a pod {pod.name} exists that is not the operator's; delete it"
        )
    if pod is None or pod.deleting or pod.did_well:
        return busy
    taken = evictions.problem(pod)
    if taken is not None:
        return PhaseStatus(Phase.FAILED, taken.reason, f"{failed}: {taken.message}")
    if pod.ending is not None and pod.ending.exit_code != 0:
        # Also while the next attempt runs, so that the condition does not change with each attempt.
        text = pod.ending.message or f"the pod {pod.name} ended with code {pod.ending.exit_code}; see its log"
        reason = pod.ending.reason or Reason.CRASH_LOOP
        return PhaseStatus(Phase.FAILED, reason, f"{failed}: {text}")
    if pod.phase == "Failed":
        why = pod.failed_reason or "no reason given"
        text = f"the pod {pod.name} failed ({why}); the operator creates it again"
        return PhaseStatus(Phase.FAILED, Reason.CRASH_LOOP, text)
    if pod.running_since is not None:
        return busy
    found = not_running(pod)
    if found.phase is not Phase.STARTING:
        return found
    if age(observed.ages, What.THERE, pod.uid) > SLOW_START_SECONDS:
        text = f"{busy.message}, but {slow(pod, observed.session.namespace)}"
        return PhaseStatus(Phase.PENDING, Reason.POD_STARTING, text)
    needs = f"; the pod {pod.name} needs {' and '.join(pod.needs)}" if pod.needs else ""
    return PhaseStatus(busy.phase, busy.reason, f"{busy.message}{needs if pod.waiting == 'ContainerCreating' else ''}")
