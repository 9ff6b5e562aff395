"""What workers, nodes and users write in a time's place: the operator goes on serving the session."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from scenes.operator import samples
from scenes.operator.cluster import POD, SESSION, connected, set_spec
from whatsapp_operator.observed.state import Observed
from whatsapp_operator.session import termination
from whatsapp_session import names

Manifest = dict[str, Any]
ODD = {
    "no such offset": "2026-01-01T12:00:05+99:99",
    "lower case": "2026-01-01t12:00:05z",
    "year 0": "0000-01-01T00:00:00Z",
    "year 1": "0001-01-01T00:00:00+23:59",
    "year 9999": "9999-12-31T23:59:59-23:59",
    "a leap second": "2016-12-31T23:59:60Z",
    "4,000 digits": "2" * 4000,
    "a lone surrogate": "\ud800",
    "nothing": "",
}
odd_times = pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())


@odd_times
def test_a_session_whose_worker_writes_odd_times_can_be_suspended(odd: str) -> None:
    cluster = connected()
    saved = {"generation": 1, "time": odd}
    cluster.worker_says("Connected", stateSince=odd, saved=saved, handledRequests={"save": odd})
    cluster.change(SESSION, set_spec(operatingMode="Suspended"))
    cluster.settle()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


@odd_times
def test_a_session_with_odd_requests_can_be_deleted(odd: str) -> None:
    cluster = connected()
    requested = {
        names.request_annotation(request): odd for request in ("save", "restart", "relink", "takeover", "skip-purge")
    }
    cluster.change(SESSION, lambda session: session["metadata"].update(annotations=requested))
    cluster.settle()
    cluster.delete_session()
    cluster.look()
    assert "deletionTimestamp" in cluster.kube.objects[POD]["metadata"]


@odd_times
def test_a_worker_that_ends_at_an_odd_time_is_followed_by_another(odd: str) -> None:
    cluster = connected()
    ended = samples.terminated(1, "", "Failed", startedAt=odd, finishedAt=odd)
    cluster.change(POD, lambda pod: pod.update(status=ended))
    cluster.settle()
    cluster.pod_gone()
    assert cluster.status["worker"]["last"]["failures"] == 1
    cluster.clock.time += timedelta(hours=1)
    cluster.settle()
    assert "deletionTimestamp" not in cluster.kube.objects[POD]["metadata"]
    assert cluster.status["phase"] == "Starting"


def test_an_end_without_a_time_counts_from_when_its_pod_was_made() -> None:
    ended = samples.terminated(1, "", "Failed", finishedAt=ODD["year 0"])
    pod = dataclasses.replace(samples.pod(**ended), created=samples.NOON)
    last = termination.remember(Observed(samples.session(), pod, samples.store()))
    assert last.end_time == samples.NOON


def test_a_report_without_a_time_is_not_that_of_the_process_that_runs() -> None:
    for odd in (ODD["no such offset"], ODD["year 0"], ODD["nothing"]):
        session = samples.session(status=samples.report("Connected", stateSince=odd))
        assert termination.fresh_report(session, samples.pod()) is None
        assert termination.left_behind(session, samples.pod())


def test_a_container_that_started_at_no_known_time_may_have_written_the_report() -> None:
    session = samples.session(status=samples.report("Connected"))
    assert termination.fresh_report(session, samples.pod(**samples.running(ODD["no such offset"]))) is session.report
