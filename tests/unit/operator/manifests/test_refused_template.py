"""A stored session whose podTemplate is refused now: its pod runs on, a condition says why, and all else goes on."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import MOVE_POD, POD, PURGE_POD, SEEN, SESSION, Cluster, set_spec
from whatsapp_operator.manifests.pod_security import Level
from whatsapp_session import names

Manifest = dict[str, Any]
PRIVILEGED = {"spec": {"containers": [{"name": "bot", "image": "bot:1", "securityContext": {"privileged": True}}]}}
SILENT = {"spec": {"containers": [{"name": "bot", "image": "bot:1"}]}}
DELETE = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}


def upgraded(spec: Manifest | None = None) -> Cluster:
    """Return a cluster whose session came to run under an operator that allowed its template."""
    defaults = dataclasses.replace(samples.DEFAULTS, pod_security=Level.PRIVILEGED)
    cluster = Cluster(defaults=defaults)
    cluster.make_session({**(spec or {}), "podTemplate": PRIVILEGED})
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    cluster.defaults = samples.DEFAULTS
    cluster.restarted()
    cluster.settle()
    return cluster


def conditions(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition."""
    return {item["type"]: (item["status"], item["reason"]) for item in cluster.status["conditions"]}


def message(cluster: Cluster) -> str:
    """Return what stalls the session."""
    found = [item["message"] for item in cluster.status["conditions"] if item["type"] == "Stalled"]
    return str(found[0]) if found else ""


def runs(cluster: Cluster) -> bool:
    """Return whether the pod is there and nobody stops it."""
    return POD in cluster.kube.objects and "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]


def test_the_pod_runs_on_and_a_condition_names_the_field_and_the_chart_value() -> None:
    cluster = upgraded()
    assert runs(cluster)
    found = conditions(cluster)
    assert (found["Ready"], found["Stalled"]) == (("False", "InvalidPodTemplate"), ("True", "InvalidPodTemplate"))
    assert found["Connected"][0] == found["Linked"][0] == found["Saved"][0] == "True"
    assert "spec.podTemplate.spec.containers[bot].securityContext.privileged" in message(cluster)
    assert "the chart value podTemplate.podSecurity=privileged allows it" in message(cluster)
    writes = cluster.kube.writes
    cluster.look()
    assert cluster.kube.writes == writes, "it is said once"


@pytest.mark.parametrize(
    "change",
    [
        set_spec(browser={"userAgent": "Other/1"}),
        set_spec(podTemplate={"spec": {**PRIVILEGED["spec"], "nodeSelector": {"a": "b"}}}),
        lambda raw: raw["metadata"].update(annotations={names.request_annotation("restart"): "2026-01-01T11:59:00Z"}),
    ],
    ids=["another setting", "another part of the template", "the user requested a restart"],
)
def test_no_change_replaces_the_pod_while_the_template_is_refused(change: Any) -> None:
    cluster = upgraded()
    cluster.change(SESSION, change)
    cluster.settle()
    assert runs(cluster)
    assert conditions(cluster)["Stalled"] == ("True", "InvalidPodTemplate")


def test_a_mended_template_replaces_the_pod_and_ends_the_condition() -> None:
    cluster = upgraded()
    cluster.change(SESSION, set_spec(podTemplate=SILENT))
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    sidecar = cluster.kube.objects[POD]["spec"]["containers"][1]
    assert sidecar["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "Stalled" not in conditions(cluster)


def test_a_pod_that_is_gone_is_not_made_again_before_the_template_is_mended() -> None:
    cluster = upgraded()
    del cluster.kube.objects[POD]
    cluster.settle()
    assert POD not in cluster.kube.objects
    assert cluster.status["phase"] == "Failed"
    assert "podTemplate.podSecurity=privileged" in message(cluster)
    assert conditions(cluster)["Saved"][0] == "True"
    cluster.change(SESSION, set_spec(podTemplate=SILENT))
    cluster.settle()
    assert runs(cluster)


def test_a_session_whose_template_is_refused_can_be_suspended() -> None:
    cluster = upgraded()
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.settle()
    assert not runs(cluster)
    cluster.pod_gone()
    cluster.settle()
    assert (cluster.status["phase"], conditions(cluster)["Ready"][0]) == ("Suspended", "True")


def test_a_session_whose_template_is_refused_is_deleted_with_its_archives() -> None:
    cluster = upgraded(DELETE)
    cluster.delete_session()
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    assert [item["name"] for item in cluster.kube.objects[PURGE_POD]["spec"]["containers"]] == ["worker"]
    cluster.purge_ends()
    cluster.settle()
    cluster.purge_pod_gone()
    cluster.settle()
    assert SESSION not in cluster.kube.objects


def test_archives_are_not_copied_for_a_worker_that_would_not_be_started() -> None:
    cluster = upgraded()
    cluster.move_to("archive")
    cluster.settle()
    assert runs(cluster)
    del cluster.kube.objects[POD]
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects
    cluster.change(SESSION, set_spec(podTemplate=SILENT))
    cluster.settle()
    assert MOVE_POD in cluster.kube.objects


def test_an_explicit_chart_value_allows_more() -> None:
    cluster = Cluster(defaults=dataclasses.replace(samples.DEFAULTS, pod_security=Level.PRIVILEGED))
    cluster.make_session({"podTemplate": PRIVILEGED})
    cluster.settle()
    assert cluster.kube.objects[POD]["spec"]["containers"][1]["securityContext"] == {"privileged": True}
