"""The end of a session whose archives go with it, on a fake cluster: it always comes, and never too early."""

from datetime import timedelta
from typing import Any

import pytest

from fakes.kube import TERMINATING
from scenes.operator import samples
from scenes.operator.cluster import POD, PURGE_POD, SESSION, Cluster, connected, set_spec
from scenes.operator.samples import DELETE
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_operator.start_slots import Stage
from whatsapp_session import names

Manifest = dict[str, Any]
STORE = Ref(names.STORE_KIND, samples.NAMESPACE, "default")


@pytest.fixture
def cluster() -> Cluster:
    """A cluster whose session is connected and saved, and takes its archives with it."""
    return connected(DELETE)


def deleted(cluster: Cluster) -> Cluster:
    """Delete the session and let its worker stop."""
    cluster.delete_session()
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    return cluster


def reasons(cluster: Cluster) -> set[str]:
    """Return the reasons of the session's conditions."""
    return {item["reason"] for item in cluster.status["conditions"]}


def messages(cluster: Cluster) -> list[str]:
    """Return what the Events say."""
    return [item["message"] for ref, item in cluster.kube.objects.items() if ref.kind == "Event"]


def request(cluster: Cluster, name: str) -> None:
    """Annotate the session with a request."""
    time = "2026-01-01T12:04:00Z"
    cluster.change(
        SESSION, lambda session: session["metadata"].update(annotations={names.request_annotation(name): time})
    )


def test_a_session_that_takes_its_archives_with_it_has_the_finalizer_and_others_have_not(cluster: Cluster) -> None:
    assert cluster.kube.objects[SESSION]["metadata"]["finalizers"] == [names.FINALIZER_PURGE]
    other = Cluster()
    other.make_session()
    other.settle()
    assert "finalizers" not in other.kube.objects[SESSION]["metadata"]


def test_the_finalizer_goes_when_the_user_changes_back_to_retain(cluster: Cluster) -> None:
    cluster.change(SESSION, set_spec(auth={"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Retain"}}))
    cluster.settle()
    assert cluster.kube.objects[SESSION]["metadata"]["finalizers"] == []
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the choice replaces no worker"


def test_the_finalizers_of_others_are_left_alone(cluster: Cluster) -> None:
    cluster.change(SESSION, lambda session: session["metadata"]["finalizers"].append("of/others"))
    deleted(cluster)
    cluster.purge_ends()
    cluster.settle()
    assert cluster.kube.objects[SESSION]["metadata"]["finalizers"] == ["of/others"]


def test_worker_then_purge_then_nothing_is_left(cluster: Cluster) -> None:
    cluster.delete_session()
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]
    assert PURGE_POD not in cluster.kube.objects, "the worker is still saving"
    cluster.pod_gone()
    cluster.settle()
    assert PURGE_POD in cluster.kube.objects
    assert "Stopping" in reasons(cluster)
    assert cluster.look() == 15
    cluster.purge_ends()
    cluster.settle()
    assert SESSION not in cluster.kube.objects
    cluster.purge_pod_gone()
    cluster.settle()
    assert {ref.kind for ref in cluster.kube.objects} & {"Pod", names.SESSION_KIND} == set()
    assert "the operator deleted the session's archives" in messages(cluster)


def test_a_failed_purge_is_told_and_the_session_stays_until_it_succeeds(cluster: Cluster) -> None:
    deleted(cluster)
    said = '{"reason": "StoreUnavailable", "message": "the store does not answer"}'
    cluster.purge_ends(samples.waiting("CrashLoopBackOff", ended={"exitCode": 1, "message": said}))
    cluster.settle()
    assert "StoreUnavailable" in reasons(cluster)
    assert "the store does not answer" in cluster.status["conditions"][0]["message"]
    cluster.purge_ends()
    cluster.settle()
    assert SESSION not in cluster.kube.objects


def test_without_its_store_it_waits_for_the_store_or_for_a_request(cluster: Cluster) -> None:
    store = cluster.kube.objects.pop(STORE)
    deleted(cluster)
    assert "StoreNotFound" in reasons(cluster)
    assert PURGE_POD not in cluster.kube.objects
    twin = cluster.twin()
    request(cluster, "skip-purge")
    cluster.settle()
    assert SESSION not in cluster.kube.objects
    assert "the session's archives stay in the store" in messages(cluster)
    store["metadata"]["uid"] = "made-again"
    twin.kube.objects[STORE] = store
    twin.settle()
    assert PURGE_POD in twin.kube.objects


def test_a_request_to_skip_lets_go_even_while_the_worker_cannot_stop(cluster: Cluster) -> None:
    cluster.delete_session()
    request(cluster, "skip-purge")
    cluster.settle()
    assert SESSION not in cluster.kube.objects


def test_in_a_namespace_that_is_being_deleted_nothing_holds_the_session(cluster: Cluster) -> None:
    cluster.kube.refuse = lambda manifest: TERMINATING
    deleted(cluster)
    assert SESSION not in cluster.kube.objects
    assert PURGE_POD not in cluster.kube.objects


def test_also_without_its_store_a_session_goes_with_its_namespace(cluster: Cluster) -> None:
    del cluster.kube.objects[STORE]
    deleted(cluster)
    cluster.kube.refuse = lambda manifest: "exceeded quota: small"
    cluster.settle()
    assert "StoreNotFound" in reasons(cluster), "another refusal says nothing of the namespace"
    cluster.kube.refuse = lambda manifest: TERMINATING
    cluster.settle()
    assert SESSION not in cluster.kube.objects


def test_a_full_quota_is_told_and_tried_again_a_minute_later(cluster: Cluster) -> None:
    cluster.kube.refuse = lambda manifest: "exceeded quota: small" if manifest["kind"] == "Pod" else None
    deleted(cluster)
    assert "QuotaExceeded" in reasons(cluster)
    writes = cluster.kube.writes
    assert cluster.look() == 60
    assert cluster.kube.writes == writes
    cluster.kube.refuse = lambda manifest: None
    cluster.settle()
    assert PURGE_POD in cluster.kube.objects


def test_a_purge_pod_that_is_evicted_at_once_is_no_hot_loop(cluster: Cluster) -> None:
    deleted(cluster)
    cluster.purge_ends({"phase": "Failed", "reason": "Evicted"})
    uid = cluster.kube.objects[PURGE_POD]["metadata"]["uid"]
    cluster.settle()
    assert cluster.look() == 60
    assert cluster.kube.objects[PURGE_POD]["metadata"]["uid"] == uid
    cluster.clock.time += timedelta(seconds=60)
    cluster.settle()
    cluster.purge_pod_gone()
    cluster.settle()
    assert cluster.kube.objects[PURGE_POD]["metadata"]["uid"] != uid


def test_a_pod_of_somebody_else_is_not_taken_for_the_purge(cluster: Cluster) -> None:
    head = {"name": PURGE_POD.name, "namespace": PURGE_POD.namespace}
    foreign = cluster.kube.put({"kind": "Pod", "metadata": head, "spec": {}, "status": {"phase": "Succeeded"}})
    deleted(cluster)
    assert "Conflict" in reasons(cluster)
    assert cluster.kube.objects[PURGE_POD] == foreign


def test_a_purge_whose_session_was_let_go_by_hand_is_stopped(cluster: Cluster) -> None:
    deleted(cluster)
    del cluster.kube.objects[SESSION]
    cluster.settle()
    assert PURGE_POD not in cluster.kube.objects


def test_many_sessions_deleted_at_once_do_not_all_purge_at_once() -> None:
    cluster = connected(DELETE)
    for number in range(10):
        cluster.operator._throttle.starts.saw(Key("bots", f"other-{number}"), Stage.RUNNING, cluster.clock.monotonic())
    deleted(cluster)
    assert PURGE_POD not in cluster.kube.objects
    cluster.clock.time += timedelta(seconds=61)
    cluster.settle()
    assert PURGE_POD in cluster.kube.objects
