"""The keyed queue: one worker a key, pauses after failures, nothing lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_operator.errors import Unreachable
from whatsapp_operator.queue import PAUSES, KeyedQueue, Schedule, pause


def test_a_key_is_taken_once_however_often_it_was_added() -> None:
    schedule: Schedule[str] = Schedule()
    for _ in range(3):
        schedule.add("a", 0.0)
    assert schedule.take(0.0) == "a"
    assert schedule.take(0.0) is None


def test_a_key_that_is_worked_on_waits_for_its_worker() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0.0)
    assert schedule.take(0.0) == "a"
    schedule.add("a", 0.0)
    assert schedule.take(0.0) is None
    schedule.done("a", None)
    assert schedule.take(0.0) == "a"


def test_an_earlier_time_wins() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 10.0)
    schedule.add("a", 2.0)
    schedule.add("a", 5.0)
    assert schedule.next_time() == 2.0
    assert schedule.take(1.0) is None
    assert schedule.take(2.0) == "a"
    schedule.done("a", None)
    assert schedule.take(100.0) is None


def test_work_that_asks_for_it_is_done_again() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0.0)
    assert schedule.take(0.0) == "a"
    schedule.done("a", 7.0)
    assert schedule.take(6.9) is None
    assert schedule.take(7.0) == "a"


def test_failures_in_a_row_make_the_pause_longer_and_success_ends_the_count() -> None:
    schedule: Schedule[str] = Schedule()
    now, pauses = 0.0, []
    schedule.add("a", now)
    for _ in range(4):
        assert schedule.take(now) == "a"
        schedule.failed("a", now, 0.0)
        following = schedule.next_time()
        assert following is not None
        pauses.append(round(following - now, 3))
        now = following
    assert pauses == [0.2, 0.4, 0.8, 1.6]
    assert schedule.take(now) == "a"
    schedule.done("a", now)
    assert schedule.take(now) == "a"
    assert schedule.failed("a", now, 0.0) == 1


def test_what_was_added_during_failing_work_does_not_shorten_the_pause() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0.0)
    assert schedule.take(0.0) == "a"
    schedule.add("a", 0.0)
    schedule.failed("a", 0.0, 0.0)
    assert schedule.take(0.1) is None


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_zero_and_never_above_its_limit(failures: int, jitter: float) -> None:
    assert 0.1 < pause(failures, jitter) <= PAUSES.longest


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=30))
def test_every_added_key_is_taken_and_none_by_two_workers(added: list[tuple[str, float]]) -> None:
    schedule: Schedule[str] = Schedule()
    for key, at in added:
        schedule.add(key, at)
    taken = []
    while (due := schedule.take(5.0)) is not None:
        taken.append(due)
    assert sorted(taken) == sorted({key for key, _ in added})


async def test_one_key_is_never_worked_on_by_two_workers_at_once() -> None:
    busy, overlaps, done = set(), [], asyncio.Event()
    worked: list[str] = []

    async def work(key: str) -> float | None:
        if key in busy:
            overlaps.append(key)
        busy.add(key)
        await asyncio.sleep(0)
        busy.discard(key)
        worked.append(key)
        if len(worked) >= 6:
            done.set()
        return 0.0

    queue: KeyedQueue[str] = KeyedQueue(work, workers=4)
    running = asyncio.create_task(queue.run())
    for key in ("a", "b", "a"):
        await queue.add(key)
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert overlaps == []


@pytest.mark.parametrize("error", [Unreachable(0, "no answer"), ValueError("a bug")], ids=["transient", "bug"])
async def test_a_failure_of_one_key_stops_neither_it_nor_the_others(error: Exception) -> None:
    seen: list[str] = []
    enough = asyncio.Event()

    async def work(key: str) -> float | None:
        seen.append(key)
        if seen.count("bad") >= 2 and "good" in seen:
            enough.set()
        if key == "bad":
            raise error
        return None

    queue: KeyedQueue[str] = KeyedQueue(work, workers=1)
    running = asyncio.create_task(queue.run())
    await queue.add("bad")
    await queue.add("good")
    async with asyncio.timeout(60):
        await enough.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
