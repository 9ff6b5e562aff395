"""A store is checked by a short pod: when, with what, and what its end says."""

import pytest

from scenes.operator import samples
from scenes.operator.store_samples import BAD, DOWN, GOOD, Manifest, aged, check, check_of, observed
from whatsapp_operator.manifests import pod_shape, store_check_pod
from whatsapp_operator.observed.state import Ownership, StoreReport
from whatsapp_operator.store import plan, status
from whatsapp_operator.store.observed import ObservedStore, Verdict, parse_check, parse_check_pod
from whatsapp_session import names
from whatsapp_session.conditions import Reason

SLOW = (
    "the pod wastore-default has not started for more than 2 minutes;"
    " `kubectl describe pod wastore-default -n bots` shows what it waits for"
)


def test_the_whole_pod_of_a_check() -> None:
    made = store_check_pod.pod(samples.store(podLabels={"cloud": "yes"}), samples.DEFAULTS)
    digest = made["metadata"]["annotations"].pop(names.ANNOTATION_TEMPLATE_HASH)
    (container,) = made["spec"].pop("containers")
    assert len(digest) == 16
    assert made["metadata"] == {
        "name": "wastore-default",
        "namespace": "bots",
        "labels": {
            "cloud": "yes",
            "app.kubernetes.io/managed-by": "whatsapp-session-operator",
            "app.kubernetes.io/component": "store-check",
            "whatsapp-operator.dev/store": "default",
        },
        "annotations": {
            "argocd.argoproj.io/ignore-healthcheck": "true",
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
            "whatsapp-operator.dev/store-generation": "1",
        },
        "ownerReferences": [
            {
                "apiVersion": "whatsapp-operator.dev/v1alpha1",
                "kind": "SessionStore",
                "name": "default",
                "uid": "store-uid",
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
    beside = {"labelSelector": {"matchLabels": {names.LABEL_STORE: "default"}}, "topologyKey": "kubernetes.io/hostname"}
    assert made["spec"] == {
        "serviceAccountName": "wa-worker-default",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "tolerations": pod_shape.tolerations(()),
        "activeDeadlineSeconds": 300,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "podAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": beside}]
            }
        },
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "store", "persistentVolumeClaim": {"claimName": "archives"}},
        ],
    }
    assert (container["command"], container["args"]) == (["whatsapp-worker"], ["store", "check"])
    assert {"name": "WHATSAPP_STORE", "value": "file:/var/lib/whatsapp/store"} in container["env"]
    assert not any("valueFrom" in item for item in container["env"])


def test_a_check_starts_without_its_secrets_so_that_it_can_name_them() -> None:
    store = samples.store(mongodb={"uriSecretRef": {"name": "login", "key": "uri"}, "database": "whatsapp"})
    volumes = store_check_pod.pod(store, samples.DEFAULTS)["spec"]["volumes"]
    assert [volume["secret"]["optional"] for volume in volumes if "secret" in volume] == [True]


@pytest.mark.parametrize(
    ("seen", "seconds", "step"),
    [
        (observed(), 0, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check()), 60, plan.Plan(None, 3540)),
        (observed(check=check()), 3601, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check(), reports=(StoreReport("a"),)), 3601, plan.Plan(None, 3600)),
        (observed(check=check(), reports=(StoreReport("a", DOWN),)), 3601, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check(template_hash="other")), 0, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check(BAD, failures=1)), 5, plan.Plan(None, 10)),
        (observed(check=check(BAD, failures=3)), 5, plan.Plan(None, 55)),
        (observed(check=check(BAD, failures=99)), 0, plan.Plan(None, 900)),
        (observed(obstacle=DOWN), 0, plan.Plan(None, 10)),
        (observed(pod=check_of()), 0, plan.Plan(None, 1)),
        (observed(pod=check_of()), 40, plan.Plan(None, 10)),
        (observed(pod=check_of(verdict=GOOD)), 9, plan.Plan(plan.DeleteCheck("new"), 1)),
        (observed(pod=check_of(template_hash="other")), 9, plan.Plan(plan.DeleteCheck("new"), 1)),
        (observed(pod=check_of(ownership=Ownership.PREDECESSOR)), 9, plan.Plan(plan.DeleteCheck("new"), 1)),
        (observed(pod=check_of(verdict=GOOD, deleting=True)), 9, plan.Plan(None, 2)),
        (observed(pod=check_of(verdict=GOOD, ownership=Ownership.FOREIGN)), 9, plan.Plan(None, 10)),
        (observed(pod=check_of()), 241, plan.Plan(plan.DeleteCheck("new"), 1)),
    ],
    ids=[
        "never checked",
        "good",
        "good, an hour ago",
        "its workers say that it answers",
        "one worker does not",
        "changed",
        "failed once",
        "failed three times",
        "failed often",
        "no claim",
        "runs",
        "runs for long",
        "has ended",
        "is of an older specification",
        "is of a deleted store of the same name",
        "goes",
        "is somebody else's",
        "does not end",
    ],
)
def test_a_store_is_checked_when_it_must_be(seen: ObservedStore, seconds: float, step: plan.Plan) -> None:
    assert plan.plan(aged(seen, seconds), "hash") == step


@pytest.mark.parametrize(
    ("pod_status", "verdict"),
    [
        (samples.terminated(0, '{"reason": "StoreAnswered", "message": "all four", "exitCode": 0}'),
         Verdict(True, Reason.STORE_ANSWERED, "all four")),
        (samples.terminated(0), GOOD),
        (samples.terminated(0, phase="Running"), GOOD),
        (samples.terminated(3, '{"reason": "StoreUnfenced", "message": "two", "exitCode": 3}', phase="Failed"),
         Verdict(False, Reason.STORE_UNFENCED, "two")),
        (samples.terminated(1, "Traceback: mongodb://me:secret@db", phase="Failed"),
         Verdict(False, Reason.STORE_UNAVAILABLE, "the store check failed (code 1); see the log of the pod")),
        ({"phase": "Failed", "reason": "DeadlineExceeded"},
         Verdict(False, Reason.STORE_UNAVAILABLE, "the store did not answer the check in time")),
        (samples.terminated(137, phase="Failed", reason="ContainerStatusUnknown", startedAt=None)
         | {"reason": "DeadlineExceeded"},
         Verdict(False, Reason.STORE_UNAVAILABLE, f"{SLOW}; it needs the PVC 'archives'")),
        ({"phase": "Failed", "reason": "OOM"},
         Verdict(False, Reason.UNSCHEDULABLE,
                 "the operator could not check the store: the node refused the pod wastore-default (OOM)")),
        (samples.running(), None),
    ],
    ids=["good", "good without a word", "good beside a sidecar", "unfenced", "crashed", "too slow", "never started",
         "refused", "runs"],
)  # fmt: skip
def test_what_a_checks_pod_found(pod_status: Manifest, verdict: Verdict | None) -> None:
    made = store_check_pod.pod(samples.store(), samples.DEFAULTS)
    made["metadata"] |= {"uid": "new", "creationTimestamp": samples.NOON}
    found = parse_check_pod({**made, "status": pod_status}, samples.store())
    assert found.verdict == verdict
    assert found.ownership is Ownership.OURS


def test_a_check_is_written_and_read_again() -> None:
    seen = observed(check=check(BAD, failures=2))
    assert parse_check(status.own_status(seen, samples.NOON)) == seen.check
    assert parse_check({"check": {"reason": "AWordOfTomorrow", "time": samples.NOON}}) is None
