"""The admission policy: what happens while it is missing, and that a fault in it stops nobody but workers."""

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functional.callers import ApiError, Caller, wait
from functional.conftest import Operator
from functional.pairs import event_in, running
from functional.worker import connected
from functional.world import Place, World
from whatsapp_kube.requests import Ref, path
from whatsapp_operator import admission_policy
from whatsapp_session import names

Manifest = dict[str, Any]
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


def taken(place: Place, kind: str) -> Manifest:
    """Return the policy, or its binding, as it can be made anew."""
    found = place.admin.send("GET", path(Ref(kind, "", names.POLICY_NAME)))
    for field in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        found["metadata"].pop(field, None)
    found.pop("status", None)
    return found


@contextlib.contextmanager
def without(place: Place, kind: str) -> Iterator[None]:
    """Take the policy, or its binding, away for a while."""
    manifest = taken(place, kind)
    place.admin.send("DELETE", path(Ref(kind, "", names.POLICY_NAME)))
    try:
        yield
    finally:
        place.admin.create(manifest)


def test_no_worker_starts_without_the_admission_policy(place: Place, start: Operator) -> None:
    with without(place, BINDING):
        place.store()
        place.session("support")
        with start():
            place.wait_phase("support", "Failed", "PolicyMissing")
            assert place.admin.items("RoleBinding", place.name) == []
            assert place.pod("support") is None
    with start():
        place.wait_worker("support")


def test_a_worker_starts_without_the_policy_where_that_is_unchecked(place: Place, start: Operator) -> None:
    with without(place, BINDING), start(admission_policy="Unchecked"):
        place.store()
        place.session("support")
        worker = place.wait_worker("support").runs()
        worker.says("Connected", **connected())
        place.wait_phase("support", "Connected", "PolicyMissing")
        assert place.condition("support", "Ready")["status"] == "True"


@pytest.mark.parametrize("kind", [POLICY, BINDING])
def test_a_missing_policy_takes_no_rights_and_stops_no_worker(
    place: Place, start: Operator, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(admission_policy, "TRUSTED_SECONDS", 1.0)
    place.store()
    place.session("support")
    with start():
        worker = place.wait_worker("support").runs()
        worker.says("Connected", **connected())
        place.wait_phase("support", "Connected")
        with without(place, kind):
            place.wait_phase("support", "Connected", "PolicyMissing")
            assert place.condition("support", "Ready")["status"] == "True"
            worker.says("Reconnecting", **connected())
            place.wait_phase("support", "Reconnecting", "PolicyMissing")
            assert "deletionTimestamp" not in (place.pod("support") or {})["metadata"]
        wait(lambda: not place.condition("support", "PolicyMissing"), "the condition to go")


@pytest.mark.parametrize("bound", [True, False], ids=["the pod's token", "a token bound to no pod"])
def test_without_the_policy_a_token_reaches_its_own_session_whole_and_no_other(
    world: World, start: Operator, *, bound: bool
) -> None:
    with start():
        pair = running(world)
    place = pair.place
    caller = pair.alice.caller() if bound else world.caller(world.token(place.name, names.session_account("alice")))
    with without(place, BINDING):
        wait(lambda: accepted(lambda: write_phase(caller, place, "alice")), "the policy to be felt no more")
        for about in ("alice", "bob"):
            event = {"kind": names.SESSION_KIND, "name": about}
            assert accepted(functools.partial(caller.create, event_in(place, event)))
        own = place.lease("alice") or {}
        own["metadata"]["annotations"][names.ANNOTATION_TERMINATED_POD_UID] = "somebody"
        assert accepted(lambda: caller.send("PUT", path(Ref("Lease", place.name, names.lease("alice"))), own))
        assert not accepted(lambda: write_phase(caller, place, "bob"))
        other = Ref("Lease", place.name, names.lease("bob"))
        assert not accepted(lambda: caller.send("PUT", path(other), place.lease("bob")))
        for ref in (Ref(names.SESSION_KIND, place.name, "bob"), other):
            assert not accepted(functools.partial(caller.send, "GET", path(ref)))


def write_phase(caller: Caller, place: Place, session: str) -> Manifest:
    """Write what is the operator's part of a status."""
    return caller.merge(names.SESSION_KIND, place.name, session, {"status": {"phase": "Failed"}}, "status")


def accepted(attempt: Callable[[], Manifest]) -> bool:
    """Return whether a request is carried out; raise ApiError for what neither RBAC nor a policy has refused."""
    try:
        attempt()
    except ApiError as error:
        if error.status not in (403, 422):
            raise
        return False
    return True


def lease(namespace: str, name: str) -> Manifest:
    """Return a Lease as a node or a controller keeps one."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 40},
    }


def break_expression(made: Manifest) -> None:
    """Make the condition that chooses the requests fail for each of them."""
    made["spec"]["matchConditions"][0]["expression"] = "dyn(request.userInfo).nothing.matches('x')"


def fail_always(made: Manifest) -> None:
    """Make the policy choose every request, and fail."""
    made["spec"]["matchConditions"] = []
    made["spec"]["validations"] = [{"expression": "dyn(object).nothing == 'x'"}]


def stopped(place: Place) -> bool:
    """Return whether the faulty policy stops a Lease of an ordinary namespace."""
    try:
        place.admin.send("POST", f"{path(Ref('Lease', place.name, ''))}?dryRun=All", lease(place.name, "other"))
    except ApiError as error:
        return "broken" in error.message
    return False


@pytest.fixture(params=[break_expression, fail_always])
def broken(world: World, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace, and beside our policy a copy of it that has a fault."""
    place = world.namespace()
    made, bound = taken(place, POLICY), copy.deepcopy(taken(place, BINDING))
    change: Callable[[Manifest], None] = request.param
    change(made)
    for manifest in (made, bound):
        manifest["metadata"]["name"] = "broken"
    bound["spec"]["policyName"] = "broken"
    for namespace in names.UNCOVERED_NAMESPACES:
        with contextlib.suppress(ApiError):
            place.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    place.admin.create(made)
    place.admin.create(bound)
    try:
        yield place
    finally:
        for kind in (BINDING, POLICY):
            place.admin.send("DELETE", path(Ref(kind, "", "broken")))
        wait(lambda: not stopped(place), "the fault to be gone")


@pytest.mark.parametrize("namespace", names.UNCOVERED_NAMESPACES)
def test_a_fault_in_the_policy_stops_no_heartbeat_and_no_election(broken: Place, namespace: str) -> None:
    wait(lambda: stopped(broken), "the fault to be felt where it may be")
    broken.admin.create(lease(namespace, broken.name))
    renewed = broken.admin.merge("Lease", namespace, broken.name, {"spec": {"holderIdentity": "another"}})
    assert renewed["spec"]["holderIdentity"] == "another"
    broken.admin.delete("Lease", namespace, broken.name)
