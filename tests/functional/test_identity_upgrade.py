"""An upgrade from one account for each store, as commit 3851359 leaves it, to one for each session."""

from typing import Any

import pytest

from functional.callers import ApiError, Caller, wait
from functional.conftest import Operator
from functional.pairs import event_in
from functional.worker import Worker, connected
from functional.world import Place, plain_pod_spec
from whatsapp_kube.requests import Ref, path
from whatsapp_operator import rollout
from whatsapp_operator.manifests import rbac
from whatsapp_session import names

Manifest = dict[str, Any]
ROLE_ARN = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/archives"}
PACED = rollout.Limits(starting=1000, replacing=1, replacing_percent=1)


def old_rights(place: Place, account: str = "wa-worker-default") -> None:
    """Make account and binding as the earlier operator did."""
    head = {"name": account, "namespace": place.name}
    place.admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": head}, manager=names.OPERATOR_MANAGER)
    subject = {"kind": "ServiceAccount", **head}
    role = {"apiGroup": rbac.RBAC, "kind": "ClusterRole", "name": names.WORKER_CLUSTER_ROLE}
    binding = {"apiVersion": f"{rbac.RBAC}/v1", "kind": "RoleBinding", "metadata": head}
    place.admin.apply({**binding, "roleRef": role, "subjects": [subject]}, manager=names.OPERATOR_MANAGER)


def old_worker(place: Place, name: str, account: str = "wa-worker-default") -> Worker:
    """Make a session with the worker that the earlier operator has started, connected and saved."""
    session = place.session(name)
    owner = {
        "apiVersion": names.API_VERSION, "kind": names.SESSION_KIND, "name": name,
        "uid": session["metadata"]["uid"], "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    labels = {
        names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER,
        names.LABEL_SESSION: name, names.LABEL_STORE: "default",
    }  # fmt: skip
    annotations = {names.ANNOTATION_TEMPLATE_HASH: "5465eab0870fe199", names.ANNOTATION_GENERATION: "1"}
    pod = place.admin.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": names.pod(name), "namespace": place.name, "labels": labels,
                "annotations": annotations, "ownerReferences": [owner],
            },
            "spec": plain_pod_spec(account),
        }
    )  # fmt: skip
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": names.lease(name), "namespace": place.name,
            "annotations": {names.ANNOTATION_WORKER_POD_UID: pod["metadata"]["uid"]},
        },
        "spec": {"leaseDurationSeconds": 60},
    }  # fmt: skip
    place.admin.apply(lease, manager=names.OPERATOR_MANAGER)
    worker = Worker(place, name, pod)
    worker.bind()
    said = worker.runs().report("Connected", **connected())
    status = {
        "phase": "Connected",
        "worker": {"pod": names.pod(name), "podUID": worker.uid, "templateHash": "5465eab0870fe199"},
    }
    head = {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "metadata": {"name": name, "namespace": place.name},
    }
    place.admin.apply({**head, "status": status}, manager=names.OPERATOR_MANAGER, subresource="status")
    worker.write_at_last(worker.caller(), said)
    return worker


def subjects(place: Place, binding: str) -> list[str]:
    """Return to whom a binding grants."""
    found = place.admin.get("RoleBinding", place.name, binding)
    return [subject["name"] for subject in (found or {}).get("subjects") or ()]


def replaced(place: Place, old: Worker) -> bool:
    """Return whether a worker has made room."""
    pod = place.pod(old.session)
    return pod is None or "deletionTimestamp" in pod["metadata"]


def copies(caller: Caller, place: Place, victim: str) -> int:
    """Try to have another session's code quoted; returns the answer's status."""
    target = path(Ref(names.SESSION_KIND, place.name, victim), "status")
    patch: Any = [{"op": "copy", "from": "/status/session/qr/code", "path": "/status/session/stateSince"}]
    try:
        caller.send("PATCH", target, patch, "application/json-patch+json")
    except ApiError as error:
        return error.status
    return 200


def test_workers_of_the_shared_account_move_one_by_one_and_none_is_lost(place: Place, start: Operator) -> None:
    place.store()
    old_rights(place)
    olds = [old_worker(place, name) for name in ("alice", "bob")]
    with start(limits=PACED):
        first: Worker = wait(
            lambda: next((old for old in olds if replaced(place, old)), None), "the first to make room"
        )
        last = next(old for old in olds if old is not first)
        assert not replaced(place, last), "few at a time"
        # What the earlier version granted for the whole namespace has gone; what each needs it has.
        wait(lambda: subjects(place, "wa-worker-default") == [], "the old binding to grant nothing")
        last.says("Reconnecting", **connected())
        last.says("Connected", **connected())
        assert subjects(place, names.session_account(last.session)) == [
            "wa-worker-default", names.session_account(last.session),
        ]  # fmt: skip
        first.vanishes()
        moved = place.wait_worker(first.session).runs()
        assert moved.pod["spec"]["serviceAccountName"] == names.session_account(first.session)
        moved.says("Connected", **connected(2))
        own = names.session_account(first.session)
        wait(lambda: subjects(place, own) == [own], "the moved session's Role to be its own account's alone")
        wait(lambda: copies(last.caller(), place, first.session) == 403, "the moved session to be out of reach")
        place.wait_phase(first.session, "Connected")
        wait(lambda: replaced(place, last), "the last to make room")
        last.vanishes()
        again = place.wait_worker(last.session).runs()
        again.says("Connected", **connected(2))
        place.wait_phase(last.session, "Connected")
    assert place.admin.get("ServiceAccount", place.name, "wa-worker-default") is not None, "nothing is deleted"


def test_a_store_with_cloud_identity_keeps_its_account_and_its_workers(place: Place, start: Operator) -> None:
    place.store(serviceAccount={"annotations": ROLE_ARN})
    with start():
        place.session("alice")
        worker = place.wait_worker("alice").runs()
        assert worker.pod["spec"]["serviceAccountName"] == "wa-worker-default"
        worker.says("Connected", **connected())
        place.wait_phase("alice", "Connected")
    place.admin.delete("RoleBinding", place.name, names.session_account("alice"))
    old_rights(place)
    with start():
        wait(lambda: subjects(place, "wa-worker-default") == [], "the old binding to grant nothing")
        assert subjects(place, names.session_account("alice")) == ["wa-worker-default"]
        worker.says("Reconnecting", **connected())
        place.wait_phase("alice", "Reconnecting")
        assert (place.pod("alice") or {})["metadata"]["uid"] == worker.uid, "it is not replaced"

        def shared() -> Manifest:
            store = place.admin.get(names.STORE_KIND, place.name, "default") or {}
            found = (store.get("status") or {}).get("conditions", [])
            return next((item for item in found if item["type"] == "SharedAccount"), {})

        wait(lambda: f"system:serviceaccount:{place.name}:wasession-*" in shared().get("message", ""), "the condition")
        place.admin.merge(names.STORE_KIND, place.name, "default", {"spec": {"serviceAccount": {"shared": False}}})
        wait(lambda: (place.pod("alice") or worker.pod)["metadata"]["uid"] != worker.uid, "a worker of its own account")
        again = place.wait_worker("alice").runs()
        assert again.pod["spec"]["serviceAccountName"] == "wasession-alice"
        account = place.admin.get("ServiceAccount", place.name, "wasession-alice") or {}
        assert account["metadata"]["annotations"] == ROLE_ARN
        assert [owner["kind"] for owner in account["metadata"]["ownerReferences"]] == [names.SESSION_KIND, "Pod"]
        wait(lambda: not shared(), "the condition to go")


@pytest.mark.parametrize("account", ["wa-worker-default", "wa-worker", "wasession-alice"])
def test_a_token_of_either_form_of_account_is_under_the_policy(place: Place, start: Operator, account: str) -> None:
    place.store()
    old_rights(place, account)
    worker = old_worker(place, "alice", account)
    caller = worker.caller()
    with pytest.raises(ApiError) as error:
        caller.merge(names.SESSION_KIND, place.name, "alice", {"status": {"phase": "Invented"}}, "status")
    assert "status.session only" in error.value.message
    with pytest.raises(ApiError) as error:
        caller.create(event_in(place, {"kind": "Pod", "name": "wa-bob"}))
    assert "its own session or pod only" in error.value.message
    with pytest.raises(ApiError) as error:
        place.world.caller(place.world.token(place.name, account)).create(
            event_in(place, {"kind": "Pod", "name": "wa-alice"})
        )
    assert "must be bound to its pod" in error.value.message
