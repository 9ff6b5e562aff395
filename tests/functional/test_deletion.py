"""A deleted session whose archives go with it: on a real API server, with the kubelet played."""

import contextlib
import json
import time
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.conftest import Operator, kubectl
from functional.worker import Worker, connected
from functional.world import Place
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

Manifest = dict[str, Any]
DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}


def finalizers(place: Place) -> list[str]:
    """Return the session's finalizers."""
    return list(place.get("support")["metadata"].get("finalizers", []))


def live(place: Place) -> Worker:
    """Make a session that takes its archives with it, connected and saved."""
    place.store()
    place.session("support", **DELETE)
    worker = place.wait_worker("support")
    worker.bind()
    worker.runs().says("Connected", **connected())
    place.wait_phase("support", "Connected")
    return worker


def delete(place: Place, worker: Worker) -> None:
    """Delete the session and let its worker stop."""
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    wait(lambda: "deletionTimestamp" in (place.pod("support") or {"metadata": {}})["metadata"], "the worker to stop")
    assert purger(place) is None
    worker.vanishes()


def purger(place: Place) -> Manifest | None:
    """Return the pod that purges."""
    return place.admin.get("Pod", place.name, names.purge_pod("support"))


def play(place: Place, phase: str, state: Manifest, **more: Any) -> None:
    """Write that pod's status as a kubelet does."""
    container = {"name": names.WORKER_CONTAINER, "image": "worker", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": phase, "containerStatuses": [{**container, "state": state, **more}]}
    place.admin.merge("Pod", place.name, names.purge_pod("support"), {"status": status}, "status")


def gone(place: Place) -> bool:
    """Return whether the session is gone."""
    return place.admin.get(names.SESSION_KIND, place.name, "support") is None


@pytest.mark.usefixtures("operator")
class TestWithAnOperator:
    """The operator runs all the while."""

    def test_the_finalizer_follows_what_the_user_chooses(self, place: Place) -> None:
        place.store()
        place.session("support")
        place.wait_worker("support")
        assert finalizers(place) == []
        place.update("support", auth={"remoteAuth": {"onDelete": "Delete"}})
        wait(lambda: finalizers(place) == [names.FINALIZER_PURGE], lambda: f"the finalizer; {finalizers(place)}")
        place.update("support", auth={"remoteAuth": {"onDelete": "Retain"}})
        wait(lambda: finalizers(place) == [], "the finalizer to go")
        place.admin.delete(names.SESSION_KIND, place.name, "support")
        assert gone(place)

    @pytest.mark.parametrize("propagation", ["Background", "Foreground"])
    def test_worker_then_purge_then_nothing_is_left(self, place: Place, propagation: str) -> None:
        worker = live(place)
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        target = path(Ref(names.SESSION_KIND, place.name, "support"))
        place.admin.send("DELETE", target, options)
        wait(lambda: "deletionTimestamp" in (place.pod("support") or worker.pod)["metadata"], "the worker to stop")
        assert purger(place) is None
        worker.vanishes()
        pod = wait(lambda: purger(place), "the pod that purges")
        assert "ownerReferences" not in pod["metadata"]
        assert all("projected" not in volume for volume in pod["spec"]["volumes"]), "it has no token"
        assert place.condition("support", "Reconciling")["reason"] == "Stopping"
        play(place, "Succeeded", {"terminated": {"exitCode": 0, "startedAt": None, "finishedAt": None}})
        wait(lambda: purger(place) is None, "the pod that purged to go")
        left = place.admin.get(names.SESSION_KIND, place.name, "support")
        # What else holds a resource that is deleted in the foreground is the garbage collector's, which is not here.
        assert names.FINALIZER_PURGE not in ((left or {}).get("metadata") or {}).get("finalizers", [])
        if left is not None:
            kubectl(place.world, "patch", "was", "support", "-n", place.name, "--type=merge", "-p", LET_GO)
        wait(lambda: gone(place), "the session to be gone")
        assert any("deleted the session's archives" in item["message"] for item in place.events("support"))

    def test_a_store_that_is_gone_is_a_condition_and_a_request_lets_go(self, place: Place) -> None:
        worker = live(place)
        place.admin.delete(names.STORE_KIND, place.name, "default")
        store = place.admin.get(names.STORE_KIND, place.name, "default")
        assert store is not None, "a store that such a session refers to is protected"
        assert store["metadata"]["finalizers"] == [names.FINALIZER_STORE]
        # Somebody insists.
        kubectl(place.world, "patch", "wastore", "default", "-n", place.name, "--type=merge", "-p", LET_GO)
        delete(place, worker)
        sentence = "its archives cannot be deleted, because the SessionStore 'default' does not exist"
        wait(lambda: sentence in place.condition("support", "Ready")["message"], "the condition to say so")
        message = place.condition("support", "Ready")["message"]
        command = message.split("`")[1].replace(
            '"$(date -u +%FT%TZ)"', time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        )
        kubectl(place.world, *command.removeprefix("kubectl ").split())
        wait(lambda: gone(place), "the session to be gone")

    def test_a_store_goes_when_the_last_session_that_needs_it_has_gone(self, place: Place) -> None:
        worker = live(place)
        place.admin.delete(names.STORE_KIND, place.name, "default")
        delete(place, worker)
        wait(lambda: purger(place), "the pod that purges")
        assert place.admin.get(names.STORE_KIND, place.name, "default") is not None
        play(place, "Succeeded", {"terminated": {"exitCode": 0, "startedAt": None, "finishedAt": None}})
        wait(lambda: gone(place), "the session to be gone")
        wait(lambda: place.admin.get(names.STORE_KIND, place.name, "default") is None, "the store to be gone")

    def test_a_store_that_no_such_session_refers_to_goes_at_once(self, place: Place) -> None:
        place.store()
        place.session("support")
        place.wait_worker("support")
        place.admin.delete(names.STORE_KIND, place.name, "default")
        assert place.admin.get(names.STORE_KIND, place.name, "default") is None

    def test_a_purge_that_is_refused_says_why_and_goes_on_when_it_can(self, place: Place) -> None:
        delete(place, live(place))
        wait(lambda: purger(place), "the pod that purges")
        said = json.dumps({"reason": "StoreSessionInUse", "message": "in use by pod wa-support of namespace other"})
        ended = {"terminated": {"exitCode": 3, "message": said, "startedAt": None, "finishedAt": None}}
        play(place, "Running", {"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended)
        place.wait_phase("support", "Failed", "StoreSessionInUse")
        assert "in use by pod wa-support of namespace other" in place.condition("support", "Stalled")["message"]
        play(place, "Succeeded", {"terminated": {"exitCode": 0, "startedAt": None, "finishedAt": None}})
        wait(lambda: gone(place), "the session to be gone")

    def test_a_namespace_that_is_being_deleted_is_not_held_up_and_others_are_unharmed(self, place: Place) -> None:
        worker = live(place)
        place.admin.send("DELETE", f"/api/v1/namespaces/{place.name}")
        delete(place, worker)
        wait(lambda: gone(place), "the session to be gone")
        assert purger(place) is None
        other = place.world.namespace()
        other.store()
        other.session("unharmed")
        other.wait_worker("unharmed")
        other.empty()

    def test_a_namespace_that_is_being_deleted_takes_a_session_without_a_store_with_it(self, place: Place) -> None:
        place.session("support", **DELETE)
        wait(lambda: finalizers(place) == [names.FINALIZER_PURGE], "the finalizer")
        place.admin.delete(names.SESSION_KIND, place.name, "support")
        place.wait_phase("support", "Pending", "StoreNotFound")
        assert place.admin.items("ServiceAccount", place.name) == [], "asking makes nothing"
        place.admin.send("DELETE", f"/api/v1/namespaces/{place.name}")
        wait(lambda: gone(place), "the session to be gone")

    def test_a_full_quota_holds_the_deletion_up_and_nobody_else(self, place: Place) -> None:
        worker = live(place)
        place.quota(pods=0)
        delete(place, worker)
        place.wait_phase("support", "Pending", "QuotaExceeded")
        other = place.world.namespace()
        other.store()
        other.session("unharmed")
        other.wait_worker("unharmed")
        other.empty()
        request = {names.request_annotation("skip-purge"): time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        place.admin.merge(names.SESSION_KIND, place.name, "support", {"metadata": {"annotations": request}})
        wait(lambda: gone(place), "the session to be gone")


LET_GO = '{"metadata":{"finalizers":null}}'
"""With the operator gone: the documented way out."""


def test_with_the_operator_gone_one_command_lets_the_session_go(place: Place, start: Operator) -> None:
    with start():
        live(place)
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    assert finalizers(place) == [names.FINALIZER_PURGE]
    kubectl(place.world, "patch", "was", "support", "-n", place.name, "--type=merge", "-p", LET_GO)
    assert gone(place)


def test_what_was_deleted_while_no_operator_ran_is_purged_by_the_next(place: Place, start: Operator) -> None:
    with start():
        worker = live(place)
    place.admin.delete(names.SESSION_KIND, place.name, "support")
    worker.vanishes()
    with start():
        wait(lambda: purger(place), "the pod that purges")
        kubectl(place.world, "patch", "was", "support", "-n", place.name, "--type=merge", "-p", LET_GO)
        wait(lambda: purger(place) is None, "the pod of a session that was let go by hand to be stopped")


def test_a_worker_cannot_remove_the_finalizer(place: Place, start: Operator) -> None:
    with start():
        worker = live(place)
        caller, patch = worker.caller(), {"metadata": {"finalizers": None}}
        with pytest.raises(ApiError):
            caller.merge(names.SESSION_KIND, place.name, "support", patch)
        with contextlib.suppress(ApiError):
            caller.merge(names.SESSION_KIND, place.name, "support", patch, "status")
        assert finalizers(place) == [names.FINALIZER_PURGE]
