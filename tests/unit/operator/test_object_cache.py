"""The cache holds the newest version of what is watched, however the messages about it arrive."""

from typing import Any

import pytest

from fakes.kube import FakeKube
from scenes.operator.cluster import run
from whatsapp_kube.requests import Ref
from whatsapp_operator.object_cache import ObjectCache, RememberingKube, Watched, refresh, trimmed
from whatsapp_session import names

Manifest = dict[str, Any]
POD, SESSION = Ref("Pod", "bots", "wa-support"), Ref(names.SESSION_KIND, "bots", "support")


def pod(version: int, uid: str = "one", **metadata: Any) -> Manifest:
    """Return a version of a session's pod."""
    head = {"name": POD.name, "namespace": "bots", "uid": uid, "resourceVersion": str(version)}
    labels = {"labels": {names.LABEL_SESSION: "support"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**head, **labels, **metadata}, "spec": {}, "status": {}}


def version(cache: ObjectCache) -> str | None:
    """Return the version of the pod that the cache holds."""
    found = cache.get(POD)
    return None if found is None else str(found["metadata"]["resourceVersion"])


def test_the_newest_version_stays_whatever_arrives_last() -> None:
    cache = ObjectCache()
    for number in (9, 10, 8):  # as numbers, not as text
        cache.put(pod(number))
    assert version(cache) == "10"


def test_an_answer_that_arrives_after_the_deletion_brings_nothing_back() -> None:
    cache = ObjectCache()
    cache.put(pod(1))
    cache.remove(POD, "one")
    cache.put(pod(2))
    assert version(cache) is None
    cache.put(pod(3, uid="another"))
    assert version(cache) == "3"


def test_the_deletion_of_a_predecessor_leaves_its_successor() -> None:
    cache = ObjectCache()
    cache.put(pod(5, uid="another"))
    cache.remove(POD, "one")
    assert version(cache) == "5"


def test_a_pod_without_the_sessions_label_is_not_held() -> None:
    cache = ObjectCache()
    cache.put(pod(1, labels={}))
    assert version(cache) is None


@pytest.mark.parametrize("complete", [False, True])
def test_absence_means_nothing_before_the_first_lists_are_complete(complete: bool) -> None:
    kube, cache = FakeKube(), ObjectCache()
    kube.put(pod(1))
    cache.complete = complete
    assert (run(Watched(kube, cache).get(POD)) is None) is complete
    assert run(Watched(kube, cache).get(Ref("Lease", "bots", "wa-support"))) is None
    assert kube.calls[-1] == "get Lease/wa-support"


def test_what_the_operator_wrote_is_known_before_the_watch_says_so() -> None:
    kube, cache = FakeKube(), ObjectCache()
    cache.complete = True
    seam = RememberingKube(kube, cache)
    made = run(seam.create(pod(0)))
    assert version(cache) == made["metadata"]["resourceVersion"]
    run(seam.create(pod(0) | {"metadata": pod(0)["metadata"] | {"name": "wa-tried"}}, dry_run=True))
    assert cache.get(Ref("Pod", "bots", "wa-tried")) is None


def test_a_copy_that_a_caller_changes_changes_nothing() -> None:
    cache = ObjectCache()
    cache.put(pod(1))
    found = cache.get(POD)
    assert found is not None
    found["metadata"]["labels"].clear()
    (again,) = cache.objects("Pod", "bots")
    assert again["metadata"]["labels"] == {names.LABEL_SESSION: "support"}


def test_objects_of_one_namespace_or_of_all_are_found() -> None:
    cache = ObjectCache()
    cache.put(pod(1))
    cache.put(pod(2, uid="two", namespace="shops"))
    assert len(list(cache.objects("Pod", ""))) == 2
    assert cache.versions("Pod", "shops") == {Ref("Pod", "shops", POD.name): ("two", 2)}
    assert cache.versions("Pod", "nowhere") == cache.versions(names.SESSION_KIND, "") == {}


def test_a_list_finds_what_the_watches_have_missed() -> None:
    kube, cache = FakeKube(), ObjectCache()
    head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
    kube.put({**head, "metadata": {"name": "support", "namespace": "bots"}, "spec": {}})
    gone, same = pod(1, uid="gone"), kube.put(pod(0) | {"metadata": pod(0)["metadata"] | {"name": "wa-same"}})
    gone["metadata"]["labels"] = {names.LABEL_SESSION: "of-the-gone"}
    cache.put(gone)
    cache.put(same)
    assert run(refresh(kube, cache, ())) == {SESSION, Ref(names.SESSION_KIND, "bots", "of-the-gone")}
    assert version(cache) is None
    assert cache.get(SESSION) is not None
    assert run(refresh(kube, cache, ("bots",))) == set()


def test_a_version_that_is_known_is_no_news() -> None:
    cache = ObjectCache()
    assert [cache.put(pod(number)) for number in (1, 1, 2, 1)] == [True, False, True, False]
    assert cache.put(pod(3, uid="another"))


def test_only_what_is_read_is_held() -> None:
    worker = {"name": names.WORKER_CONTAINER, "image": "worker:1", "env": [], "volumeMounts": [1], "resources": {}}
    found = pod(1, annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}, managedFields=[1])
    found["spec"] = {"containers": [worker, {"name": "sidecar"}], "tolerations": [1], "nodeName": "node-1"}
    found["status"] = {"phase": "Running", "podIPs": [1], "containerStatuses": [{"name": "sidecar"}]}
    held = trimmed(found)
    assert "managedFields" not in held["metadata"]
    assert held["metadata"]["annotations"] == {"a": "b"}
    kept = {"name": names.WORKER_CONTAINER, "image": "worker:1", "env": []}
    assert held["spec"] == {"containers": [kept], "nodeName": "node-1"}
    assert held["status"] == {"phase": "Running", "containerStatuses": []}
