"""Stores are checked by short pods, and their status says what is known."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from kube_fake import FakeKube, Killed
from unit import operator_samples as samples
from unit.operator_cluster import FakeClock, run
from whatsapp_operator.desired import check_pod, worker_pod
from whatsapp_operator.kube import Ref
from whatsapp_operator.observed import Ownership, Trouble
from whatsapp_operator.reconcile import Key
from whatsapp_operator.stores import hearsay, plan, status
from whatsapp_operator.stores.observed import (
    Check,
    CheckPod,
    ObservedStore,
    Say,
    Verdict,
    parse_check,
    parse_check_pod,
)
from whatsapp_operator.stores.reconcile import StoreReconciler
from whatsapp_session import names
from whatsapp_session.conditions import Reason

Manifest = dict[str, Any]
NOON = samples.NOON_SECONDS
GOOD = Verdict(True, Reason.STORE_ANSWERED, "the store answered")
BAD = Verdict(False, Reason.STORE_UNAVAILABLE, "the bucket does not exist")
DOWN = Trouble(Reason.STORE_UNAVAILABLE, "no answer")
KEY = Key(samples.NAMESPACE, "default")
STORE = Ref(names.STORE_KIND, samples.NAMESPACE, "default")
POD = Ref("Pod", samples.NAMESPACE, "wastore-default")


def check(verdict: Verdict = GOOD, **more: Any) -> Check:
    """Return a check that ended at noon."""
    values: dict[str, Any] = {
        "time": samples.NOON, "generation": 1, "template_hash": "hash", "pod_uid": "old", "failures": 0
    }  # fmt: skip
    return Check(verdict, **(values | more))


def check_of(**more: Any) -> CheckPod:
    """Return a check's pod, made at noon."""
    values: dict[str, Any] = {
        "uid": "new",
        "ownership": Ownership.OURS,
        "deleting": False,
        "created": samples.NOON,
        "template_hash": "hash",
        "verdict": None,
        "trouble": None,
    }
    return CheckPod(**(values | more))


def observed(**more: Any) -> ObservedStore:
    """Return an observation of the sample store."""
    return ObservedStore(samples.store(), **more)


def test_the_whole_pod_of_a_check() -> None:
    made = check_pod.pod(samples.store(podLabels={"cloud": "yes"}), samples.DEFAULTS)
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
        "tolerations": worker_pod.tolerations(),
        "activeDeadlineSeconds": 120,
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
    volumes = check_pod.pod(store, samples.DEFAULTS)["spec"]["volumes"]
    assert [volume["secret"]["optional"] for volume in volumes if "secret" in volume] == [True]


@pytest.mark.parametrize(
    ("seen", "seconds", "step"),
    [
        (observed(), 0, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check()), 60, plan.Plan(None, 3540)),
        (observed(check=check()), 3601, plan.Plan(plan.CreateCheck(), 1)),
        (observed(check=check(), said=(Say("a"),)), 3601, plan.Plan(None, 3600)),
        (observed(check=check(), said=(Say("a", DOWN),)), 3601, plan.Plan(plan.CreateCheck(), 1)),
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
    assert plan.plan(seen, "hash", NOON + seconds) == step


def conditions(seen: ObservedStore) -> dict[str, tuple[str, str]]:
    """Return each condition's status and reason."""
    return {str(item.type): (str(item.status), str(item.reason)) for item in status.conditions(seen)}


@pytest.mark.parametrize(
    ("seen", "ready", "flag"),
    [
        (observed(), ("False", "PodStarting"), "Reconciling"),
        (observed(pod=check_of()), ("False", "PodStarting"), "Reconciling"),
        (
            observed(pod=check_of(trouble=Trouble(Reason.UNSCHEDULABLE, "no node"))),
            ("False", "Unschedulable"),
            "Reconciling",
        ),
        (observed(check=check()), ("True", "StoreAnswered"), None),
        (observed(check=check(template_hash="of an older operator")), ("True", "StoreAnswered"), None),
        (observed(check=check(generation=0)), ("False", "PodStarting"), "Reconciling"),
        (observed(check=check(BAD)), ("False", "StoreUnavailable"), "Stalled"),
        (observed(check=check(BAD), said=(Say("a"),)), ("True", "StoreAnswered"), None),
        (
            observed(check=check(Verdict(False, Reason.STORE_UNFENCED, "two winners")), said=(Say("a"),)),
            ("False", "StoreUnfenced"),
            "Stalled",
        ),
        (observed(check=check(), said=(Say("a"), Say("b", DOWN))), ("False", "StoreUnavailable"), "Stalled"),
        (observed(obstacle=DOWN, check=check()), ("False", "StoreUnavailable"), "Stalled"),
        (observed(pod=check_of(ownership=Ownership.FOREIGN)), ("False", "Conflict"), "Stalled"),
    ],
    ids=[
        "never checked",
        "being checked",
        "cannot be checked yet",
        "good",
        "good, checked again by a new operator",
        "changed",
        "bad",
        "bad, but its workers use it",
        "unfenced, whatever its workers say",
        "a worker has no answer",
        "no claim",
        "somebody else's pod has the name",
    ],
)
def test_the_conditions_of_a_store(seen: ObservedStore, ready: tuple[str, str], flag: str | None) -> None:
    found = conditions(seen)
    assert found["Ready"] == ready
    assert found["StoreAvailable"][1] == ready[1]
    assert found["StoreAvailable"][0] == ("Unknown" if flag == "Reconciling" else ready[0])
    assert {"Reconciling", "Stalled"} & found.keys() == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("modes", "said"),
    [(("ReadWriteOnce",), True), (("ReadWriteMany",), False), (("ReadWriteOnce", "ReadWriteMany"), False)],
    ids=["once", "many", "both"],
)
def test_a_claim_for_one_node_is_said(modes: tuple[str, ...], said: bool) -> None:
    message = status.conditions(observed(check=check(), access_modes=modes))[0].message
    assert ("must be ReadWriteMany" in message) is said


def test_a_worker_that_has_no_answer_is_named() -> None:
    seen = observed(check=check(), said=(Say("a"), Say("b", DOWN)))
    assert status.conditions(seen)[0].message == "the worker of session 'b' says: no answer"


def test_a_check_that_does_not_end_is_one_that_failed() -> None:
    late = "2026-01-01T12:05:00Z"
    seen = status.judged(observed(pod=check_of(trouble=Trouble(Reason.UNSCHEDULABLE, "no node"))), "hash", late)
    assert seen.check == Check(Verdict(False, Reason.UNSCHEDULABLE, "no node"), late, 1, "hash", "new", 1)


def test_failures_are_counted_until_the_specification_changes() -> None:
    seen = observed(check=check(BAD, failures=2), pod=check_of(verdict=BAD))
    again = status.judged(seen, "hash", samples.NOON).check
    assert again is not None
    assert again.failures == 3
    other = dataclasses.replace(seen, pod=check_of(verdict=BAD, template_hash="changed"))
    changed = status.judged(other, "changed", samples.NOON).check
    assert changed is not None
    assert changed.failures == 1


def test_what_a_check_of_an_older_specification_found_is_not_believed() -> None:
    seen = observed(pod=check_of(verdict=GOOD, template_hash="older"))
    assert status.judged(seen, "hash", samples.NOON).check is None


@pytest.mark.parametrize(
    ("pod_status", "verdict"),
    [
        (samples.terminated(0, '{"reason": "StoreAnswered", "message": "all four", "exitCode": 0}'),
         Verdict(True, Reason.STORE_ANSWERED, "all four")),
        (samples.terminated(0), GOOD),
        (samples.terminated(3, '{"reason": "StoreUnfenced", "message": "two", "exitCode": 3}', phase="Failed"),
         Verdict(False, Reason.STORE_UNFENCED, "two")),
        (samples.terminated(1, "Traceback: mongodb://me:secret@db", phase="Failed"),
         Verdict(False, Reason.STORE_UNAVAILABLE, "the check of the store ended with code 1")),
        ({"phase": "Failed", "reason": "DeadlineExceeded"},
         Verdict(False, Reason.STORE_UNAVAILABLE, "the store did not answer the check in time")),
        ({"phase": "Failed", "reason": "Evicted"},
         Verdict(False, Reason.STORE_UNAVAILABLE, "the check of the store ended with Evicted")),
        (samples.running(), None),
    ],
    ids=["good", "good without a word", "unfenced", "crashed", "too slow", "evicted", "runs"],
)  # fmt: skip
def test_what_a_checks_pod_found(pod_status: Manifest, verdict: Verdict | None) -> None:
    made = check_pod.pod(samples.store(), samples.DEFAULTS)
    made["metadata"] |= {"uid": "new", "creationTimestamp": samples.NOON}
    found = parse_check_pod({**made, "status": pod_status}, samples.store())
    assert found.verdict == verdict
    assert found.ownership is Ownership.OURS


def test_a_check_is_written_and_read_again() -> None:
    seen = observed(check=check(BAD, failures=2))
    assert parse_check(status.own_status(seen, samples.NOON)) == seen.check
    assert parse_check({"check": {"reason": "AWordOfTomorrow", "time": samples.NOON}}) is None


def test_what_workers_say_is_told_only_when_it_changes_the_picture() -> None:
    said: hearsay.Hearsay[str] = hearsay.Hearsay()
    assert said.heard("bots/a", "bots/s3", Say("a")) == ["bots/s3"]
    assert said.heard("bots/b", "bots/s3", Say("b")) == []
    assert said.heard("bots/b", "bots/s3", Say("b", DOWN)) == ["bots/s3"]
    assert said.said("bots/s3") == (Say("a"), Say("b", DOWN))
    assert said.heard("bots/b", "bots/other", Say("b")) == ["bots/s3", "bots/other"]
    assert said.heard("bots/b", None, None) == ["bots/other"]
    assert said.heard("bots/a", "bots/s3", None) == ["bots/s3"]
    assert said.said("bots/s3") == ()


def happening(before: ObservedStore | None, after: ObservedStore) -> list[tuple[str, bool]]:
    """Return reason and warning of each Event between two observations."""
    old = {} if before is None else status.own_status(before, samples.NOON)
    found = status.happenings(old, status.own_status(after, samples.NOON))
    return [(item.reason, item.warning) for item in found]


def test_a_person_hears_when_a_store_fails_and_when_it_is_back() -> None:
    good, bad = observed(check=check()), observed(check=check(BAD))
    assert happening(None, good) == []
    assert happening(None, bad) == [("StoreUnavailable", True)]
    assert happening(good, bad) == [("StoreUnavailable", True)]
    assert happening(bad, good) == [("StoreAnswered", False)]
    assert happening(good, good) == happening(bad, bad) == []


class Stores:
    """A fake cluster with one store, and the operator that looks after it."""

    def __init__(self) -> None:
        # The fake makes everything at midnight.
        self.kube, self.clock = FakeKube(), FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        made = samples.store_resource()
        del made["status"]
        self.kube.put(made)
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "archives", "namespace": samples.NAMESPACE},
            "spec": {"accessModes": ["ReadWriteOnce"]},
        }
        self.kube.put(claim)
        self.restart()

    def restart(self) -> None:
        """Start an operator that remembers nothing."""
        self.operator = StoreReconciler(self.kube, samples.DEFAULTS, self.clock)

    def look(self) -> float | None:
        """Reconcile once."""
        return run(self.operator.reconcile(KEY))

    def settle(self) -> None:
        """Reconcile until nothing is written any more, playing a kubelet whose checks pass."""
        for _ in range(10):
            before = self.kube.writes
            self.look()
            if POD in self.kube.objects and "status" not in self.kube.objects[POD]:
                self.kube.touch(POD, lambda pod: pod.update(status=samples.terminated(0)))
            elif self.kube.writes == before:
                return
        raise AssertionError(f"the operator writes on and on: {self.kube.calls[-20:]}")

    @property
    def available(self) -> tuple[str, str]:
        """Return the condition's status and reason."""
        found = {item["type"]: item for item in self.kube.objects[STORE]["status"]["conditions"]}["StoreAvailable"]
        return found["status"], found["reason"]


def test_a_store_is_checked_once_and_then_left_alone() -> None:
    stores = Stores()
    assert stores.look() == 1
    assert stores.available == ("Unknown", "PodStarting")
    assert Ref("ServiceAccount", samples.NAMESPACE, "wa-worker-default") in stores.kube.objects
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")
    assert POD not in stores.kube.objects
    before = stores.kube.writes
    assert stores.look() == 3600
    assert stores.kube.writes == before


def test_a_restarted_operator_does_not_check_again() -> None:
    stores = Stores()
    stores.settle()
    stores.restart()
    before = stores.kube.writes
    stores.look()
    assert stores.kube.writes == before


def test_a_changed_store_is_checked_again() -> None:
    stores = Stores()
    stores.settle()
    stores.kube.touch(STORE, lambda store: store["metadata"].update(generation=2))
    assert stores.look() == 1
    assert stores.available == ("Unknown", "PodStarting")
    stores.settle()
    assert stores.available == ("True", "StoreAnswered")


def test_a_missing_claim_is_named_and_no_pod_is_made() -> None:
    stores = Stores()
    del stores.kube.objects[Ref("PersistentVolumeClaim", samples.NAMESPACE, "archives")]
    assert stores.look() == 10
    assert stores.available == ("False", "StoreUnavailable")
    assert "the claim 'archives' does not exist" in str(stores.kube.objects[STORE]["status"])
    assert POD not in stores.kube.objects


@pytest.mark.parametrize(
    ("said", "reason"),
    [("exceeded quota: pods", "QuotaExceeded"), ("violates PodSecurity", "InvalidPodTemplate")],
    ids=["quota", "standard"],
)
def test_a_refused_pod_is_explained_and_tried_again_after_a_pause(said: str, reason: str) -> None:
    stores = Stores()
    stores.kube.refuse = lambda manifest: said if manifest["kind"] == "Pod" else None
    assert stores.look() == 15
    assert stores.available == ("False", reason)
    writes = stores.kube.writes
    assert stores.look() == 15
    assert stores.kube.writes == writes


def test_what_workers_say_reaches_the_status() -> None:
    stores = Stores()
    stores.settle()
    session = Key(samples.NAMESPACE, "support")
    assert stores.operator.heard(session, KEY, Say("support", DOWN)) == [KEY]
    stores.look()
    assert stores.available == ("False", "StoreUnavailable")
    assert stores.operator.heard(session, KEY, Say("support")) == [KEY]
    stores.look()
    assert stores.available == ("True", "StoreAnswered")


def test_a_store_that_is_gone_or_goes_is_left_alone() -> None:
    stores = Stores()
    stores.kube.touch(STORE, lambda store: store["metadata"].update(deletionTimestamp=samples.NOON))
    before = stores.kube.writes
    assert stores.look() is None
    del stores.kube.objects[STORE]
    assert stores.look() is None
    assert stores.kube.writes == before


def test_an_operator_killed_at_any_call_finishes_later() -> None:
    undisturbed = Stores()
    undisturbed.settle()
    for number in range(len(undisturbed.kube.calls)):
        for hook in ("before_call", "after_call"):
            stores = Stores()

            def kill(call: int, when: int = number) -> None:
                if call == when:
                    raise Killed

            setattr(stores.kube, hook, kill)
            try:
                stores.settle()
            except Killed:
                stores.restart()
            stores.settle()
            assert stores.available == ("True", "StoreAnswered"), (number, hook)
            assert POD not in stores.kube.objects
