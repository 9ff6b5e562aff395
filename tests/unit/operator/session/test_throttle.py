"""Starts and restarts have their turns: what waits says so, nothing that was asked for is lost, nobody starves."""

from datetime import timedelta

import pytest

from scenes.operator import samples
from scenes.operator.cluster import POD, SESSION, Cluster, Manifest, connected, run, set_spec
from scenes.operator.fleet import Fleet
from whatsapp_kube.requests import Ref
from whatsapp_operator.observed.state import Key
from whatsapp_session import names

OTHER = "other"


def passes(cluster: Cluster, seconds: float) -> None:
    """Let time pass."""
    cluster.clock.time += timedelta(seconds=seconds)


def condition(cluster: Cluster, key: Key, kind: str) -> Manifest:
    """Return a condition of a session; {} when absent."""
    session = cluster.kube.objects[Ref(names.SESSION_KIND, key.namespace, key.name)]
    return next((item for item in session["status"]["conditions"] if item["type"] == kind), {})


def value(cluster: Cluster, name: str) -> float | None:
    """Return one of the operator's numbers."""
    return cluster.numbers.registry.get_sample_value(f"whatsapp_operator_start_slots_{name}")


def full() -> tuple[Fleet, list[Key]]:
    """Return twelve sessions of one namespace of which ten have a pod that never starts."""
    fleet = Fleet()
    keys = fleet.make(12)
    fleet.look(keys)
    assert len(fleet.pods()) == 10
    return fleet, keys


def other(fleet: Fleet, name: str = "support") -> Key:
    """Make a session in another namespace."""
    manifest = samples.session_resource()
    del manifest["status"]
    manifest["metadata"] |= {"name": name, "namespace": OTHER, "uid": f"{OTHER}-{name}"}
    fleet.cluster.kube.put(manifest)
    store = samples.store_resource()
    store["metadata"] |= {"namespace": OTHER, "uid": "other-store"}
    if Ref(names.STORE_KIND, OTHER, "default") not in fleet.cluster.kube.objects:
        fleet.cluster.kube.put(store)
    return Key(OTHER, name)


def has_pod(fleet: Fleet, key: Key) -> bool:
    """Tell whether a session has a pod."""
    return Ref("Pod", key.namespace, names.pod(key.name)) in fleet.cluster.kube.objects


def test_who_waits_for_a_start_slot_says_so_in_its_conditions_and_in_a_number() -> None:
    fleet, keys = full()
    first, second = (condition(fleet.cluster, key, "Reconciling") for key in keys[10:])
    assert (first["reason"], second["reason"]) == ("StartQueued", "StartQueued")
    assert "and is the next of its namespace: the operator starts at most 10 pods" in first["message"]
    assert "behind at most 10 others of its namespace" in second["message"]
    assert "worker.pacing.maxStarting" in second["message"]
    assert condition(fleet.cluster, keys[0], "Reconciling")["reason"] == "PodStarting"
    assert (value(fleet.cluster, "waiting"), value(fleet.cluster, "taken")) == (2, 10)
    passes(fleet.cluster, 3)
    assert value(fleet.cluster, "longest_wait_seconds") == 3


def test_waiting_writes_a_status_once() -> None:
    fleet, keys = full()
    writes = fleet.cluster.kube.writes
    fleet.look(keys[10:])
    fleet.look(keys[10:])
    assert fleet.cluster.kube.writes == writes


def test_another_namespaces_session_has_its_pod_within_5_s() -> None:
    fleet, keys = full()
    passes(fleet.cluster, 1)
    key = other(fleet)
    again = run(fleet.cluster.operator.reconcile(key))
    assert not has_pod(fleet, key)
    assert again == 4
    passes(fleet.cluster, again)
    fleet.look([*keys, key])
    assert has_pod(fleet, key)
    assert len(fleet.pods()) == 11


def test_one_that_waited_is_called_when_a_slot_is_free() -> None:
    fleet, keys = full()
    key = other(fleet)
    fleet.look([key])
    assert fleet.cluster.operator.granted() == []
    fleet.connect(keys[:1])
    fleet.look(keys[:1])
    assert fleet.cluster.operator.granted() == [key]
    fleet.look([key])
    assert has_pod(fleet, key)


@pytest.mark.parametrize(
    "status",
    [
        samples.waiting("ImagePullBackOff", "no such image"),
        samples.waiting("ErrImagePull", "no such image"),
        {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]},
    ],
    ids=["image", "image at first", "node"],
)
def test_a_pod_that_waits_for_its_image_or_node_holds_no_slot(status: Manifest) -> None:
    fleet, keys = full()
    for key in keys[:10]:
        pod = Ref("Pod", key.namespace, names.pod(key.name))
        fleet.cluster.change(pod, lambda item: item.update(status=status))
    fleet.look(keys)
    fleet.look(keys)
    assert len(fleet.pods()) == 12
    assert value(fleet.cluster, "taken") == 2


def test_a_session_that_is_suspended_while_it_waits_leaves_the_line() -> None:
    fleet, keys = full()
    fleet.cluster.change(Ref(names.SESSION_KIND, *reversed_key(keys[10])), set_spec(operatingMode="Suspended"))
    fleet.look([keys[10]])
    assert value(fleet.cluster, "waiting") == 1
    assert condition(fleet.cluster, keys[10], "Ready")["reason"] == "WorkerHealthy"


def reversed_key(key: Key) -> tuple[str, str]:
    """Return namespace and name."""
    return key.namespace, key.name


def test_while_it_waits_a_session_still_says_why_its_last_worker_ended() -> None:
    fleet, keys = full()
    session = Ref(names.SESSION_KIND, *reversed_key(keys[11]))
    last = {"endReason": "CrashLoop", "endMessage": "the proxy wants a password", "endTime": samples.NOON}
    last |= {"exitCode": 1, "podUID": "old", "failures": 1}
    fleet.cluster.kube.objects[session]["status"] = {"worker": {"last": last}}
    fleet.look([keys[11]])
    found = condition(fleet.cluster, keys[11], "Reconciling")
    assert found["reason"] == "StartQueued"
    assert found["message"].endswith("; the last worker ended: the proxy wants a password")


def ask(cluster: Cluster, request: str, seconds: float) -> None:
    """Make a request, so many seconds after noon."""
    asked = {names.request_annotation(request): f"2026-01-01T12:00:{seconds:02.0f}Z"}
    cluster.change(SESSION, lambda item: item["metadata"].setdefault("annotations", {}).update(asked))


def goes(cluster: Cluster) -> bool:
    """Tell whether the pod is being deleted."""
    return "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


def restarted_once() -> Cluster:
    """Return a connected session that was restarted just now because its user asked for it."""
    cluster = connected()
    ask(cluster, "restart", 1)
    cluster.look()
    assert goes(cluster)
    cluster.pod_gone()
    cluster.settle()
    cluster.pod_runs()
    return cluster


def test_a_second_restart_is_carried_out_later_and_said_and_not_lost() -> None:
    cluster = restarted_once()
    ask(cluster, "restart", 2)
    passes(cluster, 5)
    assert cluster.look() == 10
    assert not goes(cluster)
    said = [item["message"] for item in cluster.kube.objects.values() if item.get("kind") == "Event"]
    assert any("within 5 minutes" in message for message in said)
    ask(cluster, "restart", 3)
    cluster.settle()
    assert not goes(cluster)
    passes(cluster, 10)
    cluster.look()
    assert goes(cluster)
    cluster.pod_gone()
    cluster.settle()
    assert cluster.status["handledRequests"]["restart"] == "2026-01-01T12:00:03Z"


def test_restarts_that_are_asked_for_every_15_s_become_rare() -> None:
    cluster, done = connected(), 0
    for number in range(40):
        ask(cluster, "restart", number + 1)
        for _ in range(3):
            cluster.look()
            if POD in cluster.kube.objects and goes(cluster):
                done += 1
                cluster.pod_gone()
        if "status" not in cluster.kube.objects[POD]:
            cluster.pod_runs()
        passes(cluster, 15)
    assert done == 6


def test_a_spec_that_flips_is_paced_like_a_restart() -> None:
    cluster = connected()
    cluster.change(SESSION, set_spec(browser={"userAgent": "One/1.0"}))
    cluster.look()
    assert goes(cluster)
    cluster.pod_gone()
    cluster.settle()
    cluster.pod_runs()
    cluster.change(SESSION, set_spec(browser={"userAgent": "Two/1.0"}))
    assert cluster.look() == 15
    assert not goes(cluster)


def test_starts_that_are_asked_for_again_and_again_after_a_failure_are_paced_and_say_its_cause() -> None:
    cluster = connected()
    gave_up = samples.terminated(3, '{"reason": "ArchiveMissing", "message": "there is no archive"}', "Failed")

    def fails() -> None:
        cluster.pod_runs()
        cluster.change(POD, lambda pod: pod.update(status=gave_up))
        cluster.settle()
        cluster.pod_gone()
        cluster.settle()

    fails()
    assert POD not in cluster.kube.objects
    ask(cluster, "restart", 1)
    cluster.settle()
    assert POD in cluster.kube.objects, "the first at once"
    fails()
    ask(cluster, "restart", 2)
    assert cluster.look() == 15
    assert POD not in cluster.kube.objects
    found = condition(cluster, Key(samples.NAMESPACE, samples.NAME), "Reconciling")
    assert found["reason"] == "StartQueued"
    assert "there is no archive" in found["message"]
    passes(cluster, 15)
    cluster.settle()
    assert POD in cluster.kube.objects


def test_a_restart_whose_worker_ends_badly_is_not_paced_by_itself() -> None:
    cluster = connected()
    ask(cluster, "restart", 1)
    cluster.look()
    cluster.change(POD, lambda pod: pod.update(status=samples.terminated(137, "", "Failed")))
    cluster.look()
    cluster.pod_gone()
    cluster.settle()
    assert POD in cluster.kube.objects
    assert not goes(cluster)
