"""Starts and replacements are paced."""

from collections.abc import Hashable
from typing import TypeVar

from whatsapp_operator.rollout import LOOKS_PER_SECOND, SLOT_SECONDS, Limits, Pace

T = TypeVar("T", bound=Hashable)


def replace(pace: Pace[T], key: T, node: str | None = None, now: float = 0.0) -> bool:
    """Replace a pod if that may be; returns whether."""
    if not pace.may_replace(key, node):
        return False
    pace.replace(key, node, now)
    return True


def test_only_so_many_start_at_once() -> None:
    pace: Pace[str] = Pace(Limits(starting=2))
    assert [pace.start(key, 0.0) for key in "abc"] == [True, True, False]
    pace.saw("a", starting=False, healthy=True, now=1.0)
    assert pace.start("c", 1.0)


def test_a_start_that_is_repeated_takes_one_place() -> None:
    pace: Pace[str] = Pace(Limits(starting=1))
    assert pace.start("a", 0.0)
    assert pace.start("a", 1.0)
    assert not pace.start("b", 1.0)


def test_a_start_that_is_stuck_keeps_nobody_waiting_for_ever() -> None:
    pace: Pace[str] = Pace(Limits(starting=1))
    assert pace.start("a", 0.0)
    pace.saw("a", starting=True, healthy=False, now=5.0)
    assert not pace.start("b", SLOT_SECONDS - 1)
    assert pace.start("b", SLOT_SECONDS)


def test_a_session_that_is_gone_frees_its_place() -> None:
    pace: Pace[str] = Pace(Limits(starting=1, replacing=1))
    assert pace.start("a", 0.0)
    assert replace(pace, "a", None, 0.0)
    pace.forget("a")
    assert pace.start("b", 0.0)
    assert replace(pace, "b", None, 0.0)


def test_after_a_restart_it_is_learnt_who_starts() -> None:
    pace: Pace[str] = Pace(Limits(starting=1))
    pace.saw("a", starting=True, healthy=False, now=0.0)
    assert not pace.start("b", 1.0)


def test_one_replacement_is_always_allowed_and_more_only_as_a_share() -> None:
    pace: Pace[int] = Pace(Limits(replacing=5, replacing_percent=10, replacing_per_node=9))
    assert replace(pace, 0, None, 0.0)
    assert not replace(pace, 1, None, 0.0)
    for key in range(30):
        pace.saw(key, starting=False, healthy=key != 0, now=1.0)
    assert [replace(pace, key, None, 2.0) for key in (1, 2, 3)] == [True, True, False]


def test_the_absolute_limit_holds_in_a_large_cluster() -> None:
    pace: Pace[int] = Pace(Limits(replacing=5, replacing_per_node=9))
    for key in range(1000):
        pace.saw(key, starting=False, healthy=True, now=0.0)
    assert sum(replace(pace, key, None, 1.0) for key in range(1000)) == 5


def test_replacing_halts_when_those_replaced_do_not_come_back() -> None:
    pace: Pace[int] = Pace(Limits(replacing=1))
    assert replace(pace, 0, None, 0.0)
    pace.saw(0, starting=False, healthy=False, now=1.0)
    assert not replace(pace, 1, None, 1e6)
    pace.saw(0, starting=False, healthy=True, now=1e6)
    assert replace(pace, 1, None, 1e6)


def test_where_a_pod_runs_that_has_no_node_does_not_matter() -> None:
    pace: Pace[int] = Pace(Limits(replacing=9, replacing_percent=100, replacing_per_node=1))
    for key in range(10):
        pace.saw(key, starting=False, healthy=True, now=0.0)
    assert replace(pace, 0, None)
    assert replace(pace, 1, None)


def test_a_node_is_not_emptied_at_once() -> None:
    pace: Pace[int] = Pace(Limits(replacing=9, replacing_percent=100, replacing_per_node=1))
    for key in range(10):
        pace.saw(key, starting=False, healthy=True, now=0.0)
    assert replace(pace, 0, "one", 1.0)
    assert not replace(pace, 1, "one", 1.0)
    assert replace(pace, 2, "two", 1.0)


def test_those_who_wait_for_their_turn_do_not_ask_all_at_once() -> None:
    pace: Pace[int] = Pace()
    assert pace.turn() == 1.0
    for key in range(2000):
        pace.saw(key, starting=False, healthy=True, now=0.0)
    assert pace.turn() == 2000 / LOOKS_PER_SECOND
