"""Tell what a pod without a running container waits for."""

from dataclasses import dataclass

from whatsapp_operator.observed.state import Pod
from whatsapp_session.conditions import Phase, Reason

_IMAGE_PROBLEMS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_CONFIG_PROBLEMS = frozenset({"CreateContainerConfigError", "CreateContainerError"})


@dataclass(frozen=True, slots=True)
class PhaseStatus:
    """Phase of a session; ``reason`` is for conditions that are not True, ``message`` for users."""

    phase: Phase
    reason: Reason
    message: str


def not_running(pod: Pod) -> PhaseStatus:
    """Return the phase of a pod without a running container: Starting, with the reason why it waits if known."""
    if pod.unschedulable is not None and pod.node is None:
        return PhaseStatus(
            Phase.PENDING,
            Reason.UNSCHEDULABLE,
            f"the scheduler finds no node for the pod {pod.name}: {pod.unschedulable}",
        )
    if pod.waiting in _IMAGE_PROBLEMS:
        return PhaseStatus(
            Phase.FAILED, Reason.IMAGE_PULL_FAILED, f"the node cannot pull the image {pod.image}: {pod.waiting_message}"
        )
    if pod.waiting in _CONFIG_PROBLEMS:
        return PhaseStatus(
            Phase.FAILED, Reason.SECRET_NOT_FOUND, f"the worker container cannot start: {pod.waiting_message}"
        )
    if pod.waiting == "CrashLoopBackOff" and pod.ending is not None:
        if pod.ending.out_of_memory:
            return PhaseStatus(
                Phase.FAILED,
                Reason.OUT_OF_MEMORY,
                "the worker used more memory than its limit; raise the worker container's memory in spec.podTemplate",
            )
        return PhaseStatus(
            Phase.FAILED,
            pod.ending.reason or Reason.CRASH_LOOP,
            pod.ending.message or f"the worker keeps ending with code {pod.ending.exit_code}; see its log",
        )
    needs = f"; it needs {' and '.join(pod.needs)}" if pod.waiting == "ContainerCreating" and pod.needs else ""
    return PhaseStatus(Phase.STARTING, Reason.POD_STARTING, f"the worker pod is starting{needs}")
