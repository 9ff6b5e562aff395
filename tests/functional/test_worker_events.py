"""What a worker may post as an Event, and that its Lease keeps nothing that the operator has taken off."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.pairs import Pair, event_in
from functional.worker import connected, stamp
from functional.world import Place
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names
from whatsapp_session.conditions import Reason
from whatsapp_session.worker_config import ResourceIdentity
from whatsapp_worker.kube import status_reporter

Manifest = dict[str, Any]

ALICE: Mapping[str, str] = {"kind": names.SESSION_KIND, "name": "alice"}
POD: Mapping[str, str] = {"kind": "Pod", "name": "wa-alice"}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "wa-alice", "uid": "u"}


def refusal(pair: Pair, event: Manifest) -> str:
    """Return why alice may not post an Event; "" if she may."""
    try:
        pair.alice.caller().create(event)
    except ApiError as error:
        return error.message
    return ""


def uid(pair: Pair, session: str) -> str:
    """Return a session's UID."""
    return str(pair.place.get(session)["metadata"]["uid"])


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        (names.SESSION_KIND, "alice", True),
        ("Pod", "wa-alice", True),
        (names.SESSION_KIND, "bob", False),
        ("Pod", "wa-bob", False),
        ("Node", "wa-alice", False),
    ],
)
def test_a_worker_posts_events_about_itself_only(pair: Pair, kind: str, name: str, allowed: bool) -> None:
    said = refusal(pair, event_in(pair.place, {"kind": kind, "name": name}))
    assert said == "" if allowed else "its own session or pod only" in said


def test_what_a_worker_posts_by_itself_is_allowed(pair: Pair) -> None:
    resource = ResourceIdentity(
        cluster="c", namespace=pair.place.name, name="alice", uid=uid(pair, "alice"),
        pod_name="wa-alice", pod_uid=pair.alice.uid, node_name="node-1",
    )  # fmt: skip
    assert refusal(pair, status_reporter.event(resource, ("Normal", Reason.DEVICE_LINKED, "linked"), time.time())) == ""


def test_an_event_bears_the_uid_of_its_own_session_or_pod_only(pair: Pair) -> None:
    place, sentence = pair.place, "must be the UID of the worker's own session or pod"
    assert refusal(pair, event_in(place, {**ALICE, "uid": uid(pair, "alice")})) == ""
    assert refusal(pair, event_in(place, {**POD, "uid": pair.alice.uid})) == ""
    for about, stranger in ((ALICE, uid(pair, "bob")), (POD, pair.bob.uid), (ALICE, pair.alice.uid), (ALICE, "*")):
        assert sentence in refusal(pair, event_in(place, {**about, "uid": stranger}))


@pytest.mark.parametrize(
    "metadata",
    [{"finalizers": ["example.com/stays"]}, {"ownerReferences": [OWNER]}],
    ids=["finalizers", "owners"],
)
def test_an_event_has_no_finalizer_and_no_owner(pair: Pair, metadata: Manifest) -> None:
    event = event_in(pair.place, ALICE)
    event["metadata"] |= metadata
    assert "must not have finalizers, ownerReferences" in refusal(pair, event)


@pytest.mark.parametrize(
    "source",
    [
        {"source": {"component": "kubelet"}},
        {"reportingComponent": "whatsapp-operator.dev/operator"},
        {"reportingInstance": "wa-bob"},
    ],
    ids=["component", "reporting component", "reporting instance"],
)
def test_an_event_names_the_worker_as_its_source(pair: Pair, source: Manifest) -> None:
    assert "as its source" in refusal(pair, event_in(pair.place, ALICE, **source))


def test_an_event_names_no_other_node_as_its_source(place: Place, operator: None) -> None:
    place.store()
    place.session("alice")
    worker = place.wait_worker("alice")
    worker.bind()
    node = place.admin.get("Pod", place.name, "wa-alice")
    assert node is not None
    caller = worker.caller()
    right = {"source": {"component": names.WORKER_MANAGER, "host": node["spec"]["nodeName"]}}
    wrong = {"source": {"component": names.WORKER_MANAGER, "host": "another"}}

    def posted() -> bool:
        try:
            return bool(caller.create(event_in(place, POD, **right)))
        except ApiError as error:
            if "cannot create" in error.message:
                return False
            raise

    wait(posted, "the worker to be let post")
    with pytest.raises(ApiError) as error:
        caller.create(event_in(place, POD, **wrong))
    assert "as its source" in error.value.message


def test_a_reset_of_managed_fields_leaves_no_handled_request_on_the_lease(place: Place, operator: None) -> None:
    place.store()
    place.session("alice")
    worker = place.wait_worker("alice").runs()
    worker.says("Connected", **connected())
    request, time = names.request_annotation("save"), stamp()
    place.admin.merge(names.SESSION_KIND, place.name, "alice", {"metadata": {"annotations": {request: time}}})

    def asked() -> Manifest:
        return (place.lease("alice") or {})["metadata"]["annotations"]  # type: ignore[no-any-return]  # JSON

    wait(lambda: asked().get(request) == time, "the request on the Lease")
    caller, target = worker.caller(), path(Ref("Lease", place.name, "wa-alice"))

    def reset() -> bool:
        lease = place.lease("alice")
        assert lease is not None
        lease["metadata"]["managedFields"] = [{}]
        try:
            return bool(caller.send("PUT", target, lease))
        except ApiError as error:
            if error.status == 409:
                return False
            raise

    wait(reset, "the reset")
    worker.says("Connected", handledRequests={"save": time}, **connected())
    wait(lambda: request not in asked(), lambda: f"the handled request to go; {asked()}")
    assert names.ANNOTATION_WORKER_POD_UID in asked()
