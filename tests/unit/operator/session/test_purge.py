"""What becomes of the archives of a deleted session: decisions and sentences."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import purge_pod
from whatsapp_operator.observed.pod_parsing import parse_purge_pod
from whatsapp_operator.observed.state import Observed, Pod, Problem
from whatsapp_operator.session import plan, purge, status
from whatsapp_session import names
from whatsapp_session.conditions import Reason

Manifest = dict[str, Any]
DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
HELD: Manifest = {"deletionTimestamp": samples.NOON, "finalizers": [names.FINALIZER_PURGE, "of/others"]}
SKIP = {names.request_annotation("skip-purge"): "2026-01-01T11:00:00Z"}
UID = "purge-uid"


def made(**metadata: Any) -> Manifest:
    """Return the pod that purges as the API returns it."""
    found = purge_pod.purge_pod(samples.session(DELETE), samples.store(), samples.DEFAULTS)
    found["metadata"] |= {"uid": UID, "creationTimestamp": samples.NOON, **metadata}
    return found


def purger(state: Manifest | None = None, **metadata: Any) -> Pod:
    """Return the parsed pod that purges."""
    return parse_purge_pod({**made(**metadata), "status": state or {"phase": "Pending"}}, samples.NAME, samples.UID)


def leaving(spec: Manifest = DELETE, pod: Pod | None = None, **metadata: Any) -> Observed:
    """Return a held session that is being deleted and whose worker has gone."""
    return Observed(samples.session(spec, **(HELD | metadata)), None, samples.store(), purge_pod=pod)


def steps(observed: Observed) -> list[plan.Action]:
    """Return the steps."""
    return list(plan.plan(observed, None).actions)


def kinds(observed: Observed) -> list[str]:
    """Return the names of the steps."""
    return [type(step).__name__ for step in steps(observed)]


AWAY = purge.DeletePurgePod(UID)
ENDED = samples.terminated(0)
FAILED = {"phase": "Failed", "reason": "Evicted"}


def test_the_finalizer_is_there_only_with_delete() -> None:
    held = dataclasses.replace(samples.store(), finalizers=(names.FINALIZER_STORE,))
    both = (purge.HoldStore(), purge.HoldSession())
    assert purge.hold(samples.session(DELETE), samples.store()) == both
    assert purge.hold(samples.session(DELETE), held) == (purge.HoldSession(),)
    assert purge.hold(samples.session(DELETE), dataclasses.replace(samples.store(), deleting=True)) == both[1:]
    assert purge.hold(samples.session(DELETE), None) == both[1:]
    assert purge.hold(samples.session(DELETE, finalizers=[names.FINALIZER_PURGE]), held) == ()
    assert purge.hold(samples.session(), samples.store()) == ()
    (release,) = purge.hold(samples.session(finalizers=[names.FINALIZER_PURGE]), held)
    assert release == purge.ReleaseSession("the session's archives stay in the store when the session is deleted")


def test_the_session_is_held_before_its_worker_is_made() -> None:
    observed = Observed(samples.session(DELETE), None, samples.store())
    wanted = samples.wanted(DELETE)
    actions = [type(step).__name__ for step in plan.plan(observed, wanted).actions]
    assert actions == ["HoldStore", "HoldSession", "ApplyAccess", "ApplyLease", "CreatePod"]


def test_the_worker_stops_with_its_last_save_before_anything_is_purged() -> None:
    observed = dataclasses.replace(leaving(), pod=samples.pod())
    assert kinds(observed) == ["DeletePod"]
    stopping = dataclasses.replace(samples.pod(), deleting=True)
    assert kinds(dataclasses.replace(observed, pod=stopping)) == []


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(leaving(), ["CreatePurgePod"], id="no pod yet"),
        pytest.param(leaving(pod=purger()), [], id="it starts"),
        pytest.param(leaving(pod=purger(samples.running())), [], id="it runs"),
        pytest.param(leaving(pod=purger(ENDED)), ["ReleaseSession", "DeletePurgePod"], id="it has ended well"),
        pytest.param(
            leaving(pod=purger(samples.terminated(0, phase="Running"))),
            ["ReleaseSession", "DeletePurgePod"],
            id="it has ended well beside a sidecar",
        ),
        pytest.param(leaving(pod=purger(FAILED)), [], id="it failed as a whole just now"),
        pytest.param(
            leaving(pod=purger(samples.running(), deletionTimestamp=samples.NOON)), [], id="somebody deletes it"
        ),
        pytest.param(
            leaving(pod=purger(annotations={names.ANNOTATION_SESSION_UID: "before"})),
            ["DeletePurgePod"],
            id="a deleted namesake's",
        ),
        pytest.param(leaving(pod=purger(labels={})), [], id="somebody else's"),
        pytest.param(dataclasses.replace(leaving(), store=None), ["AskNamespace"], id="the store is gone"),
        pytest.param(leaving({}), ["ReleaseSession"], id="the user changed to Retain"),
        pytest.param(leaving(annotations=SKIP), ["ReleaseSession"], id="skip-purge"),
        pytest.param(leaving(annotations=SKIP, pod=purger()), ["ReleaseSession", "DeletePurgePod"], id="skip, later"),
        pytest.param(
            dataclasses.replace(leaving(annotations=SKIP), pod=samples.pod()),
            ["DeletePod", "ReleaseSession"],
            id="skip while the worker stops",
        ),
        pytest.param(leaving(finalizers=["of/others"]), [], id="held by somebody else only"),
    ],
)
def test_the_steps_of_a_deletion(observed: Observed, expected: list[str]) -> None:
    assert kinds(observed) == expected


def test_a_request_that_is_older_than_the_session_skips_nothing() -> None:
    old = {names.request_annotation("skip-purge"): "2025-01-01T00:00:00Z"}
    assert kinds(leaving(annotations=old)) == ["CreatePurgePod"]


def test_a_namespace_that_is_being_deleted_keeps_the_archives_and_lets_go() -> None:
    observed = dataclasses.replace(leaving(), refusal=Problem(Reason.STOPPING, "the namespace is being deleted"))
    (step,) = steps(observed)
    assert isinstance(step, purge.ReleaseSession)
    assert "accepts no pod" in step.message
    full = dataclasses.replace(leaving(), refusal=Problem(Reason.QUOTA_EXCEEDED, "full"))
    assert kinds(full) == []


def test_a_pod_that_failed_is_made_anew_once_a_minute_and_no_faster() -> None:
    observed = leaving(pod=purger(FAILED))
    assert plan.plan(samples.aged(observed, 10), None) == plan.Plan((), 50.0)
    assert steps(samples.aged(observed, 60)) == [AWAY]


def test_a_pod_on_a_lost_node_is_deleted_without_its_node() -> None:
    observed = leaving(pod=purger(deletionTimestamp=samples.NOON, deletionGracePeriodSeconds=20))
    assert steps(samples.aged(observed, 79)) == []
    assert steps(samples.aged(observed, 81)) == [purge.DeletePurgePod(UID, force=True)]


def told(observed: Observed) -> tuple[str, str, str]:
    """Return phase, reason and message of the condition that is not Ready."""
    phase, found = status.conditions(observed, None)
    ready = found[0]
    return str(phase), str(ready.reason), ready.message


IN_USE = '{"reason": "StoreSessionInUse", "message": "the session is in use by pod wa-x of namespace other"}'


@pytest.mark.parametrize(
    ("observed", "phase", "reason", "sentence"),
    [
        (leaving(), "Pending", "Stopping", "deletes the session and its archives"),
        (leaving(pod=purger(samples.running())), "Pending", "Stopping", "deletes the session and its archives"),
        (
            dataclasses.replace(leaving(), store=None),
            "Pending",
            "StoreNotFound",
            "'default' does not exist; re-create it",
        ),
        (leaving(pod=purger(labels={})), "Failed", "Conflict", "wapurge-support exists that is not the operator's"),
        (
            dataclasses.replace(leaving(), refusal=Problem(Reason.QUOTA_EXCEEDED, "the quota leaves no room")),
            "Pending",
            "QuotaExceeded",
            "the quota leaves no room",
        ),
        (
            leaving(pod=purger(samples.waiting("CrashLoopBackOff", ended={"exitCode": 3, "message": IN_USE}))),
            "Failed",
            "StoreSessionInUse",
            "in use by pod wa-x of namespace other",
        ),
        (leaving(pod=purger(FAILED)), "Failed", "Evicted", "the node terminated the pod wapurge-support (Evicted)"),
        (
            leaving(pod=purger(samples.waiting("ImagePullBackOff", "no such image"))),
            "Failed",
            "ImagePullFailed",
            "no such image",
        ),
    ],
    ids=["about to", "runs", "no store", "foreign", "quota", "in use", "evicted", "image"],
)
def test_a_deletion_says_what_holds_it_up(observed: Observed, phase: str, reason: str, sentence: str) -> None:
    found = told(observed)
    assert found[:2] == (phase, reason)
    assert sentence in found[2]
    if reason != "Stopping":
        assert "kubectl annotate was support -n bots whatsapp-operator.dev/skip-purge-requested-at=" in found[2]


def test_the_pod_that_purges_has_the_stores_secrets_and_no_token_and_belongs_to_nobody() -> None:
    template = {
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"disk": "fast"},
        "volumes": [{"name": "authority", "configMap": {"name": "ca"}}],
        "containers": [
            {"name": "worker", "image": "mine:1", "resources": {"limits": {"memory": "9Gi"}}, "env": []},
            {"name": "bot", "image": "bot:1"},
        ],
    }
    session = samples.session(DELETE | {"clientId": "one", "podTemplate": {"spec": template}})
    found = purge_pod.purge_pod(session, samples.store(), samples.DEFAULTS)
    (container,) = found["spec"]["containers"]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert found["metadata"]["name"] == "wapurge-support"
    assert "ownerReferences" not in found["metadata"]
    assert found["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "whatsapp-session-operator",
        "app.kubernetes.io/component": "purge",
        "whatsapp-operator.dev/session": "support",
        "whatsapp-operator.dev/store": "default",
    }
    assert container["args"] == ["store", "purge"]
    assert container["image"] == "mine:1"
    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert env["WHATSAPP_CLIENT_ID"] == "one"
    assert env["WHATSAPP_SESSION_UID"] == samples.UID
    assert env["WHATSAPP_STORE"] == "file:/var/lib/whatsapp/store"
    assert "WHATSAPP_POD_UID" in env
    assert found["spec"]["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in found["spec"]["volumes"]] == ["tmp", "store", "authority"]
    assert found["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert found["spec"]["nodeSelector"] == {"disk": "fast"}
