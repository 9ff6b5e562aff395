"""What a user asks for again and again is carried out, at growing intervals."""

import pytest

from whatsapp_operator.restart_backoff import PAUSES, Restarts


def carried_out(every: float, seconds: float) -> list[float]:
    """Return when restarts are carried out that are asked for at an interval."""
    restarts: Restarts[str] = Restarts()
    done: list[float] = []
    now, asked = 0.0, 0.0
    while now <= seconds:
        asked = now - now % every
        newest = done and asked <= done[-1]
        if not newest and restarts.wait("a", asked, now) == 0:
            restarts.did("a", asked, now)
            done.append(now)
        now += 1
    return done


@pytest.mark.parametrize(
    ("every", "done"),
    [
        (15, [0, 15, 45, 105, 225, 465, 765]),
        (1, [0, 15, 45, 105, 225, 465, 765]),
        (60, [0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720, 780]),
    ],
    ids=["every 15 s", "every second", "every minute"],
)
def test_restarts_are_carried_out_at_growing_intervals(every: float, done: list[float]) -> None:
    assert carried_out(every, 800) == done


def test_what_has_begun_is_finished_at_once() -> None:
    restarts: Restarts[str] = Restarts()
    restarts.did("a", "first", 0.0)
    assert restarts.wait("a", "first", 1.0) == 0.0
    restarts.did("a", "first", 1.0)
    assert restarts.wait("a", "second", 1.0) == 14.0


def test_sessions_do_not_wait_for_each_other_and_a_new_one_begins_anew() -> None:
    restarts: Restarts[str] = Restarts()
    restarts.did("a", "first", 0.0)
    assert restarts.wait("b", "second", 1.0) == 0.0
    restarts.forget("a")
    assert restarts.wait("a", "second", 1.0) == 0.0


def test_an_interval_is_never_longer_than_5_minutes() -> None:
    restarts: Restarts[str] = Restarts()
    for number in range(2000):
        restarts.did("a", number, 0.0)
    assert restarts.wait("a", "next", 0.0) == PAUSES.longest
