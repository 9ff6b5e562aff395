"""A session costs few requests: none while nothing changes, few while it starts, none after a restart."""

from datetime import timedelta
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import KEY, POD, Cluster, connected, run
from whatsapp_kube.errors import Refused
from whatsapp_operator.session import progress
from whatsapp_session import names

Manifest = dict[str, Any]
DELETE = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
OBJECTS = ("ServiceAccount", "Role", "RoleBinding", "Lease", "Pod", "Event")
"""The objects that a session cannot do without."""


def said(cluster: Cluster) -> str:
    """Return what Ready says."""
    return next(str(item["message"]) for item in cluster.status["conditions"] if item["type"] == "Ready")


def test_a_look_at_a_settled_session_sends_no_request() -> None:
    cluster = connected()
    before = len(cluster.kube.calls)
    cluster.look()
    assert cluster.kube.calls[before:] == []


def test_a_restarted_operator_writes_nothing_and_reads_no_session_by_itself() -> None:
    cluster = connected()
    cluster.restarted()
    before, writes = len(cluster.kube.calls), cluster.kube.writes
    cluster.look()
    assert cluster.kube.writes == writes
    shared = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "wa-worker-default"}
    assert [call for call in cluster.kube.calls[before:] if not any(name in call for name in shared)] == []


@pytest.mark.parametrize(
    "states",
    [("Claiming", "Launching", "AwaitingLink"), ("Claiming", "Restoring", "Launching", "Syncing")],
    ids=lambda states: states[-1],
)
def test_from_its_creation_to_ready_a_session_costs_its_objects_and_four_writes(states: tuple[str, ...]) -> None:
    cluster = Cluster()
    cluster.make_session(DELETE)
    before = len(cluster.kube.calls)
    cluster.look()
    cluster.pod_runs()
    cluster.look()
    for state in states:  # one right after the other, so no time passes
        cluster.worker_says(state)
        cluster.look()
    assert cluster.status["phase"] == states[-1]
    assert cluster.look() is None
    written = [call for call in cluster.kube.calls[before:] if call.split()[0] not in ("get", "list")]
    of_the_store = [call for call in written if "SessionStore" in call]
    assert len(written) - len(of_the_store) <= len(OBJECTS) + 4, written


def test_a_start_that_takes_its_time_says_how_it_proceeds() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.look()
    cluster.pod_runs()
    cluster.worker_says("Claiming")
    assert cluster.look() == progress.PROGRESS_SECONDS
    assert said(cluster) == "the worker pod is starting"
    cluster.clock.time += timedelta(seconds=progress.PROGRESS_SECONDS)
    assert cluster.look() is None
    assert said(cluster) == "the worker claims the session"


def test_a_start_that_meets_a_problem_says_so_at_once() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.look()
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    pulls = [{"name": names.WORKER_CONTAINER, "restartCount": 0, "state": waiting}]
    cluster.change(POD, lambda pod: pod.update(status={"phase": "Pending", "containerStatuses": pulls}))
    cluster.look()
    assert "no such image" in said(cluster)


@pytest.mark.parametrize("kind", ["ServiceAccount", "Role", "RoleBinding", "Lease"])
@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_what_somebody_did_to_a_workers_rights_is_undone_after_a_list(kind: str, how: str) -> None:
    cluster = connected()
    ref = next(ref for ref in cluster.kube.objects if ref.kind == kind)
    before = cluster.kube.objects[ref]["metadata"]["labels"]
    if how == "deleted":
        del cluster.kube.objects[ref]
    else:
        cluster.change(ref, lambda item: item["metadata"].update(ownerReferences=[]))
    writes = cluster.kube.writes
    cluster.look()
    assert cluster.kube.writes == writes, "no watch says so"
    assert run(cluster.operator.list_access(())) == [KEY]
    cluster.settle()
    assert cluster.kube.objects[ref]["metadata"]["ownerReferences"]
    assert cluster.kube.objects[ref]["metadata"]["labels"] == before


def test_where_the_operator_may_not_list_it_applies_everything_once() -> None:
    cluster = connected()
    cluster.kube.deny = lambda asked: Refused(403, "no", asked) if asked.verb == "list" else None
    cluster.restarted()
    before = len(cluster.kube.calls)
    cluster.settle()
    applied = [call for call in cluster.kube.calls[before:] if call.startswith("apply")]
    assert len(applied) == 4
    before = len(cluster.kube.calls)
    cluster.look()
    assert cluster.kube.calls[before:] == []


def test_a_pod_without_the_label_is_found_when_its_name_is_taken() -> None:
    cluster = Cluster()
    metadata = {"name": POD.name, "namespace": samples.NAMESPACE}
    cluster.kube.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": {}})
    cluster.make_session()
    cluster.look()
    assert "wa-support" in said(cluster)
    assert "worker" not in cluster.status
