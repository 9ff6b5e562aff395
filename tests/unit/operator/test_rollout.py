"""Replacements are paced."""

from collections.abc import Hashable
from typing import TypeVar

from whatsapp_operator.rollout import LOOKS_PER_SECOND, Limits, Pace

T = TypeVar("T", bound=Hashable)


def replace(pace: Pace[T], key: T, node: str | None = None) -> bool:
    """Replace a pod if that may be; returns whether."""
    if not pace.may_replace(key, node):
        return False
    pace.replace(key, node)
    return True


def test_a_session_that_is_gone_frees_its_place() -> None:
    pace: Pace[str] = Pace(Limits(replacing=1))
    assert replace(pace, "a")
    assert not replace(pace, "b")
    pace.forget("a")
    assert replace(pace, "b")


def test_one_replacement_is_always_allowed_and_more_only_as_a_share() -> None:
    pace: Pace[int] = Pace(Limits(replacing=5, replacing_percent=10, replacing_per_node=9))
    assert replace(pace, 0)
    assert not replace(pace, 1)
    for key in range(30):
        pace.saw(key, healthy=key != 0)
    assert [replace(pace, key) for key in (1, 2, 3)] == [True, True, False]


def test_the_absolute_limit_holds_in_a_large_cluster() -> None:
    pace: Pace[int] = Pace(Limits(replacing=5, replacing_per_node=9))
    for key in range(1000):
        pace.saw(key, healthy=True)
    assert sum(replace(pace, key) for key in range(1000)) == 5


def test_replacing_halts_when_those_replaced_do_not_come_back() -> None:
    pace: Pace[int] = Pace(Limits(replacing=1))
    assert replace(pace, 0)
    pace.saw(0, healthy=False)
    assert not replace(pace, 1)
    pace.saw(0, healthy=True)
    assert replace(pace, 1)


def test_where_a_pod_runs_that_has_no_node_does_not_matter() -> None:
    pace: Pace[int] = Pace(Limits(replacing=9, replacing_percent=100, replacing_per_node=1))
    for key in range(10):
        pace.saw(key, healthy=True)
    assert replace(pace, 0)
    assert replace(pace, 1)


def test_a_node_is_not_emptied_at_once() -> None:
    pace: Pace[int] = Pace(Limits(replacing=9, replacing_percent=100, replacing_per_node=1))
    for key in range(10):
        pace.saw(key, healthy=True)
    assert replace(pace, 0, "one")
    assert not replace(pace, 1, "one")
    assert replace(pace, 2, "two")


def test_those_who_wait_for_their_turn_do_not_ask_all_at_once() -> None:
    pace: Pace[int] = Pace()
    assert pace.turn() == 1.0
    for key in range(2000):
        pace.saw(key, healthy=True)
    assert pace.turn() == 2000 / LOOKS_PER_SECOND
