"""What the operator does in each situation."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import worker_pod
from whatsapp_operator.observed.state import Observed, Ownership, Problem, Wanted
from whatsapp_operator.session import failover, plan, status
from whatsapp_session.conditions import Reason

SUSPENDED = {"operatingMode": "Suspended"}
GAVE_UP = samples.waiting("CrashLoopBackOff", ended={"exitCode": 3})


def wanted(spec: dict[str, Any] | None = None) -> Wanted:
    """Return what is wanted for a spec."""
    session = samples.session(spec)
    return worker_pod.wanted(session, worker_pod.pod(session, samples.store(), samples.DEFAULTS))


def marked(spec: dict[str, Any] | None = None, **metadata: Any) -> Observed:
    """Return a session with a running pod that is marked as its worker."""
    session = samples.session(spec, {"worker": {"podUID": samples.POD_UID}}, **metadata)
    return Observed(session, samples.pod(), samples.store())


def held(code: int, reason: str, **last: Any) -> Observed:
    """Return a session without a pod whose worker has ended."""
    ending = {"exitCode": code, "endReason": reason, "endTime": samples.NOON, "failures": 1} | last
    ending["templateHash"] = wanted().template_hash
    return Observed(samples.session(status={"worker": {"last": ending}}), None, samples.store())


def steps(observed: Observed, want: Wanted | None = None) -> list[str]:
    """Return the names of the steps."""
    return [type(action).__name__ for action in plan.plan(observed, want or wanted()).actions]


START = ["ApplyAccess", "ApplyLease", "CreatePod"]


def test_a_session_without_a_pod_gets_rights_a_lease_and_a_pod_in_this_order() -> None:
    assert steps(Observed(samples.session(), None, samples.store())) == START


def test_nothing_is_made_before_the_store_is_there() -> None:
    assert plan.plan(Observed(samples.session(), None, None), None) == plan.Plan()


def test_without_the_policy_nothing_is_made_and_it_is_looked_for_again() -> None:
    observed = Observed(samples.session(), None, samples.store(), policy=False)
    assert plan.plan(observed, wanted()) == plan.Plan((), plan.POLICY_RETRY_SECONDS)
    assert steps(dataclasses.replace(observed, policy_required=False)) == START


def test_no_worker_is_started_on_an_unfenced_store_and_one_that_runs_is_not_replaced() -> None:
    store = dataclasses.replace(samples.store(), problem=Problem(Reason.STORE_UNFENCED, "two writers won"))
    alone = Observed(samples.session(), None, store)
    assert steps(alone) == []
    phase, found = status.conditions(alone, "hash")
    assert (phase, found[0].reason) == ("Failed", "StoreUnfenced")
    assert "with the SessionStore 'default': two writers won" in found[0].message
    running = dataclasses.replace(marked(), store=store)
    assert "DeletePod" not in steps(running, dataclasses.replace(wanted(), template_hash="another"))
    away = dataclasses.replace(store, problem=Problem(Reason.STORE_UNAVAILABLE, "no route"))
    assert steps(dataclasses.replace(alone, store=away)) == START


def test_localauth_gets_its_claim_before_its_pod() -> None:
    spec = {"auth": {"strategy": "LocalAuth", "localAuth": {}}}
    session = samples.session(spec)
    want = worker_pod.wanted(session, worker_pod.pod(session, None, samples.DEFAULTS))
    assert steps(Observed(session, None, None), want) == ["ApplyAccess", "ApplyPVC", "ApplyLease", "CreatePod"]


MARK = plan.Plan((plan.ApplyAccess(), plan.ApplyLease(samples.POD_UID)))


def test_a_pod_that_is_as_wanted_keeps_its_rights_and_is_marked_on_the_lease() -> None:
    assert plan.plan(marked(), wanted()) == MARK


def test_a_running_pod_outlives_its_store() -> None:
    expected = plan.Plan((plan.ApplyLease(samples.POD_UID),))
    assert plan.plan(dataclasses.replace(marked(), store=None), None) == expected


@pytest.mark.parametrize(
    ("observed", "want", "expected"),
    [
        (marked(), wanted(), ["ApplyAccess", "ApplyLease"]),
        (marked(), dataclasses.replace(wanted(), template_hash="new"), ["ApplyAccess", "ApplyLease"]),
        (marked(SUSPENDED), wanted(), ["DeletePod"]),
        (marked(None, deletionTimestamp=samples.NOON), wanted(), ["DeletePod"]),
        (dataclasses.replace(marked(), pod=dataclasses.replace(samples.pod(), deleting=True)), wanted(), []),
    ],
    ids=["running", "to be replaced", "suspended", "deleted", "stopping"],
)
def test_every_worker_keeps_its_rights_without_the_policy_and_none_is_replaced(
    observed: Observed, want: Wanted, expected: list[str]
) -> None:
    assert steps(dataclasses.replace(observed, policy=False), want) == expected


@pytest.mark.parametrize("spec", [None, SUSPENDED], ids=["running", "suspended"])
@pytest.mark.parametrize("metadata", [{}, {"deletionTimestamp": samples.NOON}], ids=["live", "deleted"])
def test_a_pod_owned_by_someone_else_is_never_deleted(spec: dict[str, Any] | None, metadata: dict[str, Any]) -> None:
    observed = marked(spec, **metadata)
    assert observed.pod is not None
    foreign = dataclasses.replace(observed.pod, ownership=Ownership.FOREIGN, template_hash="other", phase="Failed")
    # Nobody tells when it goes: it need not have our label, by which pods are watched.
    look_again = None if metadata else plan.FOREIGN_SECONDS
    found = plan.plan(dataclasses.replace(observed, pod=foreign), wanted(spec))
    assert found == plan.Plan(look_again=look_again)


def test_a_pod_that_is_going_is_waited_for() -> None:
    observed = marked()
    assert observed.pod is not None
    going = dataclasses.replace(observed.pod, deleting=True, template_hash="other")
    found = plan.plan(dataclasses.replace(observed, pod=going), wanted())
    assert found == plan.Plan(look_again=failover.PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (marked(SUSPENDED), Reason.SUSPENDED),
        (marked(None, deletionTimestamp=samples.NOON), Reason.STOPPING),
        (dataclasses.replace(marked(), pod=samples.pod(**samples.terminated(0))), Reason.STOPPING),
        (
            dataclasses.replace(
                marked(), pod=samples.pod(**samples.waiting("CrashLoopBackOff", ended={"exitCode": 3}))
            ),
            Reason.STOPPING,
        ),
        (dataclasses.replace(marked(), pod=samples.pod(**samples.terminated(0, phase="Running"))), Reason.STOPPING),
    ],
    ids=["suspended", "deleted", "ended", "gave up", "ended beside a sidecar"],
)
def test_a_pod_goes_when_it_should_not_be(observed: Observed, reason: Reason) -> None:
    (action,) = plan.plan(observed, wanted()).actions
    assert isinstance(action, plan.DeletePod)
    assert (action.uid, action.reason) == (samples.POD_UID, reason)


def test_a_crashed_container_is_left_to_the_node() -> None:
    crashed = samples.pod(**samples.waiting("CrashLoopBackOff", ended={"exitCode": 1}))
    assert plan.plan(dataclasses.replace(marked(), pod=crashed), wanted()) == MARK


def replacement(observed: Observed, want: Wanted) -> plan.DeletePod:
    """Return the last step, after those that a worker needs until its replacement's turn has come."""
    *kept, action = plan.plan(observed, want).actions
    assert tuple(kept) == MARK.actions
    assert isinstance(action, plan.DeletePod)
    return action


@pytest.mark.parametrize(
    ("want", "what"),
    [
        (
            dataclasses.replace(wanted(), template_hash="new", image="worker:2"),
            "the image changed from worker:1 to worker:2",
        ),
        (wanted({"browser": {"userAgent": "secret"}}), "these settings changed: WHATSAPP_BROWSER_USER_AGENT"),
        (dataclasses.replace(wanted(), template_hash="new"), "the pod template changed"),
    ],
    ids=["image", "settings", "else"],
)
def test_a_replacement_says_why_and_keeps_values_to_itself(want: Wanted, what: str) -> None:
    action = replacement(marked(), want)
    assert action.message == f"the operator replaces the worker pod: {what}"


def test_what_an_upgrade_changes_waits_for_its_turn_and_what_the_user_asked_for_does_not() -> None:
    upgraded = dataclasses.replace(wanted(), template_hash="new", image="worker:2")
    action = replacement(marked(), upgraded)
    assert (action.replaces, action.paced) == (True, True)
    action = replacement(marked(None, generation=4), upgraded)
    assert (action.replaces, action.paced) == (True, False)


def test_a_suspended_session_gets_no_pod() -> None:
    assert steps(Observed(samples.session(SUSPENDED), None, samples.store())) == []


def test_a_deleted_session_gets_no_pod() -> None:
    assert steps(Observed(samples.session(deletionTimestamp=samples.NOON), None, samples.store())) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [(2, "BrowserTooOld"), (3, "ArchiveMissing"), (0, "QRExpired"), (0, "LoggedOutFromPhone"), (0, "Superseded")],
    ids=str,
)
def test_a_worker_that_gave_up_is_not_started_again(code: int, reason: str) -> None:
    assert plan.plan(samples.aged(held(code, reason), 1e6), wanted()) == plan.Plan()


def test_a_changed_template_starts_it_again() -> None:
    assert steps(held(3, "ArchiveMissing"), wanted({"clientId": "other"})) == START


@pytest.mark.parametrize(
    ("requested", "time", "started"),
    [
        ("restart", "2026-01-01T12:00:01Z", True),
        ("relink", "2026-01-01T12:00:01Z", True),
        ("relink", "2026-01-01T11:00:00Z", False),
        ("save", "2026-01-01T12:00:01Z", False),
    ],
    ids=str,
)
def test_a_request_that_the_ended_worker_had_not_been_started_for_starts_it_again(
    requested: str, time: str, started: bool
) -> None:
    observed = held(3, "ArchiveMissing", startedFor="2026-01-01T11:00:00Z")
    session = dataclasses.replace(observed.session, asked={requested: time})
    observed = dataclasses.replace(observed, session=session)
    want = worker_pod.wanted(session, worker_pod.pod(session, samples.store(), samples.DEFAULTS))
    assert bool(steps(observed, want)) == started


def test_a_restart_that_is_asked_for_replaces_the_pod_once() -> None:
    session = dataclasses.replace(marked().session, asked={"restart": "2026-01-01T12:00:01Z"})
    manifest = worker_pod.pod(session, samples.store(), samples.DEFAULTS)
    want = worker_pod.wanted(session, manifest)
    action = replacement(dataclasses.replace(marked(), session=session), want)
    assert "the user requested a restart" in action.message
    renewed = Observed(session, samples.pod(manifest), samples.store())
    assert plan.plan(renewed, want) == MARK


@pytest.mark.parametrize(
    ("code", "failures", "pause"),
    [(0, 1, 0), (0, 2, 10), (1, 1, 10), (1, 2, 20), (1, 20, 300), (4, 1, 60), (4, 3, 240), (4, 20, 3600)],
    ids=str,
)
def test_the_pause_before_the_next_worker_grows_to_its_limit(code: int, failures: int, pause: int) -> None:
    observed = held(code, "", failures=failures)
    if pause:
        assert plan.plan(observed, wanted()) == plan.Plan(look_again=pause)
    assert steps(samples.aged(observed, pause)) == START
