"""Tell why the kubelet evicted or rejected a pod, which is not a crash of its containers."""

from typing import Final

from whatsapp_operator.observed.state import Pod, Problem
from whatsapp_session.conditions import Reason

_ENDED: Final = frozenset({"Evicted", "Preempting", "Terminated", "NodeShutdown", "Shutdown", "NodeLost"})
"""Reasons of the kubelet for the end of a pod because of its node: pressure, preemption, shutdown."""
_DEADLINE: Final = "DeadlineExceeded"


def problem(pod: Pod) -> Problem | None:
    """Return reason and message, None if the pod did not fail or failed because of its containers."""
    reason = pod.failed_reason
    if reason is None or reason == _DEADLINE:
        return None
    message = pod.failed_message.rstrip(". ")
    said = f": {message}" if message else ""
    if reason in _ENDED:
        text = f"the node terminated the pod {pod.name} ({reason}){said}; free resources on the node"
        return Problem(Reason.EVICTED, f"{text}, or raise resources.requests in spec.podTemplate")
    if pod.ending is None:
        # Rejected by the kubelet's admission: the scheduler had used outdated information about the node.
        return Problem(Reason.UNSCHEDULABLE, f"the node refused the pod {pod.name} ({reason}){said}")
    return None
