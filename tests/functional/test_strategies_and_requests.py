"""Strategies, requests, refused changes and namespaces that go, on the real API server."""

from typing import Any

import pytest

from functional.callers import wait
from functional.worker import connected, stamp
from functional.world import Place, World
from whatsapp_session import names

Manifest = dict[str, Any]


@pytest.fixture
def served(operator: None) -> None:
    """Serve the test's namespace by the shared operator."""


def data_volume(pod: Manifest) -> Manifest:
    """Return the volume that holds the profile."""
    found: Manifest = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "data")
    return found


def test_noauth_needs_no_store_and_keeps_nothing(place: Place, served: None) -> None:
    place.session("support", auth={"strategy": "NoAuth"})
    worker = place.wait_worker("support")
    assert "emptyDir" in data_volume(worker.pod)
    assert worker.pod["spec"]["serviceAccountName"] == "wasession-support"
    worker.runs().says("Connected", account={"id": "49***89@c.us", "hash": "aa"})
    place.wait_phase("support", "Connected")
    assert place.condition("support", "Saved") == {}


def test_localauth_gets_a_claim_that_outlives_its_session(place: Place, served: None) -> None:
    place.session("support", auth={"strategy": "LocalAuth", "localAuth": {"size": "2Gi"}})
    worker = place.wait_worker("support")
    claim = place.admin.get("PersistentVolumeClaim", place.name, "wa-support")
    assert claim is not None
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert "ownerReferences" not in claim["metadata"]
    assert data_volume(worker.pod)["persistentVolumeClaim"]["claimName"] == "wa-support"
    worker.runs().says("Connected", **connected())
    place.wait_phase("support", "Connected", "ProfileOnClaim")


def test_a_claim_that_the_user_names_is_used_and_none_is_made(place: Place, served: None) -> None:
    place.session("support", auth={"strategy": "LocalAuth", "localAuth": {"claimName": "mine"}})
    worker = place.wait_worker("support")
    assert data_volume(worker.pod)["persistentVolumeClaim"]["claimName"] == "mine"
    assert place.admin.items("PersistentVolumeClaim", place.name) == []


def test_a_request_to_save_reaches_the_worker_on_its_lease(place: Place, served: None) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("Connected", **connected())
    request, time = names.request_annotation("save"), stamp()
    place.admin.merge(names.SESSION_KIND, place.name, "support", {"metadata": {"annotations": {request: time}}})

    def on_the_lease() -> bool:
        return ((place.lease("support") or {})["metadata"].get("annotations") or {}).get(request) == time

    wait(on_the_lease, "the request on the Lease")
    worker.says("Connected", handledRequests={"save": time}, **connected(2))
    wait(lambda: place.status("support").get("handledRequests") == {"save": time}, "the request to be said handled")
    wait(lambda: not on_the_lease(), "the request to leave the Lease")
    pod = place.pod("support")
    assert pod is not None
    assert pod["metadata"]["uid"] == worker.uid


def test_a_request_for_a_restart_makes_one_new_pod(place: Place, served: None) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support")
    time = stamp()
    request = {"metadata": {"annotations": {names.request_annotation("restart"): time}}}
    place.admin.merge(names.SESSION_KIND, place.name, "support", request)
    wait(lambda: place.status("support").get("handledRequests") == {"restart": time}, "the restart to be said handled")
    again = place.wait_worker("support")
    assert again.uid != worker.uid


def test_a_change_that_the_server_refuses_leaves_the_worker_running(place: Place, served: None) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("Connected", **connected())
    place.wait_phase("support", "Connected")
    place.update("support", podTemplate={"spec": {"containers": [{"name": "bot"}]}})
    place.wait_phase("support", "Connected", "InvalidPodTemplate")
    assert "spec.containers[1].image: Required value" in place.condition("support", "Stalled")["message"]
    pod = place.pod("support")
    assert pod is not None
    assert pod["metadata"]["uid"] == worker.uid
    place.update("support", podTemplate=None)
    wait(lambda: place.condition("support", "Stalled") == {}, "the session to be mended")


def test_a_namespace_that_is_being_deleted_is_one_condition_and_harms_no_other(
    place: Place, world: World, served: None
) -> None:
    place.session("support")
    place.wait_phase("support", "Pending", "StoreNotFound")
    place.store()
    worker = place.wait_worker("support")
    # Without the controller manager a namespace goes on terminating for ever.
    place.admin.send("DELETE", f"/api/v1/namespaces/{place.name}")
    place.admin.delete("Pod", place.name, "wa-support")
    place.wait_phase("support", "Pending", "Stopping")
    assert place.condition("support", "Ready")["message"] == "the namespace is being deleted"
    assert place.pod("support") is None
    assert worker.uid
    other = world.namespace()
    other.store()
    other.session("support")
    other.wait_worker("support")
