"""The operator goes by the API server's time, however wrong its own clock, a node's or a worker's is."""

import email.utils
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.clock import ServerClock
from whatsapp_operator.metrics import Metrics, Seen
from whatsapp_operator.observed.parsing import parse_session_resource
from whatsapp_operator.session import termination
from whatsapp_session import names, timestamps

DAY = 86400.0
NOW = samples.NOON_SECONDS
wrong = pytest.mark.parametrize("ahead", [-3 * DAY, -26 * 3600, 3 * DAY], ids=lambda seconds: f"{seconds / 3600:+} h")


@dataclass
class Machine:
    """A wall clock that is wrong, and a monotonic one."""

    ahead: float = 0.0
    passed: float = 0.0

    def clock(self) -> ServerClock:
        return ServerClock(lambda: NOW + self.passed + self.ahead, lambda: 5.0 + self.passed)


def date(moment: float) -> str:
    """Return a Date header."""
    return email.utils.formatdate(moment, usegmt=True)


def heard(ahead: float) -> ServerClock:
    """Return the clock of an operator whose machine is wrong, after an answer of the API server."""
    clock = Machine(ahead).clock()
    clock.hear(date(NOW))
    return clock


@wrong
def test_the_time_is_the_api_servers_and_passes_as_the_monotonic_clock_does(ahead: float) -> None:
    machine = Machine(ahead)
    clock = machine.clock()
    clock.hear(date(NOW))
    machine.passed, machine.ahead = 60, -ahead  # somebody sets the clock
    assert clock.now().timestamp() == NOW + 60


def test_answers_of_the_same_second_do_not_move_the_time_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passed = 0.9
    clock.hear(date(NOW))
    assert clock.now().timestamp() == NOW + 0.9


@pytest.mark.parametrize("told", [None, "", "soon", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_an_answer_without_a_date_moves_nothing(told: str | None) -> None:
    clock = heard(3 * DAY)
    clock.hear(told)
    assert clock.now().timestamp() == NOW


def test_a_clock_that_is_wrong_is_told_once_and_again_after_it_was_right(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(-3 * DAY)
    clock = machine.clock()
    with caplog.at_level(logging.WARNING, logger="whatsapp_operator"):
        for ahead in (-3 * DAY, -3 * DAY, 0.0, 26 * 3600.0):
            machine.ahead = ahead
            clock.hear(date(NOW))
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "the clock of this machine is 3 days behind the API server's",
        "the clock of this machine is 26 hours ahead of the API server's",
    ]


@wrong
def test_requests_are_judged_by_the_api_servers_time(ahead: float) -> None:
    now = heard(ahead).now().timestamp()

    def asked(moment: float) -> dict[str, str]:
        annotations = {names.request_annotation("save"): timestamps.rfc3339(moment)}
        resource = samples.session_resource(annotations=annotations)
        return dict(parse_session_resource(resource, now).asked)

    assert asked(NOW) == {"save": samples.NOON}
    assert asked(NOW + 200) != {}
    assert asked(NOW + 400) == {}


@wrong
def test_the_age_of_a_save_is_measured_by_the_api_servers_time(ahead: float) -> None:
    metrics = Metrics(heard(ahead).now)
    metrics.saw("a", Seen("Connected", NOW - 40, 0))
    assert metrics.registry.get_sample_value("whatsapp_operator_oldest_save_age_seconds") == 40


@wrong
def test_a_worker_whose_clock_is_not_the_kubelets_is_believed(ahead: float) -> None:
    since = timestamps.rfc3339(NOW + 5 + ahead)
    session = samples.session(status=said(since))
    assert termination.fresh_report(session, samples.pod()) is session.report


def test_what_a_container_wrote_before_it_was_started_again_is_not_believed() -> None:
    session = samples.session(status=said(samples.NOON))
    later = samples.pod(**samples.running("2026-01-01T12:30:00Z", restarts=1))
    assert termination.fresh_report(session, later) is None


def said(since: str) -> dict[str, Any]:
    """Return a status with a report that has this time."""
    status = samples.report("Connected")
    return {**status, "session": {**status["session"], "stateSince": since}}
