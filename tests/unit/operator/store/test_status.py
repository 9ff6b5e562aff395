"""A store's status says what is known of it, from its check and from its workers."""

import dataclasses

import pytest

from scenes.operator import samples
from scenes.operator.store_samples import BAD, DOWN, GOOD, aged, check, check_of, observed
from whatsapp_operator.observed.state import Ownership, Problem, StoreReport
from whatsapp_operator.store import status, worker_reports
from whatsapp_operator.store.observed import Check, ObservedStore, Verdict
from whatsapp_session.conditions import Reason


def conditions(seen: ObservedStore) -> dict[str, tuple[str, str]]:
    """Return each condition's status and reason."""
    return {str(item.type): (str(item.status), str(item.reason)) for item in status.conditions(seen)}


@pytest.mark.parametrize(
    ("seen", "ready", "flag"),
    [
        (observed(), ("False", "PodStarting"), "Reconciling"),
        (observed(pod=check_of()), ("False", "PodStarting"), "Reconciling"),
        (
            observed(pod=check_of(problem=Problem(Reason.UNSCHEDULABLE, "no node"))),
            ("False", "Unschedulable"),
            "Reconciling",
        ),
        (observed(check=check()), ("True", "StoreAnswered"), None),
        (observed(check=check(template_hash="of an older operator")), ("True", "StoreAnswered"), None),
        (observed(check=check(generation=0)), ("False", "PodStarting"), "Reconciling"),
        (observed(check=check(BAD)), ("False", "StoreUnavailable"), "Stalled"),
        (observed(check=check(BAD), reports=(StoreReport("a"),)), ("True", "StoreAnswered"), None),
        (
            observed(check=check(Verdict(False, Reason.INVALID_POD_TEMPLATE, "refused")), reports=(StoreReport("a"),)),
            ("True", "StoreAnswered"),
            None,
        ),
        (
            observed(check=check(Verdict(False, Reason.STORE_UNFENCED, "two winners")), reports=(StoreReport("a"),)),
            ("False", "StoreUnfenced"),
            "Stalled",
        ),
        (
            observed(check=check(), reports=(StoreReport("a"), StoreReport("b", DOWN))),
            ("False", "StoreUnavailable"),
            "Stalled",
        ),
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
        "its check is refused, but its workers use it",
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
    assert ("use a ReadWriteMany PVC" in message) is said


def test_a_worker_that_has_no_answer_is_named() -> None:
    seen = observed(check=check(), reports=(StoreReport("a"), StoreReport("b", DOWN)))
    assert status.conditions(seen)[0].message == "the worker of the session 'b' reports: no answer"


def test_a_check_that_does_not_end_is_one_that_failed() -> None:
    late = "2026-01-01T12:05:00Z"
    seen = aged(observed(pod=check_of(problem=Problem(Reason.UNSCHEDULABLE, "no node"))), 241)
    seen = status.judged(seen, "hash", late)
    assert seen.check == Check(Verdict(False, Reason.UNSCHEDULABLE, "no node"), late, 1, "hash", "new", 1)


@pytest.mark.parametrize(("runs", "said"), [(True, "did not answer"), (False, "kubectl describe")])
def test_a_store_that_hangs_is_told_from_a_pod_that_does_not_start(runs: bool, said: str) -> None:
    seen = aged(observed(pod=check_of(runs=runs, slow="`kubectl describe pod`")), 241)
    verdict = status.judged(seen, "hash", samples.NOON).check
    assert verdict is not None
    assert said in verdict.verdict.message


@pytest.mark.parametrize(("seconds", "runs", "said"), [(119, False, False), (121, False, True), (121, True, False)])
def test_a_check_whose_pod_does_not_start_says_so_after_a_while(seconds: float, runs: bool, said: bool) -> None:
    seen = aged(observed(pod=check_of(runs=runs, slow="look at the pod")), seconds)
    (ready, *_) = status.conditions(seen)
    assert (ready.reason, "look at the pod" in ready.message) == (Reason.POD_STARTING, said)


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


def test_what_workers_say_is_told_only_when_it_changes_the_picture() -> None:
    said: worker_reports.WorkerReports[str] = worker_reports.WorkerReports()
    assert said.record("bots/a", "bots/s3", StoreReport("a")) == ["bots/s3"]
    assert said.record("bots/b", "bots/s3", StoreReport("b")) == []
    assert said.record("bots/b", "bots/s3", StoreReport("b", DOWN)) == ["bots/s3"]
    assert said.of_store("bots/s3") == (StoreReport("a"), StoreReport("b", DOWN))
    assert said.record("bots/b", "bots/other", StoreReport("b")) == ["bots/s3", "bots/other"]
    assert said.record("bots/b", None, None) == ["bots/other"]
    assert said.record("bots/a", "bots/s3", None) == ["bots/s3"]
    assert said.of_store("bots/s3") == ()


def event(before: ObservedStore | None, after: ObservedStore) -> list[tuple[str, bool]]:
    """Return reason and warning of each Event between two observations."""
    old = {} if before is None else status.own_status(before, samples.NOON)
    found = status.events_of(old, status.own_status(after, samples.NOON))
    return [(item.reason, item.warning) for item in found]


def test_a_person_hears_when_a_store_fails_and_when_it_is_back() -> None:
    good, bad = observed(check=check()), observed(check=check(BAD))
    assert event(None, good) == []
    assert event(None, bad) == [("StoreUnavailable", True)]
    assert event(good, bad) == [("StoreUnavailable", True)]
    assert event(bad, good) == [("StoreAnswered", False)]
    assert event(good, good) == event(bad, bad) == []
