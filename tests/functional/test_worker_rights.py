"""What a worker's token may do, and what the admission policy refuses; tokens are real and bound to their pods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from functional.callers import ApiError, Caller, wait
from functional.world import Place, Worker, World, connected
from whatsapp_operator.kube import Ref, path
from whatsapp_session import names

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Two sessions of one namespace and store; `alice` attacks `bob`."""

    place: Place
    alice: Worker
    bob: Worker


@pytest.fixture(scope="module")
def pair(world: World, operator: None) -> Pair:
    """Two workers that run; the policy is known to be in force."""
    place = world.namespace()
    place.store()
    place.session("alice")
    place.session("bob")
    alice, bob = place.wait_worker("alice").runs(), place.wait_worker("bob").runs()
    stranger = alice.caller()

    def denied() -> bool:
        try:
            bob.write(stranger, {})
        except ApiError as error:
            return "its own session only" in error.message
        return False

    wait(denied, "the admission policy to be in force")
    return Pair(place, alice, bob)


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
    refused(error, "its own session only")
    with pytest.raises(ApiError) as error:
        caller.merge(names.SESSION_KIND, pair.place.name, "bob", body, "status")
    refused(error, "its own session only")
    assert "bobs-secret" not in error.value.message


def test_a_worker_cannot_write_another_sessions_status(pair: Pair) -> None:
    with pytest.raises(ApiError) as error:
        pair.bob.write(pair.alice.caller(), pair.bob.report("Connected"))
    refused(error, "its own session only")


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


def test_a_worker_cannot_take_another_sessions_lease(pair: Pair) -> None:
    caller = pair.alice.caller()
    lease = caller.get("Lease", pair.place.name, "wa-bob")
    assert lease is not None
    lease["spec"]["holderIdentity"] = pair.alice.uid
    with pytest.raises(ApiError) as error:
        caller.send("PUT", path(Ref("Lease", pair.place.name, "wa-bob")), lease)
    refused(error, "its own Lease only")


def event(pair: Pair, about: Manifest) -> Manifest:
    """Return an Event about something in the pair's namespace."""
    return event_in(pair.place, about)


def event_in(place: Place, about: Manifest) -> Manifest:
    """Return an Event about something."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "test-", "name": "", "namespace": place.name},
        "involvedObject": {"namespace": place.name, **about},
        "reason": "Test",
        "message": "test",
        "type": "Normal",
    }


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
    caller = pair.alice.caller()
    if allowed:
        assert caller.create(event(pair, {"kind": kind, "name": name}))["metadata"]["uid"]
    else:
        with pytest.raises(ApiError) as error:
            caller.create(event(pair, {"kind": kind, "name": name}))
        refused(error, "its own session or pod only")


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "Pod"])
def test_a_worker_reads_nothing_else(pair: Pair, kind: str) -> None:
    with pytest.raises(ApiError) as error:
        pair.alice.caller().send("GET", f"/api/v1/namespaces/{pair.place.name}/{kind.lower()}s")
    refused(error, "cannot list")


def test_a_token_that_is_bound_to_no_pod_can_write_nothing(pair: Pair) -> None:
    unbound = pair.place.world.caller(pair.place.world.token(pair.place.name, "wa-worker-default"))
    attempts: list[Callable[[], Manifest]] = [
        lambda: pair.alice.write(unbound, pair.alice.report("Connected")),
        lambda: unbound.create(event(pair, {"kind": "Pod", "name": "wa-alice"})),
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
