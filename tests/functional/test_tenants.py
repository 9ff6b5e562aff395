"""A tenant's namespace with quota and LimitRange, on a real API server: what is refused says what to change."""

from typing import Any

import pytest

from functional.callers import wait
from functional.world import Place
from whatsapp_session import names

Manifest = dict[str, Any]
pytestmark = pytest.mark.usefixtures("operator")
BOUNDS: Manifest = {
    "type": "Container",
    "max": {"memory": "1Gi", "cpu": "1"},
    "min": {"cpu": "25m", "memory": "64Mi"},
    "maxLimitRequestRatio": {"cpu": "10"},
}
COUNTED = [f"{part}.{what}" for part in ("requests", "limits") for what in ("cpu", "memory", "ephemeral-storage")]
FITTING = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def bounded(place: Place) -> None:
    """Bound the containers of a namespace, as platforms do for their tenants."""
    head = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "tenant", "namespace": place.name}}
    spec = {"limits": [BOUNDS]}
    place.admin.send("POST", f"/api/v1/namespaces/{place.name}/limitranges", {**head, "spec": spec})
    wait(lambda: "per Container" in place.refusal(memory="2Gi"), "the LimitRange to be in force")


def with_resources(resources: Manifest) -> Manifest:
    """Return a podTemplate."""
    return {"spec": {"containers": [{"name": names.WORKER_CONTAINER, "resources": resources}]}}


def claim(place: Place) -> None:
    """Make the claim that the store names."""
    metadata = {"name": "archives", "namespace": place.name}
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    place.admin.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})


def store_says(place: Place) -> Manifest:
    """Return Ready of the store."""
    found = place.admin.get(names.STORE_KIND, place.name, "default") or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == "Ready"), {})


def test_a_store_is_checked_and_a_worker_says_which_resources_do_not_fit(place: Place) -> None:
    place.quota(**dict.fromkeys(COUNTED, 10**11))
    bounded(place)
    claim(place)
    place.store()
    wait(
        lambda: place.admin.get("Pod", place.name, names.check_pod("default")),
        lambda: f"a check's pod; the store says {store_says(place)}",
    )
    place.session("large", podTemplate=with_resources({"limits": {"memory": "2Gi"}}))
    place.wait_phase("large", "Failed", "InvalidPodTemplate")
    message = place.condition("large", "Stalled")["message"]
    assert "change the resources in spec.podTemplate, or the chart's value worker.resources" in message
    place.session("fitted", podTemplate=with_resources(FITTING))
    place.wait_worker("fitted")


def test_a_full_quota_is_a_condition_of_the_store_until_there_is_room(place: Place) -> None:
    place.quota(pods=0)
    claim(place)
    place.store()
    wait(lambda: store_says(place).get("reason") == "QuotaExceeded", lambda: f"the refusal; {store_says(place)}")
    assert "lower the chart's value storePods.resources" in store_says(place)["message"]
