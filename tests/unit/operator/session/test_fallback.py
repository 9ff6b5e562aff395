"""A fault of the operator in judging a session keeps nobody from suspending, restarting or deleting it."""

import logging
from typing import Any

import pytest

from scenes.operator.cluster import POD, PURGE_POD, SEEN, SESSION, Cluster, connected, set_spec
from whatsapp_operator.manifests import lease
from whatsapp_operator.observed import parsing, requests
from whatsapp_operator.session import plan, status, termination
from whatsapp_session import names

Manifest = dict[str, Any]
SECRET = "2@secret"
FAULTS = {
    "the status": (status, "own_status"),
    "the conditions": (status, "conditions"),
    "the plan": (plan, "plan"),
    "how a worker ended": (termination, "remember"),
    "who wrote a report": (termination, "fresh_report"),
    "a worker's words": (parsing, "_report"),
}
DELETES: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}


@pytest.fixture(autouse=True)
def faults_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scene bear faults of the operator."""
    monkeypatch.setattr(Cluster, "faults_expected", True)


def broken(*_: Any, **__: Any) -> Any:
    """Raise as a bug does, with a value in its words."""
    raise ValueError(f"invalid literal: {SECRET!r}")


@pytest.fixture(params=FAULTS.values(), ids=FAULTS.keys())
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Break one part of the operator when called."""
    return lambda: monkeypatch.setattr(*request.param, broken)


def ask(cluster: Cluster, request: str, time: str = "2026-01-01T12:04:00Z") -> None:
    """Ask for something by an annotation."""
    annotations = {names.request_annotation(request): time}
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations=annotations))


def going(cluster: Cluster) -> bool:
    """Return whether the worker's pod is being deleted."""
    return "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


def condition(cluster: Cluster, kind: str) -> Manifest:
    """Return a condition of the session."""
    return next(item for item in cluster.status["conditions"] if item["type"] == kind)


def test_it_can_be_suspended_and_resumed(fault: Any) -> None:
    cluster = connected()
    fault()
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.look()
    assert going(cluster)
    cluster.pod_gone()
    cluster.settle()
    assert POD not in cluster.kube.objects
    assert "podUID" not in cluster.status.get("worker", {})
    cluster.change(SESSION, set_spec(operatingMode="Running"))
    cluster.settle()
    assert cluster.status["worker"]["podUID"] == cluster.kube.objects[POD]["metadata"]["uid"]


def test_it_can_be_restarted_once(fault: Any) -> None:
    cluster = connected()
    before = cluster.kube.objects[POD]["metadata"]["uid"]
    fault()
    ask(cluster, "restart")
    cluster.look()
    assert going(cluster)
    cluster.pod_gone()
    cluster.settle()
    after = cluster.kube.objects[POD]["metadata"]["uid"]
    assert after != before
    assert cluster.status["worker"]["podUID"] == after
    cluster.pod_runs()
    cluster.settle()
    assert not going(cluster)


def test_a_failed_one_waits_for_a_person(fault: Any) -> None:
    cluster = connected()
    fault()
    cluster.change(POD, lambda pod: pod.update(status={"phase": "Failed", "reason": "Evicted"}))
    cluster.settle()
    ask(cluster, "restart")
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    assert not going(cluster)


def test_it_can_be_deleted(fault: Any) -> None:
    cluster = connected()
    fault()
    cluster.delete_session()
    cluster.settle()
    assert POD not in cluster.kube.objects or going(cluster)


def test_it_can_be_deleted_with_its_archives(fault: Any) -> None:
    cluster = connected(DELETES)
    fault()
    cluster.delete_session()
    cluster.look()
    cluster.pod_gone()
    cluster.look()
    cluster.purge_ends()
    cluster.settle()
    assert SESSION not in cluster.kube.objects
    assert PURGE_POD not in cluster.kube.objects or "deletionTimestamp" in cluster.kube.objects[PURGE_POD]["metadata"]


def test_it_can_be_deleted_without_its_archives(fault: Any) -> None:
    cluster = connected(DELETES)
    fault()
    cluster.delete_session()
    cluster.look()
    ask(cluster, "skip-purge")
    cluster.settle()
    assert SESSION not in cluster.kube.objects
    assert PURGE_POD not in cluster.kube.objects


def test_it_says_so_in_conditions_and_once_in_the_log(fault: Any, caplog: pytest.LogCaptureFixture) -> None:
    cluster = connected()
    fault()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            cluster.change(SESSION, lambda session: None)
            cluster.look()
    assert condition(cluster, "Ready")["status"] == "False"
    stalled = condition(cluster, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "OperatorFault")
    assert "can still suspend, restart and delete" in stalled["message"]
    assert "ValueError in broken, test_fallback.py" in stalled["message"]
    assert len(caplog.records) == 1
    assert SECRET not in f"{cluster.status['conditions']} {caplog.text}"
    assert cluster.numbers.registry.get_sample_value("whatsapp_operator_reconcile_errors_total") == 3


def test_what_it_says_goes_with_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = connected()
    with monkeypatch.context() as patch:
        patch.setattr(status, "own_status", broken)
        cluster.settle()
    cluster.settle()
    assert condition(cluster, "Ready")["status"] == "True"
    assert "Stalled" not in {item["type"] for item in cluster.status["conditions"]}


def test_a_dead_worker_leaves_no_code_behind(fault: Any) -> None:
    cluster = connected()
    cluster.worker_says("AwaitingLink", qr={"code": SECRET})
    fault()
    del cluster.kube.objects[POD]
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.settle()
    assert "session" not in cluster.status


def test_no_worker_starts_on_another_store_than_that_of_its_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = connected()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    monkeypatch.setattr(plan, "plan", broken)
    cluster.move_to("other")
    del cluster.kube.objects[POD]
    cluster.settle()
    assert POD not in cluster.kube.objects


@pytest.mark.parametrize("part", [(requests, "for_the_worker"), (lease, "lease")], ids=["requests", "the Lease"])
def test_a_fault_in_composing_what_a_worker_needs_keeps_nobody_from_suspending(
    part: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = connected()
    monkeypatch.setattr(*part, broken)
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.look()
    assert going(cluster)


@pytest.mark.parametrize("spec", [{"auth": {"strategy": "Magic"}}, {"auth": ["x"]}, "x", [1]], ids=str)
def test_one_whose_spec_is_not_understood_can_be_suspended_and_deleted(spec: Any) -> None:
    cluster = connected(DELETES)
    odd = spec if not isinstance(spec, dict) else {**spec, "operatingMode": "Suspended"}
    cluster.change(SESSION, lambda session: session.update(spec=odd))
    cluster.look()
    assert condition(cluster, "Stalled")["reason"] == "InvalidConfiguration"
    assert going(cluster) == isinstance(spec, dict)
    cluster.delete_session()
    cluster.look()
    assert going(cluster)
    cluster.pod_gone()
    cluster.look()
    assert "skip-purge-requested-at" in condition(cluster, "Stalled")["message"]
    assert PURGE_POD not in cluster.kube.objects, "whose archives to delete is not known"
    ask(cluster, "skip-purge")
    cluster.settle()
    assert SESSION not in cluster.kube.objects
