"""What the operator does to sessions of a fake cluster."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kube_fake import FakeKube
from unit import operator_samples as samples
from unit.operator_cluster import KEY, LEASE, POD, SEEN, SESSION, Cluster, run, set_spec
from whatsapp_operator.kube import Ref
from whatsapp_operator.reconcile import Key
from whatsapp_session import names

Manifest = dict[str, Any]


@dataclass
class Fleet:
    """Several sessions of one fake cluster."""

    cluster: Cluster = field(default_factory=Cluster)

    def make(self, count: int) -> list[Key]:
        """Make sessions."""
        keys = [Key(samples.NAMESPACE, f"s{number}") for number in range(count)]
        for key in keys:
            manifest = samples.session_resource()
            del manifest["status"]
            manifest["metadata"]["name"] = key.name
            self.cluster.kube.put(manifest)
        return keys

    def look(self, keys: list[Key]) -> None:
        """Reconcile each once."""
        for key in keys:
            run(self.cluster.operator.reconcile(key))

    def pods(self) -> list[Manifest]:
        """Return the pods that are not going."""
        found = [item for ref, item in self.cluster.kube.objects.items() if ref.kind == "Pod"]
        return [item for item in found if "deletionTimestamp" not in item["metadata"]]

    def connect(self, keys: list[Key]) -> None:
        """Play kubelet and worker until each of these sessions that has a pod is connected."""
        for key in keys:
            ref = Ref("Pod", key.namespace, names.pod(key.name))
            if ref not in self.cluster.kube.objects:
                continue
            pod = self.cluster.kube.objects[ref]
            pod["spec"]["nodeName"] = "node-1"
            pod["status"] = samples.running()
            said = {"podUID": pod["metadata"]["uid"], "state": "Connected", "stateSince": "2026-01-01T12:00:05Z"}
            session = self.cluster.kube.objects[Ref(names.SESSION_KIND, key.namespace, key.name)]
            session.setdefault("status", {})["session"] = said


def test_only_so_many_pods_start_at_once_and_the_rest_follow() -> None:
    fleet = Fleet()
    keys = fleet.make(15)
    fleet.look(keys)
    assert len(fleet.pods()) == 10
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    assert len(fleet.pods()) == 15


def test_an_upgrade_replaces_a_tenth_at_a_time_and_halts_when_they_do_not_come_back() -> None:
    fleet = Fleet()
    keys = fleet.make(20)
    for _ in range(4):
        fleet.look(keys)
        fleet.connect(keys)
    fleet.look(keys)
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    fleet.cluster.restarted()
    fleet.look(keys)
    assert len(fleet.pods()) == 18
    for _ in range(3):
        fleet.look(keys)
    assert len(fleet.pods()) == 18
    fleet.cluster.kube.objects = {
        ref: item for ref, item in fleet.cluster.kube.objects.items() if "deletionTimestamp" not in item["metadata"]
    }
    fleet.look(keys)
    fleet.connect(keys)
    fleet.look(keys)
    fleet.look(keys)
    images = [pod["spec"]["containers"][0]["image"] for pod in fleet.pods()]
    assert (images.count("worker:1"), images.count("worker:2")) == (16, 2)


def test_two_sessions_that_ask_the_server_at_the_same_time_do_not_both_take_the_last_place() -> None:
    fleet = Fleet()
    first, second = fleet.make(2)
    for _ in range(3):
        fleet.look([first, second])
        fleet.connect([first, second])
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    operator, kube = fleet.cluster.restarted(), fleet.cluster.kube
    interrupted: list[int] = []

    def meanwhile(number: int) -> None:
        # The dry run has no name of its own yet.
        if kube.calls[number] == "create Pod/" and not interrupted:
            interrupted.append(number)
            run(operator.reconcile(second))

    kube.before_call = meanwhile
    run(operator.reconcile(first))
    assert interrupted
    assert len(fleet.pods()) == 1


def test_a_change_that_the_server_would_refuse_leaves_the_worker_running() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
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
    text = "unable to create new content in namespace bots because it is being terminated"
    cluster.kube.refuse = lambda manifest: text if manifest["kind"] == kind else None
    cluster.make_session()
    assert cluster.look() == 60
    writes = cluster.kube.writes
    assert cluster.look() == 60
    assert cluster.kube.writes == writes
    assert cluster.status["conditions"][0]["message"] == "the namespace is being deleted"


@pytest.mark.parametrize("kind", ["ServiceAccount", "RoleBinding", "Lease"])
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
    assert message == f"the admission of this cluster refuses what the session needs: {said}"


def test_a_wish_to_save_rides_on_the_lease_until_the_worker_has_done_it() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    wish, time = names.wish_annotation("save"), "2026-01-01T12:30:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={wish: time}))
    cluster.settle()
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][wish] == time
    cluster.worker_says("Connected", handledRequests={"save": time}, **SEEN)
    cluster.settle()
    assert wish not in cluster.kube.objects[LEASE]["metadata"]["annotations"]
    assert cluster.status["handledRequests"] == {"save": time}


def test_a_wish_reaches_a_worker_whose_replacement_is_refused() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    cluster.kube.refuse = lambda manifest: "violates PodSecurity" if manifest["kind"] == "Pod" else None
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    wish, time = names.wish_annotation("save"), "2026-01-01T12:30:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={wish: time}))
    cluster.settle()
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][wish] == time


def test_a_wish_reaches_a_worker_that_waits_for_its_turn_to_be_replaced() -> None:
    fleet = Fleet()
    first, second = fleet.make(2)
    for _ in range(3):
        fleet.look([first, second])
        fleet.connect([first, second])
    fleet.cluster.defaults = dataclasses.replace(samples.DEFAULTS, image="worker:2")
    fleet.cluster.restarted()
    wish, time = names.wish_annotation("save"), "2026-01-01T12:30:00Z"
    session = Ref(names.SESSION_KIND, second.namespace, second.name)
    fleet.cluster.change(session, lambda item: item["metadata"].update(annotations={wish: time}))
    fleet.look([first, second])
    assert len(fleet.pods()) == 1, "one at a time"
    lease = fleet.cluster.kube.objects[Ref("Lease", second.namespace, names.lease(second.name))]
    assert lease["metadata"]["annotations"][wish] == time


def test_a_wish_for_a_restart_is_carried_out_once_and_said_so() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    wish, time = names.wish_annotation("restart"), "2026-01-01T12:30:00Z"
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations={wish: time}))
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


def test_a_look_at_a_settled_session_writes_nothing() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    before = len(cluster.kube.calls)
    cluster.look()
    assert {call.split()[0] for call in cluster.kube.calls[before:]} == {"get"}


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


@pytest.mark.parametrize(
    ("state", "said"),
    [("Frozen", {}), ("Claiming", {"lastError": {"reason": "LeaseHeld", "message": "there is no Lease"}})],
    ids=["frozen", "claiming"],
)
def test_a_lease_that_somebody_deleted_is_made_again_for_the_worker_that_misses_it(
    state: str, said: dict[str, Any]
) -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    uid = cluster.kube.objects[POD]["metadata"]["uid"]
    del cluster.kube.objects[LEASE]
    cluster.worker_says(state, **said)
    cluster.settle()
    assert cluster.kube.objects[LEASE]["metadata"]["annotations"][names.ANNOTATION_WORKER_POD_UID] == uid


def test_a_long_refusal_is_a_message_that_fits() -> None:
    cluster = Cluster()
    cluster.kube.refuse = lambda manifest: "no " * 4000 if manifest["kind"] == "Pod" else None
    cluster.make_session()
    assert cluster.look() == 60
    assert {len(item["message"]) <= 4096 for item in cluster.status["conditions"]} == {True}


def test_a_report_that_arrives_while_an_old_one_is_cleared_survives() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    cluster.change(POD, lambda pod: pod.update(status=samples.running(since="2026-01-01T13:00:00Z")))

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
    assert cluster.look() is None
    assert POD not in cluster.kube.objects
    assert "upgrade the definitions" in caplog.text


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


@pytest.mark.parametrize(
    "weaken",
    [
        lambda kube: kube.objects.pop(Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME)),
        lambda kube: kube.objects.pop(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)),
        lambda kube: kube.objects[Ref("ValidatingAdmissionPolicy", "", names.POLICY_NAME)]["spec"].update(
            failurePolicy="Ignore"
        ),
        lambda kube: kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)]["spec"].update(
            validationActions=["Audit"]
        ),
    ],
    ids=["no policy", "no binding", "fails open", "audits only"],
)
def test_no_rights_are_granted_without_a_policy_that_denies(weaken: Callable[[FakeKube], Any]) -> None:
    cluster = Cluster()
    weaken(cluster.kube)
    cluster.make_session()
    cluster.settle()
    assert not {"RoleBinding", "ServiceAccount", "Pod"} & {ref.kind for ref in cluster.kube.objects}
    assert "PolicyMissing" in {item["reason"] for item in cluster.status["conditions"]}


def test_rights_go_with_the_policy_and_come_back_with_it() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    binding = Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")
    assert [subject["name"] for subject in cluster.kube.objects[binding]["subjects"]] == ["wa-worker-default"]
    taken = cluster.kube.objects.pop(Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME))
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert cluster.kube.objects[binding]["subjects"] == []
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the worker runs on"
    found = {item["type"]: (item["status"], item["reason"]) for item in cluster.status["conditions"]}
    assert found["Ready"] == ("False", "PolicyMissing")
    assert found["Stalled"] == ("True", "PolicyMissing")
    assert run_keys(cluster) == []
    cluster.kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)] = taken
    assert run_keys(cluster) == [KEY]
    cluster.settle()
    assert [subject["name"] for subject in cluster.kube.objects[binding]["subjects"]] == ["wa-worker-default"]
    assert cluster.status["conditions"][0]["status"] == "True"


def test_a_change_of_the_template_grants_no_rights_while_the_policy_is_missing() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Connected", **SEEN)
    cluster.settle()
    del cluster.kube.objects[Ref("ValidatingAdmissionPolicyBinding", "", names.POLICY_NAME)]
    run_keys(cluster)
    cluster.settle()
    cluster.change(SESSION, set_spec(podTemplate={"spec": {"priority": 1}}))
    cluster.settle()
    binding = Ref("RoleBinding", samples.NAMESPACE, "wa-worker-default")
    assert cluster.kube.objects[binding]["subjects"] == []
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"], "the next one would get no rights"


def run_keys(cluster: Cluster) -> list[Key]:
    """Look at the policy; returns the sessions to look at because it changed."""
    work = cluster.operator.look_at_policy()
    with pytest.raises(StopIteration) as end:
        work.send(None)
    found: list[Key] = end.value.value
    return found


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
