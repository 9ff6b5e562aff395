"""The operator brings sessions to what their specification says."""

import pytest

from functional.callers import wait
from functional.worker import connected, stamp
from functional.world import Place, plain_pod_spec
from whatsapp_session import names

pytestmark = pytest.mark.usefixtures("operator")


def test_an_empty_spec_works_when_a_store_default_exists(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    lease = place.lease("support")
    assert worker.pod["spec"]["serviceAccountName"] == "wasession-support"
    assert lease is not None
    assert lease["metadata"]["annotations"][names.ANNOTATION_WORKER_POD_UID] == worker.uid
    assert lease["spec"] == {"leaseDurationSeconds": 60}
    place.wait_phase("support", "Starting", "PodStarting")


def test_a_session_says_what_its_worker_reports(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("AwaitingLink", qr={"code": "2@x", "issuedAt": stamp(), "expiresAt": stamp(20), "attempt": 1})
    place.wait_phase("support", "AwaitingLink", "AwaitingScan")
    assert place.condition("support", "Ready")["status"] == "True"
    assert "kubectl whatsapp qr support" in place.condition("support", "Ready")["message"]
    worker.says("Connected", **connected())
    status = place.wait_phase("support", "Connected", "ArchiveVerified")
    assert "qr" not in status["session"]
    assert {item["type"]: item["status"] for item in status["conditions"]} == {
        "Ready": "True",
        "Linked": "True",
        "Connected": "True",
        "Saved": "True",
        "StoreAvailable": "True",
    }
    reasons = wait(lambda: {e["reason"] for e in place.events("support")} >= {"SocketConnected"}, "the Event")
    assert reasons


def test_a_missing_store_is_a_condition_that_heals_when_the_store_appears(place: Place) -> None:
    place.session("support")
    place.wait_phase("support", "Pending", "StoreNotFound")
    assert "'default' does not exist" in place.condition("support", "StoreAvailable")["message"]
    assert place.pod("support") is None
    place.store()
    place.wait_worker("support")
    place.wait_phase("support", "Starting")


def test_a_pod_owned_by_someone_else_is_never_touched(place: Place) -> None:
    place.admin.create(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "mine", "namespace": place.name},
        }
    )
    mine = place.admin.create(_foreign_pod(place))
    place.store()
    place.session("support")
    place.wait_phase("support", "Failed", "Conflict")
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    wait(lambda: place.admin.get(names.SESSION_KIND, place.name, "support") is None, "the session to go")
    left = place.pod("support")
    assert left is not None
    assert left["metadata"]["resourceVersion"] == mine["metadata"]["resourceVersion"]


def _foreign_pod(place: Place) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "wa-support",
            "namespace": place.name,
            "labels": {names.LABEL_SESSION: "support"},
        },
        "spec": plain_pod_spec("mine"),
    }


def test_suspend_stops_the_pod_gracefully_and_resume_makes_a_new_one(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    worker.bind()
    worker.runs().says("Connected", **connected())
    place.wait_phase("support", "Connected")
    place.update("support", operatingMode="Suspended")
    place.wait_phase("support", "Pending", "Stopping")
    # The status says so before the pod is deleted.
    pod = wait(lambda: (p := place.pod("support")) and "deletionTimestamp" in p["metadata"] and p, "the worker to stop")
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 120
    worker.vanishes()
    status = place.wait_phase("support", "Suspended", "ArchiveVerified")
    wait(lambda: "session" not in place.status("support"), "the dead worker's report to be cleared")
    known = {"accountHash": "0123456789abcdef", "linked": True, "saved": True, "store": "default"}
    assert status["worker"] == {"last": known}
    place.update("support", operatingMode="Running")
    again = place.wait_worker("support")
    assert again.uid != worker.uid
    # What the last worker knew is still known while the new one starts.
    assert place.condition("support", "Saved")["status"] == "True"


def test_a_deleted_pod_is_made_anew_and_its_report_cleared(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("AwaitingLink", qr={"code": "2@secret", "issuedAt": stamp(), "expiresAt": stamp(20), "attempt": 1})
    place.wait_phase("support", "AwaitingLink")
    place.admin.delete("Pod", place.name, "wa-support")
    wait(lambda: (place.pod("support") or worker.pod)["metadata"]["uid"] != worker.uid, "a new pod")
    place.wait_worker("support")
    wait(lambda: "session" not in place.status("support"), "the dead worker's QR code to be cleared")


def test_a_changed_spec_replaces_the_pod_and_says_why(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    place.update("support", browser={"userAgent": "Mine/1.0"})
    wait(
        lambda: (place.pod("support") or worker.pod)["metadata"]["uid"] != worker.uid,
        lambda: f"a new pod; the session says {place.condition('support', 'Ready')}",
    )
    events = wait(
        lambda: [item for item in place.events("support") if item["reason"] == "Replacing"], "an Event that says why"
    )
    assert "WHATSAPP_BROWSER_USER_AGENT" in events[0]["message"]
    assert "Mine/1.0" not in events[0]["message"]


def test_a_deleted_session_stops_its_pod(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    worker.bind()
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    wait(lambda: (place.pod("support") or {"metadata": {"deletionTimestamp": 1}})["metadata"].get("deletionTimestamp"),
         "the pod to be stopping")  # fmt: skip
    worker.vanishes()
    wait(lambda: place.pod("support") is None, "the pod to be gone")


def test_a_session_of_the_same_name_does_not_take_over_the_pod_of_its_predecessor(place: Place) -> None:
    place.store()
    first = place.session("support")
    worker = place.wait_worker("support")
    worker.bind()
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    second = place.session("support")
    place.wait_phase("support", "Pending", "Replacing")
    assert "podUID" not in (place.status("support").get("worker") or {})
    worker.vanishes()
    again = place.wait_worker("support")
    assert [owner["uid"] for owner in again.pod["metadata"]["ownerReferences"]] == [second["metadata"]["uid"]]
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
