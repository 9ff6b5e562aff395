"""What the operator does to sessions of a fake cluster."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fakes.kube import TERMINATING
from scenes.operator import samples
from scenes.operator.cluster import LEASE, POD, SEEN, SESSION, Cluster, connected, set_spec
from whatsapp_kube.errors import Conflict
from whatsapp_session import names

Manifest = dict[str, Any]


def test_a_change_that_the_server_would_refuse_leaves_the_worker_running() -> None:
    cluster = connected()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    cluster.kube.refuse = lambda manifest: "violates PodSecurity" if manifest["kind"] == "Pod" else None
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    assert cluster.look() == 60
    assert cluster.kube.objects[POD]["metadata"]["uid"] == uid
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]
    found = {item["type"]: (item["status"], item["reason"]) for item in cluster.status["conditions"]}
    assert found["Ready"] == ("False", "InvalidPodTemplate")
    assert found["Stalled"] == ("True", "InvalidPodTemplate")
    assert found["Connected"][0] == "True"
    cluster.kube.refuse = lambda manifest: None
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


@pytest.mark.parametrize("kind", ["ServiceAccount", "Lease", "Pod"])
def test_a_namespace_that_is_being_deleted_is_one_condition(kind: str) -> None:
    cluster = Cluster()
    cluster.kube.refuse = lambda manifest: TERMINATING if manifest["kind"] == kind else None
    cluster.make_session()
    assert cluster.look() == 60
    writes = cluster.kube.writes
    assert cluster.look() == 60
    assert cluster.kube.writes == writes
    assert cluster.status["conditions"][0]["message"] == "the namespace is being deleted"


@pytest.mark.parametrize("kind", ["ServiceAccount", "Role", "RoleBinding", "Lease"])
def test_a_webhook_that_refuses_what_a_pod_needs_is_one_condition(kind: str) -> None:
    cluster = Cluster()
    said = 'admission webhook "policy.example.com" denied the request: no'
    cluster.kube.refuse = lambda manifest: said if manifest["kind"] == kind else None
    cluster.make_session()
    assert cluster.look() == 60
    writes = cluster.kube.writes
    assert cluster.look() == 60
    assert cluster.kube.writes == writes
    message = cluster.status["conditions"][0]["message"]
    assert message.startswith("an admission rule of this cluster refuses to ")
    assert kind in message
    assert said in message


def test_a_request_to_save_rides_on_the_lease_until_the_worker_has_done_it() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    request, time = names.request_annotation("save"), "2026-01-01T12:04:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={request: time}))
    cluster.settle()
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][request] == time
    cluster.worker_says("Connected", handledRequests={"save": time}, **SEEN)
    cluster.settle()
    assert request not in cluster.kube.objects[LEASE]["metadata"]["annotations"]
    assert cluster.status["handledRequests"] == {"save": time}


def test_a_request_reaches_a_worker_whose_replacement_is_refused() -> None:
    cluster = connected()
    cluster.kube.refuse = lambda manifest: "violates PodSecurity" if manifest["kind"] == "Pod" else None
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    request, time = names.request_annotation("save"), "2026-01-01T12:04:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={request: time}))
    cluster.settle()
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][request] == time


def test_a_request_for_a_restart_is_carried_out_once_and_said_so() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    request, time = names.request_annotation("restart"), "2026-01-01T12:04:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={request: time}))
    cluster.settle()
    again = cluster.kube.objects[POD]["metadata"]["uid"]
    assert again != uid
    assert cluster.status["handledRequests"] == {"restart": time}
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={}))
    cluster.settle()
    assert cluster.kube.objects[POD]["metadata"]["uid"] == again


def test_a_worker_that_the_node_saw_ending_is_marked_so_that_nobody_waits_for_its_lease() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    cluster.change(POD, lambda pod: pod.update(status=samples.terminated(0)))
    cluster.settle()
    annotations = cluster.kube.objects[LEASE]["metadata"]["annotations"]
    assert annotations[names.ANNOTATION_TERMINATED_POD_UID] == uid
    assert annotations[names.ANNOTATION_WORKER_POD_UID] != uid


def test_a_first_report_that_is_faster_than_the_kubelet_survives() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.worker_says("AwaitingLink", qr={"code": "2@generated"})
    cluster.settle()
    assert cluster.status["session"]["qr"] == {"code": "2@generated"}
    cluster.pod_runs()
    cluster.settle()
    assert cluster.status["phase"] == "AwaitingLink"


def test_what_a_container_that_crashed_had_said_is_cleared_and_its_successors_word_is_not() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("AwaitingLink", qr={"code": "2@generated"})
    cluster.settle()
    ended = {"exitCode": 1, "startedAt": samples.NOON, "finishedAt": "2026-01-01T12:01:00Z"}
    cluster.change(POD, lambda pod: pod.update(status=samples.waiting("CrashLoopBackOff", ended=ended)))
    cluster.settle()
    assert not cluster.status.get("session")
    cluster.worker_says("AwaitingLink", stateSince="2026-01-01T12:01:20Z", qr={"code": "2@other"})
    cluster.settle()
    assert cluster.status["session"]["qr"] == {"code": "2@other"}


@pytest.mark.parametrize("state", ["Frozen", "Claiming"])
def test_a_lease_that_somebody_deleted_is_made_again_for_the_worker_that_misses_it(state: str) -> None:
    cluster = connected()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    del cluster.kube.objects[LEASE]
    cluster.worker_says(state)
    cluster.settle()
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][names.ANNOTATION_WORKER_POD_UID] == uid


def test_a_status_is_never_written_to_a_namesake() -> None:
    cluster = Cluster()
    cluster.make_session()
    made: list[Manifest] = []

    def again(number: int) -> None:
        if cluster.kube.calls[number] == "apply WhatsAppSession/support" and not made:
            del cluster.kube.objects[SESSION]
            made.append(cluster.kube.put(samples.session_resource()))

    cluster.kube.before_call = again
    with pytest.raises(Conflict):
        cluster.look()
    assert "worker" not in cluster.status
    cluster.collect_garbage()
    cluster.settle()
    assert cluster.status["worker"]["podUID"] == cluster.kube.objects[POD]["metadata"]["uid"]


def test_a_long_refusal_is_a_message_that_fits() -> None:
    cluster = Cluster()
    cluster.kube.refuse = lambda manifest: "no " * 4000 if manifest["kind"] == "Pod" else None
    cluster.make_session()
    assert cluster.look() == 60
    assert {len(item["message"]) <= 4096 for item in cluster.status["conditions"]} == {True}


def test_a_report_that_arrives_while_an_old_one_is_cleared_survives() -> None:
    cluster = connected()
    cluster.change(POD, lambda pod: pod.update(status=samples.running("2026-01-01T13:00:00Z", restarts=1)))

    def report_now(number: int) -> None:
        if cluster.kube.calls[number].startswith("apply WhatsAppSession") and not said:
            said.append(number)
            cluster.worker_says("Claiming", webVersion="new")

    said: list[int] = []
    cluster.kube.after_call = report_now
    with pytest.raises(Exception, match="was changed"):
        cluster.look()
    assert cluster.status["session"]["webVersion"] == "new"


def test_a_pod_of_a_session_that_is_gone_is_stopped() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    del cluster.kube.objects[SESSION]
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


def test_a_spec_that_this_version_does_not_understand_is_left_alone_and_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Cluster()
    cluster.make_session({"auth": {"strategy": "Telepathy"}})
    assert cluster.look() == 60.0
    assert POD not in cluster.kube.objects
    assert "upgrade the CRDs" in caplog.text


def test_a_foreign_pod_is_left_alone_when_its_namesake_goes() -> None:
    cluster = Cluster()
    foreign = cluster.kube.put({"kind": "Pod", "metadata": {"name": POD.name, "namespace": POD.namespace}, "spec": {}})
    cluster.make_session()
    cluster.settle()
    assert cluster.status["phase"] == "Failed"
    del cluster.kube.objects[SESSION]
    cluster.settle()
    assert cluster.kube.objects[POD] == foreign


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('pods "wa-support" is forbidden: exceeded quota: small', "QuotaExceeded"),
        ('admission webhook "policy.example.com" denied the request: no', "InvalidPodTemplate"),
        ('Internal error occurred: failed calling webhook "policy.example.com"', "InvalidPodTemplate"),
        ("violates PodSecurity", "InvalidPodTemplate"),
    ],
    ids=["quota", "webhook", "webhook that is away", "standard"],
)
def test_a_refused_pod_is_one_condition_and_tried_again_later(said: str, reason: str) -> None:
    cluster = Cluster()
    cluster.kube.refuse = lambda manifest: said if manifest["kind"] == "Pod" else None
    cluster.make_session()
    assert cluster.look() == 60
    writes = cluster.kube.writes
    assert cluster.look() == 60
    assert cluster.kube.writes == writes
    assert reason in {item["reason"] for item in cluster.status["conditions"]}
    cluster.kube.refuse = lambda manifest: None
    cluster.settle()
    assert cluster.status["phase"] == "Starting"


def test_a_new_image_replaces_the_pod_gracefully() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    cluster.restarted()
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]
    cluster.pod_gone()
    cluster.settle()
    assert cluster.kube.objects[POD]["spec"]["containers"][0]["image"] == "worker:2"


def test_a_held_worker_is_started_when_its_pause_is_over() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.change(POD, lambda pod: pod.update(status=samples.terminated(4, '{"reason": "ClientOutdated"}', "Failed")))
    cluster.settle()
    assert POD not in cluster.kube.objects
    assert cluster.look() == 60
    cluster.clock.time += timedelta(seconds=60)
    cluster.settle()
    assert POD in cluster.kube.objects
