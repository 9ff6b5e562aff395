"""Failing pods are explained in conditions, and nothing is tried in a hot loop."""

import time
from collections.abc import Iterator

import pytest

from functional.callers import wait
from functional.worker import NODE, Worker
from functional.world import Place
from whatsapp_session import names

pytestmark = pytest.mark.usefixtures("operator")
REFUSED = {"spec": {"containers": [{"name": "worker", "resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}]}}
"""A podTemplate of which only the API server can tell that it makes no pod."""


@pytest.fixture
def worker(place: Place) -> Worker:
    """A session's worker whose pod is scheduled, so that its deletion waits for the kubelet."""
    place.store()
    place.session("support")
    made = place.wait_worker("support")
    made.bind()
    return made


def test_a_pod_that_fits_no_node_is_explained(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: memory"}
    patch = {"status": {"conditions": [condition]}}
    place.admin.merge("Pod", place.name, worker.pod["metadata"]["name"], patch, "status")
    place.wait_phase("support", "Pending", "Unschedulable")
    assert "0/3 nodes: memory" in place.condition("support", "Reconciling")["message"]


def test_an_image_that_cannot_be_pulled_is_explained(place: Place, worker: Worker) -> None:
    worker.set_pod("Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})
    place.wait_phase("support", "Failed", "ImagePullFailed")
    assert "no such image" in place.condition("support", "Stalled")["message"]


def test_a_worker_without_enough_memory_is_explained(place: Place, worker: Worker) -> None:
    killed = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-01-01T00:00:00Z"}
    worker.set_pod(
        "Running", {"waiting": {"reason": "CrashLoopBackOff"}}, last_state={"terminated": killed}, restarts=3
    )
    place.wait_phase("support", "Failed", "OutOfMemory")
    assert "raise the worker container's memory" in place.condition("support", "Stalled")["message"]


def test_a_crash_loop_is_explained_and_left_to_the_node(place: Place, worker: Worker) -> None:
    worker.ends(1, phase="Running")
    place.wait_phase("support", "Failed", "CrashLoop")
    pod = place.pod("support")
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]
    worker.runs()
    place.wait_phase("support", "Starting")


def test_an_evicted_pod_is_called_so_and_followed_by_another(place: Place, worker: Worker) -> None:
    said = {"reason": "Evicted", "message": "The node was low on resource: memory. "}
    worker.set_pod("Failed", {"terminated": {"exitCode": 137, "reason": "Error"}}, **said)
    place.wait_phase("support", "Failed", "Evicted")
    assert "low on resource: memory" in place.condition("support", "Stalled")["message"]
    wait(lambda: (place.pod("support") or worker.pod)["metadata"]["uid"] != worker.uid, "a new pod")


@pytest.mark.parametrize(
    ("code", "reason"), [(2, "BrowserTooOld"), (3, "ArchiveMissing"), (3, "StoreSessionInUse")], ids=str
)
def test_a_worker_that_gave_up_is_not_started_again_until_something_changes(
    place: Place, worker: Worker, code: int, reason: str
) -> None:
    worker.ends(code, reason, "the sentence of the worker", phase="Running")
    place.wait_phase("support", "Failed", reason)
    wait(lambda: "deletionTimestamp" in (place.pod("support") or {"metadata": {}})["metadata"], "the pod to be stopped")
    worker.vanishes()
    wait(lambda: "podUID" not in place.status("support")["worker"], "the pod's end to be seen")
    assert place.pod("support") is None
    assert place.condition("support", "Stalled")["message"] == "the sentence of the worker"
    place.update("support", browser={"userAgent": "Mended/1.0"})
    place.wait_worker("support")


def test_a_request_for_a_restart_lifts_the_hold(place: Place, worker: Worker) -> None:
    worker.ends(3, "ArchiveMissing", "there is no archive", phase="Running")
    place.wait_phase("support", "Failed", "ArchiveMissing")
    worker.vanishes()
    wait(lambda: "podUID" not in place.status("support")["worker"], "the pod's end to be seen")
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    request = {"metadata": {"annotations": {names.request_annotation("restart"): later}}}
    place.admin.merge(names.SESSION_KIND, place.name, "support", request)
    place.wait_worker("support")


def test_an_expired_link_waits_for_a_person(place: Place, worker: Worker) -> None:
    worker.ends(0, "QRExpired", "nobody scanned", phase="Succeeded")
    place.wait_phase("support", "LinkExpired", "QRExpired")
    assert place.condition("support", "Ready")["status"] == "True"
    worker.vanishes()
    wait(lambda: "podUID" not in place.status("support")["worker"], "the pod's end to be seen")
    assert place.pod("support") is None
    assert place.status("support")["phase"] == "LinkExpired"


def test_a_banned_account_is_not_tried_at_once(place: Place, worker: Worker) -> None:
    # By a node's clock that is 10 minutes behind: the minute's pause is the operator's own.
    worker.ends(4, "TemporarilyBanned", "WhatsApp asks for patience", phase="Running", offset=-600)
    place.wait_phase("support", "Failed", "TemporarilyBanned")
    worker.vanishes()
    wait(lambda: "podUID" not in place.status("support")["worker"], "the pod's end to be seen")
    assert place.pod("support") is None
    assert place.status("support")["worker"]["last"]["failures"] == 1


def test_a_pod_that_ended_well_is_made_anew_at_once(place: Place, worker: Worker) -> None:
    worker.ends(0, phase="Succeeded")
    wait(lambda: (place.pod("support") or worker.pod)["metadata"]["uid"] != worker.uid, "a new pod")
    again = place.wait_worker("support")
    assert again.pod["spec"].get("nodeName") != NODE


def test_a_pod_that_the_quota_refuses_is_explained(place: Place) -> None:
    place.quota(pods=0)
    place.store()
    place.session("support")
    place.wait_phase("support", "Pending", "QuotaExceeded")


@pytest.fixture
def refusing(place: Place) -> Iterator[None]:
    """A webhook that must be asked about pods of this namespace, and that nobody answers for."""
    base = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    name = f"away-{place.name}"
    webhook = {
        "name": "away.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.name}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 30,  # a refused connection answers at once; only a slow machine waits
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    place.admin.send("POST", base, {**head, "metadata": {"name": name}, "webhooks": [webhook]})
    try:
        wait(lambda: "away.example.com" in place.refusal(), "the webhook to be asked")
        yield
    finally:
        place.admin.send("DELETE", f"{base}/{name}")


def test_a_webhook_that_is_away_is_one_condition_and_harms_no_other(place: Place, refusing: None) -> None:
    place.store()
    place.session("support")
    place.wait_phase("support", "Failed", "InvalidPodTemplate")
    message = place.condition("support", "Stalled")["message"]
    assert "refuses to create the pod wa-support" in message
    assert "away.example.com" in message
    place.wait_phase("support", "Failed", "InvalidPodTemplate")
    wait(  # long before the minute's rest of a refused session is over
        lambda: place.condition("support", "StoreAvailable").get("status") == "False",
        "the verdict on the store to reach the session",
    )
    version = place.get("support")["metadata"]["resourceVersion"]
    other = place.world.namespace()
    other.store()
    other.session("unharmed")
    other.wait_worker("unharmed")
    other.empty()
    assert place.get("support")["metadata"]["resourceVersion"] == version, "it is said once"
    assert len([event for event in place.events("support") if event["reason"] == "InvalidPodTemplate"]) == 1


def test_a_pod_template_that_the_server_refuses_is_explained(place: Place) -> None:
    place.store()
    place.session("support", podTemplate=REFUSED)
    place.wait_phase("support", "Failed", "InvalidPodTemplate")
    assert "must be less than or equal to cpu limit" in place.condition("support", "Stalled")["message"]
    place.update("support", podTemplate=None)
    place.wait_worker("support")
