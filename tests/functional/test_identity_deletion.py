"""What becomes of a session's account and rights when it is deleted: with the real garbage collector."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from functional.callers import wait
from functional.conftest import INSTALL, Operator, installed, starting
from functional.worker import NODE, Worker, connected
from functional.world import Place, World
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

Manifest = dict[str, Any]
OWN = names.session_account("support")
KINDS = ("ServiceAccount", "Role", "RoleBinding")
CLOUD: Manifest = {
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/archives"}, "shared": False}
}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane with its controllers."""
    with installed(tmp_path_factory.mktemp("collected"), INSTALL, controllers=True) as made:
        # The controllers remove pods of nodes that do not exist.
        made.admin.send("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        yield made


@pytest.fixture(scope="module")
def begin(collected: World, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """Start an operator there."""
    return starting(collected, tmp_path_factory)


@pytest.fixture
def place(collected: World, begin: Operator) -> Iterator[Place]:
    """A namespace there, with an operator that runs."""
    made = collected.namespace()
    with begin():
        yield made
    made.empty()


def live(place: Place, store: Mapping[str, Any]) -> Worker:
    """Make a session whose worker runs on a node, connected."""
    place.store(**store)
    place.session("support")
    worker = place.wait_worker("support")
    worker.bind()
    worker.runs().says("Connected", **connected())
    place.wait_phase("support", "Connected")
    return worker


def delete(place: Place, propagation: str = "Background") -> None:
    """Delete the session."""
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
    place.admin.send("DELETE", path(Ref(names.SESSION_KIND, place.name, "support")), options)


def there(place: Place) -> dict[str, Manifest]:
    """Return what is left of the session's identity, by kind."""
    found = {kind: place.admin.get(kind, place.name, OWN) for kind in KINDS}
    return {kind: item for kind, item in found.items() if item is not None}


def uids(place: Place) -> dict[str, str]:
    """Return the UID of each part of the session's identity."""
    return {kind: str(item["metadata"]["uid"]) for kind, item in there(place).items()}


def stopping(place: Place) -> bool:
    """Return whether the worker is asked to stop."""
    return "deletionTimestamp" in (place.pod("support") or {"metadata": {"deletionTimestamp": ""}})["metadata"]


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
def test_account_and_rights_go_with_the_session_and_the_worker_has_its_grace(place: Place, propagation: str) -> None:
    worker = live(place, {})
    assert set(there(place)) == set(KINDS)
    delete(place, propagation)
    wait(lambda: stopping(place), "the worker to be asked to stop")
    wait(lambda: not there(place), lambda: f"the rights to go; {list(there(place))}")
    pod = place.pod("support")
    assert pod is not None, "the worker saves for the last time"
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 120
    worker.vanishes()
    wait(lambda: place.pod("support") is None and place.lease("support") is None, "nothing to be left")
    wait(lambda: place.admin.get(names.SESSION_KIND, place.name, "support") is None, "the session to be gone")


def test_an_account_of_cloud_identity_is_there_until_its_pod_has_gone(place: Place) -> None:
    worker = live(place, CLOUD)
    delete(place)
    wait(lambda: stopping(place), "the worker to be asked to stop")

    def owners() -> list[str]:
        return [owner["kind"] for owner in there(place)["ServiceAccount"]["metadata"].get("ownerReferences", [])]

    wait(lambda: owners() == ["Pod"], lambda: f"the account to be the pod's alone; {owners()}")
    wait(lambda: set(there(place)) == {"ServiceAccount"}, lambda: f"its rights to go; {list(there(place))}")
    worker.vanishes()
    wait(lambda: not there(place), "the account to go with its pod")


def test_a_deletion_in_the_foreground_leaves_nothing_of_an_account_of_cloud_identity(place: Place) -> None:
    worker = live(place, CLOUD)
    delete(place, "Foreground")
    wait(lambda: stopping(place), "the worker to be asked to stop")
    # The garbage collector takes the account at once, or, if the operator deleted the pod first, with its pod.
    wait(lambda: set(there(place)) <= {"ServiceAccount"}, lambda: f"its rights to go; {list(there(place))}")
    assert place.pod("support") is not None, "the worker saves with the credentials that it holds"
    worker.vanishes()
    wait(lambda: not there(place), lambda: f"the account to go; {list(there(place))}")
    wait(lambda: place.admin.get(names.SESSION_KIND, place.name, "support") is None, "the session to be gone")


@pytest.mark.parametrize("store", [{}, CLOUD], ids=["plain", "cloud identity"])
@pytest.mark.parametrize("bound", [True, False], ids=["its worker saves", "its worker is gone at once"])
def test_a_session_applied_again_at_once_never_runs_with_its_predecessors_account(
    place: Place, store: Manifest, bound: bool
) -> None:
    worker = live(place, store)
    before = uids(place)
    if not bound:
        worker.vanishes()
        worker = place.wait_worker("support")
    delete(place)
    again = place.session("support")
    if bound:
        place.wait_phase("support", "Pending", "Replacing")
        wait(lambda: stopping(place), "the worker to be asked to stop")
        worker.vanishes()
    successor = place.wait_worker("support")
    now = uids(place)
    assert not set(now.values()) & set(before.values())
    for kind, item in there(place).items():
        owner = item["metadata"]["ownerReferences"][0]
        assert owner["uid"] == again["metadata"]["uid"], kind
        assert item["metadata"]["creationTimestamp"] <= successor.pod["metadata"]["creationTimestamp"], kind
    # It has its rights, and the garbage collector takes none of them.
    successor.runs().says("Connected", **connected(2))
    place.wait_phase("support", "Connected")
    successor.says("Reconnecting", **connected(2))
    place.wait_phase("support", "Reconnecting")
    assert uids(place) == now
