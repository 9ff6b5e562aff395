"""Judge a pod whose container does not run: what it waits for, if that is known."""

from dataclasses import dataclass

from whatsapp_operator.observed.state import Pod
from whatsapp_session.conditions import Phase, Reason

_IMAGE_PROBLEMS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_CONFIG_PROBLEMS = frozenset({"CreateContainerConfigError", "CreateContainerError"})


@dataclass(frozen=True, slots=True)
class PhaseStatus:
    """Where a session is; ``reason`` is for the conditions that are not True, ``message`` for people."""

    phase: Phase
    reason: Reason
    message: str


def not_running(pod: Pod) -> PhaseStatus:
    """Judge a pod whose container does not run: Starting, unless it is known what it waits for."""
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
