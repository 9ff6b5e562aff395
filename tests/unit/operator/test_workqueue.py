"""The keyed queue: one worker a key, pauses after failures, nothing lost."""

import asyncio
import logging

import pytest

from whatsapp_kube.errors import Conflict, Refused, Unreachable
from whatsapp_operator.workqueue import USUAL_CONFLICTS, KeyedQueue


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


async def worked(errors: list[Exception | None]) -> None:
    """Let a key be looked at with each of these outcomes in turn."""
    left, done = [*errors], asyncio.Event()

    async def work(_: str) -> float | None:
        error = left.pop(0)
        if not left:
            done.set()
        if error is not None:
            raise error
        return None

    queue: KeyedQueue[str] = KeyedQueue(work, workers=1)
    running = asyncio.create_task(queue.run())
    await queue.add("bots/support")
    async with asyncio.timeout(60):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_usual_write_conflict_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await worked([Conflict(409, "the object has been modified"), None])
    found = [record for record in caplog.records if "bots/support" in record.getMessage()]
    assert [record.levelno for record in found] == [logging.INFO]


async def test_a_conflict_without_end_and_every_other_failure_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await worked([Refused(403, "no")])
    await worked([ValueError("a bug")])
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    caplog.clear()
    queue: KeyedQueue[str] = KeyedQueue(lambda _: asyncio.sleep(0), workers=1)
    for number in range(USUAL_CONFLICTS + 1):
        queue._schedule.add("a", number * 1e3)
        assert queue._schedule.take(number * 1e3 + 1) == "a"
        queue._failed("a", Conflict(409, "modified"), number * 1e3 + 1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
