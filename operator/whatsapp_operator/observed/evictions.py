"""Say why a node ended or refused a pod as a whole: that is no crash of what ran in it."""

from typing import Final

from whatsapp_operator.observed.state import Pod, Problem
from whatsapp_session.conditions import Reason

_ENDED: Final = frozenset({"Evicted", "Preempting", "Terminated", "NodeShutdown", "Shutdown", "NodeLost"})
"""The kubelet's words for a pod that it ended for the node's sake: pressure, a critical pod, a shutdown."""
_DEADLINE: Final = "DeadlineExceeded"


def problem(pod: Pod) -> Problem | None:
    """Return the reason and the message, None for a pod that did not fail or whose own containers failed it."""
    reason = pod.failed_reason
    if reason is None or reason == _DEADLINE:
        return None
    message = pod.failed_message.rstrip(". ")
    said = f": {message}" if message else ""
    if reason in _ENDED:
        text = f"the node terminated the pod {pod.name} ({reason}){said}; free resources on the node"
        return Problem(Reason.EVICTED, f"{text}, or raise resources.requests in spec.podTemplate")
    if pod.ending is None:
        # Admission by the kubelet: the scheduler chose the node by what it knew a moment before.
        return Problem(Reason.UNSCHEDULABLE, f"the node refused the pod {pod.name} ({reason}){said}")
    return None
