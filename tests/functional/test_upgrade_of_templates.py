"""An upgrade from a release that took any podTemplate: what was stored goes on, and says what is wrong with it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.conftest import IMAGE, INSTALL, install, installed, kubectl, starting
from functional.worker import Worker, connected
from functional.world import Place, World
from whatsapp_operator.manifests import worker_pod
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.parsing import parse_session_resource, parse_store_resource
from whatsapp_session import names

Manifest = dict[str, Any]
OLD = Path(__file__).parent / "releases" / "3851359.yaml"
SIDECAR = {"name": "bot", "image": "bot:1", "securityContext": {"privileged": True}}
PRIVILEGED = {"spec": {"containers": [SIDECAR]}}
SWITCHES = ["--host-resolver-rules=MAP * 10.0.0.1", "--log-net-log=/tmp/log"]
VALUE = "podTemplate.podSecurity=privileged"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane with what the older release installed."""
    with installed(tmp_path_factory.mktemp("older"), OLD) as made:
        yield made


@pytest.fixture(scope="module")
def stored(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sessions of the older release with their pods, in a namespace without a standard, after the upgrade."""
    place = world.namespace(enforce="privileged")
    place.store()
    for name in ("stays", "suspended", "deleted"):
        place.session(name, podTemplate=PRIVILEGED)
        pod_of(place, name)
    place.session("switches", operatingMode="Suspended", browser={"args": SWITCHES})
    install(world, INSTALL)
    place.wait_refused(VALUE, podTemplate=PRIVILEGED)
    with starting(world, tmp_path_factory)():
        yield place


def pod_of(place: Place, name: str) -> None:
    """Make the pod that the older operator made of a session."""
    store = place.admin.get(names.STORE_KIND, place.name, "default")
    assert store is not None
    session, parsed = parse_session_resource(place.get(name), time.time()), parse_store_resource(store)
    pod = worker_pod.pod(session, parsed, WorkerDefaults(image=IMAGE, cluster="older"))
    metadata = {"name": pod["spec"]["serviceAccountName"], "namespace": place.name}
    if place.admin.get("ServiceAccount", place.name, metadata["name"]) is None:
        place.admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    place.admin.create(pod)


def stopping(place: Place, name: str) -> bool:
    """Return whether the pod of a session was asked to stop."""
    pod = place.pod(name)
    return pod is not None and "deletionTimestamp" in pod["metadata"]


def running(place: Place, name: str) -> Worker:
    """Return the worker of a stored session, which reports under its own token."""
    worker = place.wait_worker(name)
    worker.bind()
    worker.runs()
    worker.says("Connected", **connected())
    wait(lambda: place.condition(name, "Connected").get("status") == "True", lambda: f"{place.status(name)}")
    return worker


def test_the_pod_runs_on_and_a_condition_names_field_and_chart_value(stored: Place) -> None:
    worker = running(stored, "stays")
    said = stored.condition("stays", "Stalled")
    assert said["reason"] == "InvalidPodTemplate"
    assert "spec.podTemplate.spec.containers[bot].securityContext.privileged" in said["message"]
    assert VALUE in said["message"]
    # Everything but the part that is wrong can be changed, by whatever means.
    kubectl(stored.world, "annotate", "was", "stays", "-n", stored.name, "note=kept")
    kubectl(stored.world, "label", "was", "stays", "-n", stored.name, "team=a")
    stored.admin.merge(names.SESSION_KIND, stored.name, "stays", {"metadata": {"finalizers": ["example.com/hold"]}})
    stored.admin.merge(names.SESSION_KIND, stored.name, "stays", {"metadata": {"finalizers": []}})
    stored.update("stays", browser={"userAgent": "Other/1.0"})
    stored.update("stays", podTemplate={"spec": {"nodeSelector": {"disk": "fast"}, "containers": [SIDECAR]}})
    generation = stored.get("stays")["metadata"]["generation"]
    wait(lambda: stored.status("stays").get("observedGeneration") == generation, "the change to be seen")
    pod = stored.pod("stays")
    assert pod is not None
    assert (pod["metadata"]["uid"], "deletionTimestamp" in pod["metadata"]) == (worker.uid, False)


@pytest.mark.parametrize(
    "template",
    [
        {"spec": {"containers": [SIDECAR | {"image": "bot:2"}]}},
        {"spec": {"containers": [SIDECAR, SIDECAR | {"name": "another"}]}},
        {"spec": {"containers": [SIDECAR], "shareProcessNamespace": True}},
    ],
    ids=["the same container", "another container", "another field"],
)
def test_what_a_request_changes_is_refused(stored: Place, template: Manifest) -> None:
    with pytest.raises(ApiError) as error:
        stored.update("stays", podTemplate=template)
    assert VALUE in error.value.message


def test_a_stored_session_can_be_suspended_and_mended(stored: Place) -> None:
    worker = running(stored, "suspended")
    stored.update("suspended", operatingMode="Suspended")
    wait(lambda: stopping(stored, "suspended"), "the pod to stop")
    worker.vanishes()
    stored.wait_phase("suspended", "Suspended")
    stored.update("suspended", operatingMode="Running")
    stored.wait_phase("suspended", "Failed", "InvalidPodTemplate")
    assert stored.pod("suspended") is None
    stored.update("suspended", podTemplate={"spec": {"containers": [{"name": "bot", "image": "bot:1"}]}})
    stored.wait_worker("suspended")
    assert stored.condition("suspended", "Stalled") == {}


def test_stored_switches_of_the_browser_stay_until_their_list_is_changed(stored: Place) -> None:
    kubectl(stored.world, "annotate", "was", "switches", "-n", stored.name, "note=kept")
    stored.update("switches", browser={"userAgent": "Other/1.0"})
    stored.wait_phase("switches", "Suspended")
    with pytest.raises(ApiError, match="must not let the browser read or write files"):
        stored.update("switches", browser={"args": [*SWITCHES, "--lang=de"]})
    assert stored.update("switches", browser={"args": ["--lang=de"]})["spec"]["browser"]["args"] == ["--lang=de"]


def test_a_stored_session_can_be_deleted(stored: Place) -> None:
    worker = running(stored, "deleted")
    stored.admin.delete(names.SESSION_KIND, stored.name, "deleted")
    wait(lambda: stored.admin.get(names.SESSION_KIND, stored.name, "deleted") is None, "the session to go")
    wait(lambda: stopping(stored, "deleted"), f"the pod {worker.uid} to stop")
