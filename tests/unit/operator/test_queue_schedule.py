"""Which key is looked at when: coalesced events, pauses that hold, turns between namespaces."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_operator.queue_schedule import COALESCE_SECONDS, EARLY_SECONDS, OUTAGE_PAUSES, PAUSES, Schedule, pause

SOON = COALESCE_SECONDS
LABELS, OTHER_SPEC, THIRD_SPEC = 1, 2, 3
"""Digests of what a user asks for: an edit of labels leaves the first as it is."""
STORE, AWAY, ANSWERS = "store main", 1, 2
"""Another source, and digests of what it says."""


def schedule(*keys: str, workers: int = 8) -> Schedule[str]:
    """Return a schedule to which events of these keys came at 0; a key's first letter is its namespace."""
    made: Schedule[str] = Schedule(workers, lambda key: key[0])
    for key in keys:
        made.add(key, 0.0)
    return made


def drained(made: Schedule[str], now: float) -> Iterator[str]:
    """Take what is due at a time, each done at once and asked for no more."""
    while (key := made.take(now)) is not None:
        made.done(key, None)
        yield key


def failing(at: float, *, failures: int = 1) -> Schedule[str]:
    """Return a schedule whose key has failed so many times, the last time at ``at``."""
    made: Schedule[str] = Schedule(8)
    made.add("a", at - 1000, LABELS)
    for number in range(failures):
        assert made.take(at) == "a"
        made.failed("a", at - (1000 if number < failures - 1 else 0), 0.0)
    return made


@pytest.mark.parametrize(
    ("events", "looks"),
    [
        ([0.0], [0.1]),
        ([0.0, 0.0, 0.0], [0.1]),
        ([0.0, 0.05, 0.099], [0.1]),
        ([0.0, 0.05, 0.2], [0.1, 0.3]),
        ([0.0, 0.09, 0.18, 0.27], [0.1, 0.28]),
        ([0.0, 1.0, 2.0], [0.1, 1.1, 2.1]),
    ],
    ids=["one", "at once", "within 100 ms", "later", "without end", "far apart"],
)
def test_events_of_one_key_within_100_ms_are_one_look(events: list[float], looks: list[float]) -> None:
    made, seen, left = schedule(), [], list(events)
    while left or made.next_time() is not None:
        due = made.next_time()
        if left and (due is None or left[0] <= due):
            made.add("a", left.pop(0))
            continue
        assert due is not None
        assert list(drained(made, due)) == ["a"]
        seen.append(round(due, 3))
    assert seen == looks


def test_211_events_in_10_s_are_at_most_100_looks() -> None:
    made, looks = schedule(), 0
    for number in range(211):
        now = number * 10 / 211
        looks += len(list(drained(made, now)))
        made.add("a", now)
    assert looks <= 100


def test_a_key_that_is_worked_on_waits_for_its_worker() -> None:
    made = schedule("a")
    assert made.take(SOON) == "a"
    made.add("a", SOON)
    assert made.take(1.0) is None
    made.done("a", None)
    assert made.take(1.0) == "a"


def test_work_that_asks_for_it_is_done_again_and_an_event_comes_before() -> None:
    made = schedule("a")
    assert made.take(SOON) == "a"
    made.done("a", 7.0)
    assert made.next_time() == 7.0
    assert made.take(6.9) is None
    made.add("a", 2.0)
    assert made.take(2.0 + SOON) == "a"
    made.done("a", None)
    assert made.take(100.0) is None


def test_an_event_during_work_that_asks_for_more_is_not_lost() -> None:
    made = schedule("a")
    assert made.take(SOON) == "a"
    made.add("a", SOON)
    made.done("a", 50.0)
    assert made.take(2 * SOON) == "a"


def test_failures_in_a_row_make_the_pause_longer_and_success_ends_the_count() -> None:
    made = schedule("a")
    now, pauses = SOON, []
    for _ in range(4):
        assert made.take(now) == "a"
        made.failed("a", now, 0.0)
        following = made.next_time()
        assert following is not None
        pauses.append(round(following - now, 3))
        now = following
    assert pauses == [0.2, 0.4, 0.8, 1.6]
    assert made.take(now) == "a"
    made.done("a", now)
    assert made.take(now) == "a"
    assert made.failed("a", now, 0.0) == 1


def test_events_do_not_end_a_pause() -> None:
    made = failing(0.0, failures=12)
    for number in range(100):
        made.add("a", number * 2.9, LABELS)
    assert made.next_time() == PAUSES.longest
    assert made.take(299.0) is None
    assert made.take(300.0) == "a"


def test_events_during_failing_work_do_not_shorten_the_pause() -> None:
    made = schedule("a")
    assert made.take(SOON) == "a"
    made.add("a", SOON)
    made.failed("a", SOON, 0.0)
    assert made.take(SOON + 0.19) is None
    assert made.take(SOON + 0.2) == "a"


def test_what_a_user_changes_is_looked_at_before_a_long_pause_ends() -> None:
    made = failing(0.0, failures=12)
    made.add("a", 1.0, LABELS)
    made.add("a", 2.0, OTHER_SPEC)
    assert made.next_time() == EARLY_SECONDS
    assert made.take(EARLY_SECONDS) == "a"
    made.failed("a", EARLY_SECONDS, 0.0)
    made.add("a", EARLY_SECONDS + 1, OTHER_SPEC)
    assert made.take(EARLY_SECONDS + 299) is None, "it has been looked at, and the pause is as long as before"


def test_what_a_user_changes_long_after_a_failure_is_looked_at_at_once() -> None:
    made = failing(0.0, failures=12)
    made.add("a", 100.0, OTHER_SPEC)
    assert made.take(100.0 + SOON) == "a"


def test_what_a_user_changes_during_failing_work_is_not_lost() -> None:
    made = failing(0.0, failures=12)
    assert made.take(300.0) == "a"
    made.add("a", 300.0, OTHER_SPEC)
    made.failed("a", 301.0, 0.0)
    assert made.next_time() == 301.0 + EARLY_SECONDS


def test_a_user_who_changes_all_the_while_gets_a_look_every_5_s_at_most() -> None:
    made, looks = failing(0.0, failures=12), 0
    for number in range(100):
        now = number / 10
        while made.take(now) is not None:
            looks += 1
            made.failed("a", now, 0.0)
        made.add("a", now, number + 10)
    assert looks == 1


def test_the_first_event_of_a_key_that_fails_by_itself_may_be_a_users_word_and_the_next_is_not() -> None:
    made = schedule("a")
    for now in (SOON, 0.4, 1.0, 2.0, 4.0, 8.0):
        assert made.take(now) == "a"
        made.failed("a", now, 0.0)
    made.add("a", 8.0, LABELS)
    assert made.next_time() == 8.0 + EARLY_SECONDS
    assert made.take(8.0 + EARLY_SECONDS) == "a"
    made.failed("a", 13.0, 0.0)
    made.add("a", 13.0, LABELS)
    assert made.next_time() == 13.0 + 12.8


def test_another_verdict_on_its_store_shortens_a_rest_and_the_same_again_does_not() -> None:
    made = failing(0.0, failures=12)
    made.add("a", 1.0, AWAY, STORE)
    assert made.take(EARLY_SECONDS) == "a"
    made.failed("a", EARLY_SECONDS, 0.0)
    made.add("a", 6.0, AWAY, STORE)
    made.add("a", 7.0, LABELS)
    assert made.take(299.0) is None
    made.add("a", 299.0, ANSWERS, STORE)
    assert made.take(299.0 + SOON) == "a"


def test_a_look_that_could_not_do_what_it_should_rests_like_a_failure_and_counts_as_none() -> None:
    made = failing(0.0, failures=3)
    assert made.take(1.0) == "a"
    made.rests("a", 1.0, 60.0)
    made.add("a", 2.0, LABELS)
    assert made.next_time() == 61.0
    made.add("a", 2.0, OTHER_SPEC)
    assert made.next_time() == 1.0 + EARLY_SECONDS
    assert made.take(6.0) == "a"
    assert made.failed("a", 6.0, 0.0) == 1


def test_a_server_that_is_away_is_asked_every_30_s() -> None:
    assert pause(10_000, 0.0, OUTAGE_PAUSES) == 30.0


def test_namespaces_take_turns_however_many_of_their_keys_are_due() -> None:
    made = schedule(*(f"a{number}" for number in range(100)), "b1", "b2", "c1")
    taken = list(drained(made, SOON))
    assert taken[:6] == ["a0", "b1", "c1", "a1", "b2", "a2"]
    assert len(taken) == 103


def test_a_namespace_whose_looks_hang_leaves_workers_to_the_others() -> None:
    made = schedule(*(f"{namespace}{number}" for namespace in "abcd" for number in range(100)))
    taken: list[str] = []
    while (key := made.take(SOON)) is not None:
        taken.append(key)
    assert taken == ["a0", "b0", "c0", "d0", "a1", "b1", "c1"], "one of eight is left for the next"
    made.add("e0", SOON)
    assert made.take(2 * SOON) == "e0"
    assert made.take(2 * SOON) is None
    made.done("c1", None)
    made.done("e0", None)
    assert made.take(2 * SOON) == "d1"


def test_a_namespace_alone_has_half_of_the_workers() -> None:
    made = schedule(*(f"a{number}" for number in range(100)))
    taken = [made.take(SOON) for _ in range(6)]
    assert taken == ["a0", "a1", "a2", "a3", None, None]
    assert made.next_time() is None, "the end of a look is what it waits for"


def test_one_worker_is_enough() -> None:
    made = schedule("a1", "a2", "b1", workers=1)
    assert list(drained(made, SOON)) == ["a1", "b1", "a2"]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_zero_and_never_above_its_limit(failures: int, jitter: float) -> None:
    assert 0.1 < pause(failures, jitter) <= PAUSES.longest


Step = tuple[str, str, float]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["event", "user", "take", "done", "again", "failed", "rests"]),
            st.sampled_from(["a1", "a2", "b1"]),
            st.floats(0, 5),
        ),
        max_size=60,
    )
)
def test_every_event_is_followed_by_a_look_and_no_key_has_two_workers(steps: list[Step]) -> None:
    made: Schedule[str] = Schedule(3, lambda key: key[0])
    now, busy, owed = 0.0, set(), set()
    for number, (what, key, after) in enumerate(steps):
        now += after
        if what in ("event", "user"):
            made.add(key, now, number if what == "user" else None)
            owed.add(key)
        elif what == "take":
            taken = made.take(now)
            assert taken not in busy
            busy |= {taken} - {None}
            owed.discard(taken)
        elif key in busy:
            busy.discard(key)
            if what not in ("done", "again"):
                owed.add(key)
            end = {
                "done": lambda key, now: made.done(key, None),
                "again": lambda key, now: made.done(key, now + 1),
                "failed": lambda key, now: made.failed(key, now, 0.5),
                "rests": lambda key, now: made.rests(key, now, 60.0),
            }[what]
            end(key, now)
    for key in busy:
        made.done(key, None)
    assert owed <= set(drained(made, now + PAUSES.longest + 1))
    assert made.size() == 0
