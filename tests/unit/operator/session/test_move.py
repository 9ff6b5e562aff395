"""A session whose store changes: its archives are copied before the next worker starts, or it says why not."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import MOVE_POD, POD, PURGE_POD, SEEN, SESSION, Cluster, on_store, set_spec
from whatsapp_kube.requests import Ref
from whatsapp_session import names

Manifest = dict[str, Any]
OLD = Ref(names.STORE_KIND, samples.NAMESPACE, "default")


@pytest.fixture
def cluster() -> Cluster:
    """A connected and saved session on the store ``default`` that is to move to ``archive``; its worker has stopped."""
    made = Cluster()
    made.make_session()
    made.settle()
    made.pod_runs()
    made.worker_says("Connected", **SEEN)
    made.settle()
    made.move_to("archive")
    made.settle()
    assert MOVE_POD not in made.kube.objects, "the worker still saves"
    made.pod_gone()
    made.settle()
    return made


def condition(cluster: Cluster, kind: str) -> Manifest:
    found: Manifest = next((item for item in cluster.status["conditions"] if item["type"] == kind), {})
    return found


def messages(cluster: Cluster) -> list[str]:
    return [item["message"] for ref, item in cluster.kube.objects.items() if ref.kind == "Event"]


def last_store(cluster: Cluster) -> str:
    return str(cluster.status["worker"]["last"]["store"])


def failing(reason: str, message: str) -> Manifest:
    """Return the status of a pod whose container ended badly and will be started again."""
    said = json.dumps({"reason": reason, "message": message})
    ended = {"exitCode": 3, "message": said, "startedAt": samples.NOON, "finishedAt": samples.NOON}
    return samples.waiting("CrashLoopBackOff", ended=ended)


def test_a_pod_that_does_not_start_says_so_and_where_to_look(cluster: Cluster) -> None:
    cluster.kube.objects[MOVE_POD]["status"] = samples.waiting("ContainerCreating")
    cluster.settle()
    assert "describe pod" not in condition(cluster, "Reconciling")["message"]
    cluster.clock.time += timedelta(minutes=3)
    cluster.settle()
    said = condition(cluster, "Reconciling")
    assert said["reason"] == "PodStarting"
    assert "kubectl describe pod wamove-support -n bots" in said["message"]


def test_archives_are_copied_before_the_worker_starts_on_the_other_store(cluster: Cluster) -> None:
    assert POD not in cluster.kube.objects
    assert (cluster.status["phase"], last_store(cluster)) == ("Pending", "default")
    said = condition(cluster, "Reconciling")
    text = "the operator copies the session's archives from the SessionStore 'default' to 'archive'"
    assert (said["reason"], said["message"]) == ("Replacing", text)
    assert condition(cluster, "Saved")["status"] == "True", "nothing is lost meanwhile"
    cluster.ends(MOVE_POD, samples.terminated(0, json.dumps({"message": "2 generations of RemoteAuth were copied"})))
    cluster.look()
    assert last_store(cluster) == "archive", "remembered before the pod goes"
    assert POD not in cluster.kube.objects, "not beside the pod that copied"
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert cluster.kube.objects[POD]["metadata"]["labels"][names.LABEL_STORE] == "archive"
    moved = "the session moved from the SessionStore 'default' to 'archive': 2 generations of RemoteAuth were copied"
    assert messages(cluster).count(moved) == 1


def test_a_copy_that_fails_is_said_with_the_ways_out_and_goes_on_by_itself(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, failing("StoreUnavailable", "the bucket does not answer"))
    cluster.settle()
    said = condition(cluster, "Stalled")
    assert said["reason"] == "StoreUnavailable"
    assert "could not copy the archives from the SessionStore 'default' to 'archive'" in said["message"]
    assert "the bucket does not answer; to go back, set spec.auth.remoteAuth.storeRef to 'default'" in said["message"]
    assert POD not in cluster.kube.objects
    cluster.ends(MOVE_POD)
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert POD in cluster.kube.objects


def test_who_names_the_old_store_again_goes_on_there(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, samples.running())
    cluster.change(SESSION, set_spec(**on_store("default")))
    cluster.settle()
    assert POD not in cluster.kube.objects, "not while the other pod holds the session"
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert cluster.kube.objects[POD]["metadata"]["labels"][names.LABEL_STORE] == "default"
    assert not [text for text in messages(cluster) if "moved" in text]


def test_who_deletes_the_old_store_leaves_the_archives_behind(cluster: Cluster) -> None:
    del cluster.kube.objects[OLD]
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert cluster.kube.objects[POD]["metadata"]["labels"][names.LABEL_STORE] == "archive"


def test_a_changed_store_gets_a_new_pod(cluster: Cluster) -> None:
    before = cluster.kube.objects[MOVE_POD]["metadata"]["uid"]
    cluster.change(OLD, lambda store: store["spec"].update(filesystem={"claimName": "other"}))
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert cluster.kube.objects[MOVE_POD]["metadata"]["uid"] != before
    assert "other" in json.dumps(cluster.kube.objects[MOVE_POD]["spec"])


def test_a_session_that_moves_on_before_the_copy_is_seen_is_copied_from_where_it_was(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD)
    cluster.move_to("third")
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert last_store(cluster) == "default"
    assert cluster.kube.objects[MOVE_POD]["metadata"]["labels"][names.LABEL_STORE] == "third"


def test_a_suspended_session_is_not_copied(cluster: Cluster) -> None:
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects
    cluster.change(SESSION, set_spec(operatingMode="Running"))
    cluster.settle()
    assert MOVE_POD in cluster.kube.objects


def test_a_deleted_session_takes_the_pod_with_it(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, samples.running())
    remote = {"onDelete": "Delete", "storeRef": {"name": "archive"}}
    cluster.change(SESSION, set_spec(auth={"strategy": "RemoteAuth", "remoteAuth": remote}))
    cluster.settle()
    cluster.delete_session()
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]
    assert PURGE_POD not in cluster.kube.objects, "not while something is copied"
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert PURGE_POD in cluster.kube.objects


def test_a_pod_of_somebody_elses_is_left_alone_and_said(cluster: Cluster) -> None:
    cluster.change(MOVE_POD, lambda pod: pod["metadata"].pop("ownerReferences"))
    cluster.settle()
    assert condition(cluster, "Stalled")["reason"] == "Conflict"
    assert "deletionTimestamp" not in cluster.kube.objects[MOVE_POD]["metadata"]


def test_a_session_that_never_ran_has_nothing_to_move() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.move_to("archive")
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects
    assert POD in cluster.kube.objects


def test_a_pod_on_a_lost_node_is_not_waited_for_for_ever(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, samples.running())
    cluster.change(SESSION, set_spec(**on_store("default")))
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]
    cluster.clock.time += timedelta(seconds=120)
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects
    assert POD in cluster.kube.objects


def test_a_pod_that_failed_as_a_whole_is_made_anew_after_a_pause(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, {"phase": "Failed", "reason": "Evicted"})
    cluster.settle()
    assert condition(cluster, "Stalled")["reason"] == "Evicted"
    assert "deletionTimestamp" not in cluster.kube.objects[MOVE_POD]["metadata"]
    cluster.clock.time += timedelta(seconds=61)
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]


def test_an_empty_store_is_a_fault_for_a_session_that_holds_a_login(cluster: Cluster) -> None:
    (container,) = cluster.kube.objects[MOVE_POD]["spec"]["containers"]
    assert "--if-any" not in container["args"]


def test_a_person_may_give_up_an_owner_that_is_gone_or_what_was_saved(cluster: Cluster) -> None:
    time = "2026-01-01T12:04:00Z"

    def request(name: str) -> None:
        asked = {names.request_annotation(name): time}
        cluster.change(SESSION, lambda session: session["metadata"].update(annotations=asked))
        cluster.settle()

    request("takeover")
    (container,) = cluster.kube.objects[MOVE_POD]["spec"]["containers"]
    assert "--take-over" in container["args"]
    request("relink")
    assert MOVE_POD not in cluster.kube.objects
    assert POD in cluster.kube.objects, "with a new link"


def test_a_store_that_the_session_never_came_to_holds_nothing_of_it() -> None:
    cluster = Cluster()
    cluster.make_session()
    cluster.settle()
    cluster.pod_runs()
    cluster.worker_says("Claiming")
    cluster.settle()
    cluster.move_to("archive")
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    assert MOVE_POD not in cluster.kube.objects
    assert POD in cluster.kube.objects


def test_an_old_store_that_comes_back_heals_a_session_without_its_archives(cluster: Cluster) -> None:
    old = cluster.kube.objects.pop(OLD)
    cluster.settle()
    cluster.pod_runs()
    missing = {"exitCode": 3, "message": '{"reason": "ArchiveMissing", "message": "none"}', "finishedAt": samples.NOON}
    cluster.change(POD, lambda pod: pod.update(status=samples.waiting("CrashLoopBackOff", ended=missing)))
    cluster.settle()
    cluster.pod_gone()
    cluster.settle()
    said = condition(cluster, "Stalled")
    assert said["reason"] == "ArchiveMissing"
    assert (
        "last used the SessionStore 'default', which no longer exists; re-create that to copy its archives"
        in said["message"]
    )
    cluster.kube.put(old)
    cluster.settle()
    cluster.ends(MOVE_POD)
    cluster.settle()
    cluster.gone(MOVE_POD)
    cluster.settle()
    assert POD in cluster.kube.objects
    assert last_store(cluster) == "archive"


def test_what_is_purged_is_where_the_archives_are(cluster: Cluster) -> None:
    remote = {"onDelete": "Delete", "storeRef": {"name": "archive"}}
    cluster.change(SESSION, set_spec(auth={"strategy": "RemoteAuth", "remoteAuth": remote}))
    cluster.settle()
    old = Ref(names.STORE_KIND, samples.NAMESPACE, "default")
    assert "finalizers" not in cluster.kube.objects[old]["metadata"], "nothing needed it"
    cluster.delete_session()
    cluster.settle()
    assert cluster.kube.objects[PURGE_POD]["metadata"]["labels"][names.LABEL_STORE] == "default"
    assert cluster.kube.objects[old]["metadata"]["finalizers"] == [names.FINALIZER_STORE]


def test_a_container_that_has_done_its_work_is_enough(cluster: Cluster) -> None:
    """A sidecar that the cluster injects runs on."""
    cluster.ends(MOVE_POD, samples.terminated(0, phase="Running"))
    cluster.settle()
    assert last_store(cluster) == "archive"
    assert "deletionTimestamp" in cluster.kube.objects[MOVE_POD]["metadata"]


def test_a_pod_that_cannot_start_says_what_it_needs(cluster: Cluster) -> None:
    cluster.ends(MOVE_POD, samples.waiting("ContainerCreating"))
    cluster.settle()
    assert "to 'archive'; the pod wamove-support needs the PVC" in condition(cluster, "Reconciling")["message"]
    full = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    cluster.change(MOVE_POD, lambda pod: pod["spec"].pop("nodeName"))
    cluster.change(MOVE_POD, lambda pod: pod.update(status={"phase": "Pending", "conditions": [full]}))
    cluster.settle()
    said = condition(cluster, "Reconciling")["message"]
    assert re.search("no node for the pod wamove-support: 0/1 nodes are available; free .*; to go back", said)


def test_a_session_that_an_older_operator_suspended_moves_too() -> None:
    cluster = Cluster()
    cluster.make_session({"operatingMode": "Suspended"})
    status = {"worker": {"last": {"accountHash": "aa"}}}
    cluster.change(SESSION, lambda session: session.update(status=status))
    cluster.settle()
    assert last_store(cluster) == "default"
