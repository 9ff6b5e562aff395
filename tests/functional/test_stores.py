"""Stores are checked by short pods, and say what is known of them."""

import json
from typing import Any

import pytest

from functional.callers import wait
from functional.conftest import kubectl
from functional.worker import connected, stamp
from functional.world import Place, World, plain_pod_spec
from whatsapp_session import names

Manifest = dict[str, Any]
pytestmark = pytest.mark.usefixtures("operator")


def claim(place: Place, mode: str = "ReadWriteMany") -> None:
    """Make the claim that the tests' stores name."""
    place.admin.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "archives", "namespace": place.name},
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )


def condition(place: Place, kind: str) -> Manifest:
    """Return a condition of the store; {} when absent."""
    store = place.admin.get(names.STORE_KIND, place.name, "default") or {}
    found = (store.get("status") or {}).get("conditions") or []
    return next((item for item in found if item["type"] == kind), {})


def check(place: Place, unlike: str | None = None) -> Manifest:
    """Wait for the pod of the store's check."""

    def there() -> Manifest | None:
        pod = place.admin.get("Pod", place.name, names.check_pod("default"))
        return pod if pod is not None and pod["metadata"]["uid"] != unlike else None

    found: Manifest = wait(there, lambda: f"a check's pod; the store says {condition(place, 'Ready')}")
    return found


def ends(place: Place, code: int, reason: str, message: str) -> None:
    """Play the check: it ends with these words."""
    said = json.dumps({"reason": reason, "message": message, "exitCode": code})
    ended = {"exitCode": code, "message": said, "startedAt": stamp(-2), "finishedAt": stamp()}
    container = {
        "name": "worker", "image": "worker", "imageID": "", "ready": False, "restartCount": 0,
        "state": {"terminated": ended},
    }  # fmt: skip
    status = {"phase": "Succeeded" if code == 0 else "Failed", "containerStatuses": [container]}
    place.admin.merge("Pod", place.name, names.check_pod("default"), {"status": status}, "status")


def wait_available(place: Place, status: str, reason: str) -> Manifest:
    """Wait for the store's StoreAvailable."""

    def there() -> bool:
        found = condition(place, "StoreAvailable")
        return (found.get("status"), found.get("reason")) == (status, reason)

    wait(there, lambda: f"StoreAvailable {status} {reason}; it is {condition(place, 'StoreAvailable')}")
    return condition(place, "StoreAvailable")


def test_a_store_is_checked_where_a_quota_demands_limits(place: Place) -> None:
    place.quota(**{f"{part}.{what}": 10**11 for part in ("requests", "limits") for what in ("cpu", "memory")})
    claim(place)
    place.store()
    check(place)


def test_a_store_is_checked_by_a_pod_without_a_token(place: Place, world: World) -> None:
    claim(place)
    place.store()
    pod = check(place)
    wait_available(place, "Unknown", "PodStarting")
    assert condition(place, "Reconciling")["status"] == "True"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not any("projected" in volume for volume in pod["spec"]["volumes"])
    assert pod["spec"]["serviceAccountName"] == "wa-worker-default"
    ends(place, 0, "StoreAnswered", "all four primitives work")
    wait_available(place, "True", "StoreAnswered")
    ready = condition(place, "Ready")
    assert (ready["status"], ready["message"]) == ("True", "all four primitives work")
    assert condition(place, "Reconciling") == condition(place, "Stalled") == {}
    wait(lambda: place.admin.get("Pod", place.name, names.check_pod("default")) is None, "the check's pod to go")
    shown = kubectl(world, "get", "wastore", "default", "-n", place.name)
    assert "Filesystem" in shown
    assert "archives" in shown
    assert "StoreAnswered" in shown


def test_nothing_is_written_while_nothing_changes(place: Place) -> None:
    claim(place)
    place.store()
    check(place)
    ends(place, 0, "StoreAnswered", "good")
    wait_available(place, "True", "StoreAnswered")
    wait(lambda: place.admin.get("Pod", place.name, names.check_pod("default")) is None, "the check's pod to go")
    before = place.admin.get(names.STORE_KIND, place.name, "default")
    # A session is served meanwhile, so that the operator had every occasion to write.
    place.session("support")
    place.wait_worker("support")
    place.wait_phase("support", "Starting")
    after = place.admin.get(names.STORE_KIND, place.name, "default")
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_a_store_that_fails_says_why_and_is_checked_again_when_it_is_changed(place: Place) -> None:
    place.store(s3={"bucket": "archives", "credentialsSecretRef": {"name": "login"}})
    first = check(place)
    ends(place, 3, "StoreUnfenced", "two writers won; use another server or accept it with spec.allowUnfenced")
    wait_available(place, "False", "StoreUnfenced")
    assert "spec.allowUnfenced" in condition(place, "Stalled")["message"]
    reasons = wait(lambda: [item for item in place.events("default") if item["reason"] == "StoreUnfenced"], "an Event")
    assert reasons[0]["type"] == "Warning"
    place.session("support")
    place.wait_phase("support", "Failed", "StoreUnfenced")
    assert place.pod("support") is None
    place.admin.merge(names.STORE_KIND, place.name, "default", {"spec": {"allowUnfenced": True}})
    again = check(place, unlike=first["metadata"]["uid"])
    env = {item["name"]: item.get("value") for item in again["spec"]["containers"][0]["env"]}
    assert env["WHATSAPP_STORE_ALLOW_UNFENCED"] == "true"
    ends(place, 0, "StoreAnswered", "it answers, unfenced as you accepted")
    wait_available(place, "True", "StoreAnswered")
    place.wait_worker("support")
    assert condition(place, "Stalled") == {}


def test_a_claim_that_does_not_exist_is_named_and_healed_when_it_appears(place: Place) -> None:
    place.store()
    assert "the PVC 'archives' does not exist" in wait_available(place, "False", "StoreUnavailable")["message"]
    claim(place, "ReadWriteOnce")
    check(place)
    ends(place, 0, "StoreAnswered", "good")
    message = wait_available(place, "True", "StoreAnswered")["message"]
    assert "'archives' is ReadWriteOnce: to run its sessions on several nodes" in message


def test_a_secret_that_does_not_exist_is_named_by_store_and_session(place: Place) -> None:
    place.store(mongodb={"uriSecretRef": {"name": "login", "key": "uri"}, "database": "whatsapp"})
    pod = check(place)
    (volume,) = [item for item in pod["spec"]["volumes"] if item["name"] == "store-credentials"]
    assert volume["secret"]["optional"] is True
    ends(place, 2, "SecretNotFound", "there is no file uri")
    message = wait_available(place, "False", "SecretNotFound")["message"]
    assert "the Secret 'login' with the key 'uri'" in message
    place.session("support")
    worker = place.wait_worker("support")
    (volume,) = [item for item in worker.pod["spec"]["volumes"] if item["name"] == "store-credentials"]
    assert "optional" not in volume["secret"]
    wait(
        lambda: place.condition("support", "StoreAvailable").get("reason") == "SecretNotFound", "the session to say so"
    )
    assert "the Secret 'login'" in place.condition("support", "StoreAvailable")["message"]
    # The node has the pod and waits for the Secret, about which a pod says nothing.
    worker.bind()
    worker.set_pod("Pending", {"waiting": {"reason": "ContainerCreating"}})
    place.wait_phase("support", "Failed", "SecretNotFound")
    assert "the Secret 'login' with the key 'uri'" in place.condition("support", "Stalled")["message"]
    worker.runs()
    place.wait_phase("support", "Starting")


def test_a_worker_that_has_no_answer_is_heard(place: Place) -> None:
    claim(place)
    place.store()
    check(place)
    ends(place, 0, "StoreAnswered", "good")
    wait_available(place, "True", "StoreAnswered")
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("Connected", **connected())
    place.wait_phase("support", "Connected")
    trouble = {"reason": "StoreUnavailable", "message": "the bucket is gone", "time": stamp()}
    worker.says("Connected", lastError=trouble, **connected())
    message = wait_available(place, "False", "StoreUnavailable")["message"]
    assert message == "the worker of the session 'support' reports: the bucket is gone"
    worker.says("Connected", **connected())
    wait_available(place, "True", "StoreAnswered")


def test_a_pod_of_somebody_else_that_has_the_checks_name_is_never_touched(place: Place) -> None:
    place.admin.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine", "namespace": place.name}}
    )
    mine = place.admin.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": names.check_pod("default"), "namespace": place.name},
            "spec": plain_pod_spec("mine"),
        }
    )
    place.store(s3={"bucket": "archives"})
    assert "is not this store's" in wait_available(place, "False", "Conflict")["message"]
    left = place.admin.get("Pod", place.name, names.check_pod("default"))
    assert left is not None
    assert left["metadata"]["resourceVersion"] == mine["metadata"]["resourceVersion"]


def test_rights_that_went_with_their_namespace_are_given_anew(place: Place) -> None:
    claim(place)
    place.store()
    place.session("first")
    place.wait_worker("first")
    place.admin.delete(names.SESSION_KIND, place.name, "first")
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        # As in a namespace that was deleted and made again.
        place.admin.delete(kind, place.name, names.session_account("first"))
    place.admin.delete("Pod", place.name, names.pod("first"), grace=0)
    place.session("first")
    worker = place.wait_worker("first").runs()
    worker.says("Connected", **connected())
    place.wait_phase("first", "Connected")


def test_a_store_that_comes_back_gives_its_archives_to_who_missed_them(place: Place) -> None:
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("Connected", **connected())
    place.wait_phase("support", "Connected")
    place.admin.delete(names.STORE_KIND, place.name, "default")
    place.store("archive")
    place.update("support", auth={"remoteAuth": {"storeRef": {"name": "archive"}}})
    wait(lambda: (place.pod("support") or worker.pod)["metadata"]["uid"] != worker.uid, "a worker on the other store")
    again = place.wait_worker("support")
    again.ends(3, "ArchiveMissing", "no archive here", phase="Failed")
    place.wait_phase("support", "Failed", "ArchiveMissing")
    wait(lambda: place.pod("support") is None, "the worker to go")
    wait(lambda: "re-create that" in place.condition("support", "Stalled")["message"], "the condition to say so")
    place.store()
    wait(lambda: place.admin.get("Pod", place.name, names.move_pod("support")), "the pod that copies the archives")
