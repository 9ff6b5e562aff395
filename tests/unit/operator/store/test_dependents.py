"""Which sessions keep a store from going."""

from datetime import timedelta
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.stores import STORE, Stores
from whatsapp_operator.store import dependents
from whatsapp_session import names

Manifest = dict[str, Any]
GOING = "2026-01-01T12:00:00Z"
PURGED = {"deletionTimestamp": GOING, "finalizers": [names.FINALIZER_PURGE]}


def remote(**settings: Any) -> Manifest:
    """Return a spec of RemoteAuth."""
    return {"auth": {"strategy": "RemoteAuth", "remoteAuth": settings}}


@pytest.mark.parametrize(
    ("spec", "metadata", "needs"),
    [
        pytest.param(remote(onDelete="Delete"), {}, True, id="deletes"),
        pytest.param(remote(onDelete="Delete", storeRef={"name": "other"}), {}, False, id="another store"),
        pytest.param(remote(), {}, False, id="retains"),
        pytest.param({}, {}, False, id="empty"),
        pytest.param({"auth": {"strategy": "NoAuth"}}, {}, False, id="no store"),
        pytest.param(
            remote(onDelete="Delete"),
            PURGED,
            True,
            id="is being purged",
        ),
        pytest.param(remote(onDelete="Delete"), {"deletionTimestamp": GOING}, False, id="is being deleted, let go"),
        pytest.param({"auth": {"strategy": "Telepathy"}}, {}, True, id="not understood"),
    ],
)
def test_a_session_needs_its_store_to_the_end(spec: Manifest, metadata: Manifest, needs: bool) -> None:
    found = dependents.users([samples.session_resource(spec, **metadata)], "default")
    assert found == (["support"] if needs else [])


@pytest.mark.parametrize(("metadata", "needs"), [({}, False), (PURGED, True)], ids=["lives", "is being purged"])
def test_a_session_that_goes_needs_the_store_that_it_was_not_moved_from_yet(metadata: Manifest, needs: bool) -> None:
    spec = remote(onDelete="Delete", storeRef={"name": "new"})
    status = {"worker": {"last": {"store": "default"}}}
    found = dependents.users([samples.session_resource(spec, status, **metadata)], "default")
    assert found == (["support"] if needs else [])


@pytest.fixture
def stores() -> Stores:
    """A store that was held for a session."""
    made = Stores()
    made.settle()
    made.kube.touch(STORE, lambda store: store["metadata"].update(finalizers=[names.FINALIZER_STORE, "of/others"]))
    made.kube.put(samples.session_resource(remote(onDelete="Delete")))
    return made


def session_goes(stores: Stores) -> None:
    """Remove the session."""
    stores.kube.objects = {ref: item for ref, item in stores.kube.objects.items() if ref.kind != names.SESSION_KIND}


def test_a_store_that_is_deleted_waits_for_the_sessions_that_need_it(stores: Stores) -> None:
    stores.kube._delete(STORE, stores.kube.objects[STORE]["metadata"]["uid"], None)
    assert stores.look() == 10
    assert names.FINALIZER_STORE in stores.kube.objects[STORE]["metadata"]["finalizers"]
    session_goes(stores)
    stores.look()
    assert stores.kube.objects[STORE]["metadata"]["finalizers"] == ["of/others"]


def test_a_store_that_nobody_needs_any_more_is_let_go(stores: Stores) -> None:
    session_goes(stores)
    stores.look()
    assert stores.kube.objects[STORE]["metadata"]["finalizers"] == ["of/others"]


def test_the_sessions_are_listed_now_and_then_only(stores: Stores) -> None:
    for _ in range(5):
        stores.look()
    assert stores.kube.calls.count("list WhatsAppSession/") == 1
    stores.clock.time += timedelta(seconds=301)
    stores.look()
    assert stores.kube.calls.count("list WhatsAppSession/") == 2
