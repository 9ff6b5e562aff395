"""Tell what a pod without a running container waits for, and what can be changed."""

from dataclasses import dataclass
from typing import Final

from whatsapp_operator.observed.state import Pod, Problem
from whatsapp_session import names
from whatsapp_session.conditions import Phase, Reason

SLOW_START_SECONDS: Final = 120.0
"""How long a pod that checks, moves or purges may take until its container runs, before a condition says so."""
_IMAGE_PROBLEMS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_CONFIG_PROBLEMS = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_ABSENT: Final = ("not found", "couldn't find key")
"""Words of the kubelet for a missing Secret, ConfigMap or key; it has no structured form for them."""


@dataclass(frozen=True, slots=True)
class PhaseStatus:
    """Phase of a session; ``reason`` is for conditions that are not True, ``message`` for users."""

    phase: Phase
    reason: Reason
    message: str


def not_running(pod: Pod) -> PhaseStatus:
    """Return the phase of a pod without a running container: Starting, with the reason why it waits if known."""
    found = obstacle(pod)
    if found is not None:
        phase = Phase.PENDING if found.reason is Reason.UNSCHEDULABLE else Phase.FAILED
        return PhaseStatus(phase, found.reason, found.message)
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


def obstacle(pod: Pod) -> Problem | None:
    """Return why a pod of any kind cannot start, and what can be changed; None if no reason is known."""
    if pod.unschedulable is not None and pod.node is None:
        text = f"the scheduler finds no node for the pod {pod.name}: {pod.unschedulable}"
        return Problem(Reason.UNSCHEDULABLE, f"{text}; free resources, or change {_shapes(pod)}")
    if pod.waiting in _IMAGE_PROBLEMS:
        text = f"the node cannot pull the image {pod.waiting_image} of the pod {pod.name}: {pod.waiting_message}"
        return Problem(Reason.IMAGE_PULL_FAILED, f"{text}; {_image_remedy(pod)}")
    if pod.waiting in _CONFIG_PROBLEMS:
        text = f"the container of the pod {pod.name} cannot start: {pod.waiting_message}"
        if any(word in pod.waiting_message for word in _ABSENT):
            return Problem(Reason.SECRET_NOT_FOUND, text)
        return Problem(Reason.INVALID_POD_TEMPLATE, f"{text}; change {_shapes(pod)}")
    return None


def slow(pod: Pod, namespace: str) -> str:
    """Return what to say of a pod that has not started for long without a known reason."""
    needs = f"; it needs {' and '.join(pod.needs)}" if pod.needs else ""
    why = f"`kubectl describe pod {pod.name} -n {namespace}` shows what it waits for"
    return f"the pod {pod.name} has not started for more than 2 minutes; {why}{needs}"


def _shapes(pod: Pod) -> str:
    """Return what shapes a pod beside its image."""
    if names.is_store_pod(pod.name):
        return "the chart's values storePods, worker and podSecurityContext"
    return "spec.podTemplate, or the chart's values worker and podSecurityContext"


def _image_remedy(pod: Pod) -> str:
    if pod.waiting_image != pod.image:
        return "correct what adds the container with this image, such as spec.podTemplate or a sidecar injector"
    places = ["spec.custom.image of the SessionStore", "the chart's value worker.image"]
    if pod.name.startswith(names.check_pod("")):
        where = " or ".join(places)
    else:
        where = f"spec.podTemplate, {' or '.join(places)}"
    return f"correct the image in {where}, or name a pull secret in the chart's value worker.imagePullSecrets"
