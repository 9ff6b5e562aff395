"""The count of restarts shows which process of a pod wrote a report, whatever is done to the node's clock."""

import pytest

from scenes.operator import samples
from whatsapp_operator.session import termination

ENDED = {"exitCode": 137, "startedAt": "2026-01-01T11:00:00Z", "finishedAt": "2026-01-01T11:59:50Z"}
SINCE = {
    "right": "2026-01-01T12:00:05Z",
    "26 hours behind": "2025-12-31T10:00:05Z",
    "three days ahead": "2026-01-04T12:00:05Z",
    "no time": "?",
}
clocks = pytest.mark.parametrize("since", SINCE.values(), ids=SINCE.keys())


def runs_again(restarts: int = 1) -> samples.Manifest:
    """Return the status of a pod whose container was started again."""
    status = samples.running(restarts=restarts)
    status["containerStatuses"][0]["lastState"] = {"terminated": ENDED}
    return status


@clocks
def test_the_report_of_the_process_that_runs_is_taken_whatever_the_clock_says(since: str) -> None:
    session = samples.session(status=samples.report("Connected", stateSince=since, restartCount=1))
    pod = samples.pod(**runs_again())
    if since == SINCE["no time"]:
        assert termination.fresh_report(session, pod) is None
    else:
        assert termination.fresh_report(session, pod) is session.report
        assert not termination.left_behind(session, pod)


def test_a_report_from_before_the_restart_is_not_taken() -> None:
    since = "2026-01-01T11:30:00Z"
    for count in ({}, {"restartCount": 0}):
        session = samples.session(status=samples.report("Connected", stateSince=since, **count))
        assert termination.fresh_report(session, samples.pod(**runs_again())) is None
        assert termination.left_behind(session, samples.pod(**runs_again()))


def test_a_start_that_the_worker_could_not_count_is_told_by_the_times() -> None:
    """A container that ended before the worker's first line is counted by the kubelet only."""
    session = samples.session(status=samples.report("Connected", restartCount=1))
    assert termination.fresh_report(session, samples.pod(**runs_again(restarts=2))) is session.report


@clocks
def test_what_a_process_wrote_that_has_ended_is_left_behind(since: str) -> None:
    pod = samples.pod(**samples.waiting("CrashLoopBackOff", ended=ENDED))
    ended = samples.session(status=samples.report("Connected", stateSince=since, restartCount=1))
    assert termination.left_behind(ended, pod)
    newer = samples.session(status=samples.report("Connected", stateSince=since, restartCount=2))
    assert not termination.left_behind(newer, pod)
    assert termination.fresh_report(newer, pod) is None
