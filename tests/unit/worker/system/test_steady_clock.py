"""The worker's time does not jump, and follows the API server's from before the session begins."""

import email.utils
import time

import pytest

from whatsapp_worker.system import steady_clock

DAY = 86400.0
NOW = 1_800_000_000.0


class Machine:
    """A wall clock that somebody sets, and a boot clock that nobody can."""

    def __init__(self) -> None:
        self.wall, self.boot = NOW, 100.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    def clock(self) -> steady_clock.SteadyClock:
        return steady_clock.SteadyClock(lambda: self.wall, lambda: self.boot)


def date(moment: float) -> str:
    """Return a Date header."""
    return email.utils.formatdate(moment, usegmt=True)


@pytest.mark.parametrize("jump", [-3 * DAY, -26 * 3600, 3 * DAY])
def test_a_wall_clock_that_is_set_during_a_run_moves_nothing(jump: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += jump
    machine.passes(10)
    assert clock.now() == NOW + 10


@pytest.mark.parametrize("wrong", [-3 * DAY, -26 * 3600, 3 * DAY])
def test_the_api_servers_time_is_taken_before_the_session_begins(wrong: float) -> None:
    machine = Machine()
    machine.wall += wrong
    clock = machine.clock()
    clock.hear(date(NOW))
    machine.passes(10)
    assert (clock.now(), clock.ahead) == (NOW + 10, -wrong)


def test_nothing_moves_the_clock_once_the_session_has_begun() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.settle()
    clock.hear(date(NOW + 3 * DAY))
    assert clock.now() == NOW


@pytest.mark.parametrize("told", [None, "", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT", date(NOW + 1)])
def test_an_answer_without_a_date_or_of_the_same_second_moves_nothing(told: str | None) -> None:
    clock = Machine().clock()
    clock.hear(told)
    assert clock.now() == NOW


def test_a_pause_waits_by_the_monotonic_clock() -> None:
    before = time.monotonic()
    steady_clock.pause(0.01)
    assert time.monotonic() - before >= 0.01
    steady_clock.pause(-1.0)
