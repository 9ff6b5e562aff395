"""Start slots are shared fairly by namespaces: nobody waits for the starts of others to end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_operator.start_slots import LENT_SECONDS, PENDING_SECONDS, POLL_SECONDS, SLOT_SECONDS, Stage, Starts

NONE, PENDING, RUNNING = Stage.NONE, Stage.PENDING, Stage.RUNNING


def slots(limit: int) -> Starts[str]:
    """Return slots for sessions whose namespace is the first letter of their name."""
    return Starts(limit, lambda key: key[0])


def asked(starts: Starts[str], *keys: str, now: float = 0.0) -> list[bool]:
    """Let sessions ask for a slot; returns who has one."""
    return [starts.ask(key, now) is None for key in keys]


def stuck(starts: Starts[str], *keys: str, now: float = 0.0) -> None:
    """Let these sessions ask, and the pods of those that may start run and not come up."""
    for key, may in zip(keys, asked(starts, *keys, now=now), strict=True):
        if may:
            starts.saw(key, PENDING, now)
            starts.saw(key, RUNNING, now)


def test_only_so_many_start_at_once_and_the_next_is_called() -> None:
    starts = slots(2)
    assert asked(starts, "a1", "a2", "a3", "a4") == [True, True, False, False]
    assert starts.granted() == []
    starts.saw("a1", NONE, 1.0)
    assert starts.granted() == ["a3"]
    assert starts.granted() == [], "each once"
    assert asked(starts, "a4", "a3", now=1.0) == [False, True]


def test_a_start_that_is_repeated_takes_one_slot() -> None:
    starts = slots(2)
    assert asked(starts, "a1", "a1", "a2", "a3") == [True, True, True, False]
    assert starts.starting(0.0) == 2


def test_a_session_that_is_gone_or_asks_no_more_frees_its_slot_and_its_place() -> None:
    starts = slots(1)
    assert asked(starts, "a1", "a2", "a3", "a4") == [True, False, False, False]
    starts.forget("a2", 1.0)
    starts.saw("a3", NONE, 1.0)  # suspended meanwhile
    starts.forget("a1", 1.0)
    assert starts.granted() == ["a4"]
    assert starts.waiting() == 0


def test_after_a_restart_of_the_operator_it_is_learnt_who_starts() -> None:
    starts = slots(1)
    starts.saw("a1", RUNNING, 0.0)
    assert asked(starts, "a2", now=1.0) == [False]


def test_a_worker_that_does_not_come_up_holds_its_slot_for_a_minute() -> None:
    starts = slots(1)
    stuck(starts, "a1")
    for now in (1.0, SLOT_SECONDS - 1):
        starts.saw("a1", RUNNING, now)
        assert asked(starts, "a2", now=now) == [False]
    starts.saw("a1", RUNNING, SLOT_SECONDS)
    assert starts.granted() == ["a2"]
    starts.saw("a1", RUNNING, SLOT_SECONDS + 1)
    starts.saw("a2", NONE, SLOT_SECONDS + 2)
    assert starts.starting(SLOT_SECONDS + 2) == 0, "a slot that has ended does not come back"


def test_a_pod_that_waits_for_its_node_or_image_holds_its_slot_for_10_s_and_another_when_it_runs() -> None:
    starts = slots(1)
    assert asked(starts, "a1", "a2") == [True, False]
    starts.saw("a1", PENDING, PENDING_SECONDS - 1)
    assert starts.granted() == []
    starts.saw("a1", PENDING, PENDING_SECONDS)
    assert starts.granted() == ["a2"]
    starts.saw("a1", PENDING, PENDING_SECONDS + 1)
    assert starts.starting(PENDING_SECONDS + 1) == 1
    starts.saw("a1", RUNNING, PENDING_SECONDS + 2)
    assert starts.starting(PENDING_SECONDS + 2) == 2, "it runs, whoever else has a slot"


def test_a_slot_that_was_granted_and_is_not_used_ends() -> None:
    starts = slots(1)
    assert asked(starts, "a1", "a2", "a3") == [True, False, False]
    starts.saw("a1", NONE, 1.0)
    assert starts.granted() == ["a2"]
    assert asked(starts, "a3", now=1.0 + PENDING_SECONDS) == [True]


def test_a_namespace_alone_may_have_all_slots() -> None:
    starts = slots(10)
    assert asked(starts, *(f"a{number}" for number in range(12))).count(True) == 10


def test_namespaces_that_start_together_have_as_many_slots_each() -> None:
    starts = slots(10)
    keys = [f"{namespace}{number}" for number in range(20) for namespace in "ab"]
    assert [key[0] for key, may in zip(keys, asked(starts, *keys), strict=True) if may] == ["a", "b"] * 5


def test_a_slot_that_is_free_again_goes_to_the_namespace_that_has_fewest() -> None:
    starts = slots(4)
    stuck(starts, *(f"a{number}" for number in range(9)))
    assert asked(starts, "b1", "b2", "c1", now=1.0) == [False, False, False]
    called = []
    for number in range(4):
        starts.saw(f"a{number}", NONE, 2.0)
        called += starts.granted()
    assert called == ["b1", "c1", "a4", "a5"], "with one slot each it is who has waited longest"


def test_nobody_waits_longer_than_5_s_for_a_namespace_that_has_more_than_its_share() -> None:
    starts = slots(10)
    stuck(starts, *(f"a{number}" for number in range(12)))
    assert asked(starts, "b1", now=LENT_SECONDS - 1) == [False]
    assert asked(starts, *(f"b{number}" for number in range(1, 9)), now=LENT_SECONDS).count(True) == 5, "its share"
    assert asked(starts, "a10", "a11", now=LENT_SECONDS) == [False, False]


def test_many_namespaces_have_at_least_one_slot_each_in_turn() -> None:
    starts = slots(3)
    stuck(starts, *(f"{letter}1" for letter in "abcdefg"))
    assert starts.starting(1.0) == 3
    order = []
    for letter in "abcdefg":
        starts.saw(f"{letter}1", NONE, 2.0)
        order += starts.granted()
    assert order == ["d1", "e1", "f1", "g1"]


def test_who_waits_knows_the_place_in_its_namespace_and_when_to_ask_again() -> None:
    starts = slots(1)
    stuck(starts, "a1")
    places = [starts.ask(key, 1.0) for key in ("b1", "a2", "a3", "a4", "b2")]
    found = [None if place is None else (place.ahead, place.look_again) for place in places]
    assert found == [
        (0, LENT_SECONDS - 1),
        (0, LENT_SECONDS - 1),
        (1, pytest.approx(POLL_SECONDS + 3 / 50)),
        (2, pytest.approx(POLL_SECONDS + 4 / 50)),
        (1, pytest.approx(POLL_SECONDS + 5 / 50)),
    ]
    assert (starts.waiting(), starts.longest_wait(3.0)) == (5, 2.0)


def test_twelve_sessions_that_never_start_and_are_restarted_every_15_s_starve_nobody() -> None:
    starts = slots(10)
    bad = [f"a{number}" for number in range(12)]
    waited: dict[str, float] = {}
    for now in range(300):
        for number, key in enumerate(bad):
            if (now - number) % 15 == 0:
                starts.saw(key, NONE, now)  # its pod goes, because a restart is asked for
            stuck(starts, key, now=now)
        starts.granted()
        if now % 7 == 0:
            waited[f"b{now}"] = now
        for key, since in list(waited.items()):
            if starts.ask(key, now) is None:
                assert now - since <= LENT_SECONDS + 1, f"{key} waited for {now - since} s"
                starts.saw(key, NONE, now)
                del waited[key]
    assert all(300 - since <= LENT_SECONDS + 1 for since in waited.values())


Step = tuple[str, str, float]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "pending", "running", "up", "gone"]),
            st.sampled_from([f"{letter}{number}" for letter in "abc" for number in range(4)]),
            st.floats(0, 20),
        ),
        max_size=80,
    ),
    st.integers(1, 5),
)
def test_whatever_happens_nobody_waits_for_ever(steps: list[Step], limit: int) -> None:
    starts, now = slots(limit), 0.0
    wants: set[str] = set()
    for what, key, after in steps:
        now += after
        if what == "ask":
            wants.discard(key) if starts.ask(key, now) is None else wants.add(key)
        elif key not in wants:
            starts.saw(key, {"pending": PENDING, "running": RUNNING}.get(what, NONE), now)
        wants -= set(starts.granted())
        assert starts.waiting() == len(wants)
    for _ in range(30):
        now += SLOT_SECONDS + 1
        wants -= {key for key in sorted(wants) if starts.ask(key, now) is None}
    assert not wants
