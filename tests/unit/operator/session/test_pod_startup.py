"""A pod that does not start says why, and what can be changed, whatever kind of pod it is."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.observed.state import Pod
from whatsapp_operator.session.pod_startup import obstacle
from whatsapp_session import names

WORKER, CHECK, MOVE, PURGE = (make("a") for make in (names.pod, names.check_pod, names.move_pod, names.purge_pod))
NO_ROOM = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu"}]}


def pod(name: str, status: dict[str, Any], *, placed: bool = True) -> Pod:
    """Return a pod with a status."""
    found = samples.pod(**status)
    return dataclasses.replace(found, name=name, node="node-1" if placed else None)


def behind(reason: str) -> dict[str, Any]:
    """Return the status of a pod whose container waits for an init container, which waits itself."""
    waiting = samples.waiting("PodInitializing")
    init = {"name": "proxy-init", "state": {"waiting": {"reason": reason, "message": "no such proxy"}}}
    return waiting | {"initContainerStatuses": [{"name": "done", "state": {"terminated": {}}}, init]}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (WORKER, "spec.podTemplate, spec.custom.image of the SessionStore or the chart's value worker.image"),
        (CHECK, "in spec.custom.image of the SessionStore or the chart's value worker.image, or name a pull secret"),
        (MOVE, "spec.podTemplate"),
        (PURGE, "worker.imagePullSecrets"),
    ],
)
@pytest.mark.parametrize("word", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled(name: str, change: str, word: str) -> None:
    found = obstacle(pod(name, samples.waiting(word, "manifest unknown")))
    assert found is not None
    assert found.reason == "ImagePullFailed"
    assert f"the image worker:1 of the pod {name}: manifest unknown; " in found.message
    assert change in found.message


@pytest.mark.parametrize("name", [WORKER, CHECK, MOVE, PURGE])
def test_the_image_of_a_container_that_was_injected_before_ours(name: str) -> None:
    found = obstacle(pod(name, behind("ImagePullBackOff")))
    assert found is not None
    assert (found.reason, "no such proxy" in found.message) == ("ImagePullFailed", True)
    assert "sidecar injector" in found.message
    assert "worker:1" not in found.message


@pytest.mark.parametrize(
    ("name", "change"), [(WORKER, "spec.podTemplate"), (CHECK, "storePods"), (MOVE, "storePods"), (PURGE, "storePods")]
)
def test_a_pod_for_which_no_node_has_room(name: str, change: str) -> None:
    found = obstacle(pod(name, {"phase": "Pending", **NO_ROOM}, placed=False))
    assert found is not None
    assert found.reason == "Unschedulable"
    assert "Insufficient cpu; free resources, or change" in found.message
    assert change in found.message


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('secret "login" not found', "SecretNotFound"),
        ("couldn't find key uri in Secret bots/login", "SecretNotFound"),
        ("container has runAsNonRoot and image will run as root", "InvalidPodTemplate"),
    ],
)
@pytest.mark.parametrize("name", [WORKER, CHECK, PURGE])
def test_a_container_that_cannot_be_created(name: str, message: str, reason: str) -> None:
    found = obstacle(pod(name, samples.waiting("CreateContainerConfigError", message)))
    assert found is not None
    assert (found.reason, message in found.message) == (reason, True)
    assert ("podSecurityContext" in found.message) == (reason == "InvalidPodTemplate")


def test_a_pod_that_only_takes_its_time_has_no_obstacle() -> None:
    assert obstacle(pod(CHECK, samples.waiting("ContainerCreating"))) is None
    assert obstacle(pod(CHECK, samples.waiting("PodInitializing"))) is None
    assert obstacle(pod(CHECK, samples.running())) is None
