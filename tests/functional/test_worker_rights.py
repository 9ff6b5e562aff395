"""What a worker's token may do, and what the admission policy refuses; tokens are real and bound to their pods."""

from collections.abc import Callable
from typing import Any

import pytest

from functional.callers import ApiError, Caller, wait
from functional.pairs import Pair, event_in
from functional.worker import Worker, connected
from functional.world import Place
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

Manifest = dict[str, Any]


def refused(error: pytest.ExceptionInfo[ApiError], sentence: str) -> None:
    """Check that a request was refused by a sentence of the policy, or by missing rights."""
    assert error.value.status in (401, 403, 422), error.value
    assert sentence in error.value.message


def test_a_worker_writes_its_own_status(pair: Pair) -> None:
    pair.alice.says("Connected", **connected())
    assert pair.place.status("alice")["session"]["state"] == "Connected"


@pytest.mark.parametrize("verb", ["GET", "LIST", "WATCH"])
def test_a_worker_cannot_read_sessions(pair: Pair, verb: str) -> None:
    name = "" if verb in ("LIST", "WATCH") else "alice"
    target = path(Ref(names.SESSION_KIND, pair.place.name, name)) + ("?watch=true" if verb == "WATCH" else "")
    with pytest.raises(ApiError) as error:
        pair.alice.caller().send("GET", target)
    refused(error, "cannot")


@pytest.mark.parametrize("query", [{}, {"dryRun": "All"}], ids=["real", "dry run"])
@pytest.mark.parametrize("body", [{}, {"status": {}}], ids=["empty", "empty status"])
def test_an_empty_patch_does_not_read_another_session(pair: Pair, query: Manifest, body: Manifest) -> None:
    pair.bob.says("AwaitingLink", qr={"code": "2@bobs-secret"})
    caller = pair.alice.caller()
    head = {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "metadata": {"name": "bob", "namespace": pair.place.name},
    }
    with pytest.raises(ApiError) as error:
        caller.apply({**head, **body}, manager="thief", subresource="status", **query)
    refused(error, "cannot patch")
    with pytest.raises(ApiError) as error:
        caller.merge(names.SESSION_KIND, pair.place.name, "bob", body, "status")
    refused(error, "cannot patch")
    assert "bobs-secret" not in error.value.message


def test_a_worker_cannot_write_another_sessions_status(pair: Pair) -> None:
    with pytest.raises(ApiError) as error:
        pair.bob.write(pair.alice.caller(), pair.bob.report("Connected"))
    refused(error, "cannot patch")


def test_a_worker_cannot_patch_a_session_itself(pair: Pair) -> None:
    with pytest.raises(ApiError) as error:
        pair.alice.caller().merge(names.SESSION_KIND, pair.place.name, "alice", {"spec": {}})
    refused(error, "cannot patch")


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Invented"},
        {"conditions": []},
        {"worker": {"podUID": "another"}},
        {"worker": None},
        {"handledRequests": {"relink": "2026-01-01T00:00:00Z"}},
        {"observedGeneration": 99},
    ],
    ids=lambda status: next(iter(status)),
)
def test_a_worker_cannot_write_the_operators_part(pair: Pair, status: Manifest) -> None:
    wait(lambda: pair.place.status("alice").get("conditions"), "conditions")
    with pytest.raises(ApiError) as error:
        pair.alice.caller().merge(names.SESSION_KIND, pair.place.name, "alice", {"status": status}, "status")
    refused(error, "status.session only")


def test_a_worker_cannot_speak_for_another_pod(pair: Pair) -> None:
    with pytest.raises(ApiError) as error:
        pair.alice.write(pair.alice.caller(), pair.alice.report("Connected") | {"podUID": pair.bob.uid})
    refused(error, "must be the UID of the pod that writes it")


def test_a_worker_writes_as_its_own_field_manager_only(pair: Pair) -> None:
    wait(lambda: pair.place.status("alice").get("conditions"), "conditions")
    body = {"status": {"session": pair.alice.report("Connected")}}
    with pytest.raises(ApiError) as error:
        pair.alice.caller().merge(names.SESSION_KIND, pair.place.name, "alice", body, "status")
    refused(error, "field manager")


def test_a_worker_renews_its_own_lease_and_changes_nothing_else_of_it(pair: Pair) -> None:
    caller = pair.alice.caller()
    lease = caller.get("Lease", pair.place.name, "wa-alice")
    assert lease is not None
    lease["spec"]["holderIdentity"] = pair.alice.uid
    target = path(Ref("Lease", pair.place.name, "wa-alice"))
    lease = caller.send("PUT", target, lease)
    assert lease["spec"]["holderIdentity"] == pair.alice.uid
    lease["metadata"]["annotations"][names.ANNOTATION_TERMINATED_POD_UID] = "somebody"
    with pytest.raises(ApiError) as error:
        caller.send("PUT", target, lease)
    refused(error, "the Lease's spec only")


@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_a_worker_neither_reads_nor_takes_another_sessions_lease(pair: Pair, verb: str) -> None:
    lease = pair.place.lease("bob")
    assert lease is not None
    lease["spec"]["holderIdentity"] = pair.alice.uid
    target = path(Ref("Lease", pair.place.name, "wa-bob"))
    with pytest.raises(ApiError) as error:
        pair.alice.caller().send(verb, target, lease if verb == "PUT" else None)
    refused(error, "cannot")


def test_a_worker_takes_its_lease_for_no_other_pod(pair: Pair) -> None:
    lease = pair.place.lease("alice")
    assert lease is not None
    lease["spec"]["holderIdentity"] = pair.bob.uid
    with pytest.raises(ApiError) as error:
        pair.alice.caller().send("PUT", path(Ref("Lease", pair.place.name, "wa-alice")), lease)
    refused(error, "the UID of its own pod")


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "Pod"])
def test_a_worker_reads_nothing_else(pair: Pair, kind: str) -> None:
    with pytest.raises(ApiError) as error:
        pair.alice.caller().send("GET", f"/api/v1/namespaces/{pair.place.name}/{kind.lower()}s")
    refused(error, "cannot list")


def test_a_token_that_is_bound_to_no_pod_can_write_nothing(pair: Pair) -> None:
    unbound = pair.place.world.caller(pair.place.world.token(pair.place.name, "wasession-alice"))
    attempts: list[Callable[[], Manifest]] = [
        lambda: pair.alice.write(unbound, pair.alice.report("Connected")),
        lambda: unbound.create(event_in(pair.place, {"kind": "Pod", "name": "wa-alice"})),
        lambda: renew(unbound, pair.place, "alice"),
    ]
    for attempt in attempts:
        with pytest.raises(ApiError) as error:
            attempt()
        refused(error, "must be bound to its pod")


def renew(caller: Caller, place: Place, session: str) -> Manifest:
    """Write a Lease back as somebody."""
    lease = place.lease(session)
    assert lease is not None
    return caller.send("PUT", path(Ref("Lease", place.name, names.lease(session))), lease)


def test_the_token_of_a_deleted_pod_can_write_nothing(place: Place, operator: None) -> None:
    place.store()
    place.session("support")
    old = place.wait_worker("support")
    caller = old.caller()
    place.admin.delete("Pod", place.name, "wa-support")
    again = wait(lambda: (place.pod("support") or old.pod)["metadata"]["uid"] != old.uid, "a new pod")
    assert again
    attempts: list[Callable[[], Manifest]] = [
        lambda: old.write(caller, old.report("Connected")),
        lambda: old.write(caller, {}, dryRun="All"),
        lambda: renew(caller, place, "support"),
        lambda: caller.create(event_in(place, {"kind": "Pod", "name": "wa-support"})),
    ]
    for attempt in attempts:
        with pytest.raises(ApiError) as error:
            attempt()
        refused(error, "")


def test_a_pod_of_the_previous_session_cannot_write_into_a_recreated_one(place: Place, operator: None) -> None:
    place.store()
    place.session("support")
    old = place.wait_worker("support")
    old.bind()
    caller = old.caller()
    old.write_at_last(caller, old.report("Connected"))
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    place.session("support")
    place.wait_phase("support", "Pending", "Replacing")
    with pytest.raises(ApiError) as error:
        old.write(caller, old.report("Connected"))
    refused(error, "not the session's worker")


def test_another_pod_of_the_same_service_account_can_write_nothing(pair: Pair) -> None:
    pod = pair.alice.pod
    sibling = pair.place.admin.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "wa-mallory", "namespace": pair.place.name},
            "spec": {name: value for name, value in pod["spec"].items() if name not in ("nodeName", "priority")},
        }
    )
    mallory = Worker(pair.place, "mallory", sibling)
    with pytest.raises(ApiError) as error:
        pair.alice.write(mallory.caller(), pair.alice.report("Connected"))
    refused(error, "its own session only")
