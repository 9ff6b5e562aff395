"""What a session does beside its loop: it ends by its kind, and what fails ends nothing else."""

import asyncio

from whatsapp_worker.runtime.work import Kind, Work


async def test_work_that_fails_is_reported_and_ends_no_other() -> None:
    failed: list[Exception] = []
    over = asyncio.Event()

    async def fails() -> None:
        raise ValueError("broken")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        work = Work(group, lambda error: (failed.append(error), over.set())[0])
        work.begin(fails())
        other = asyncio.Event()

        async def waits() -> None:
            await over.wait()
            other.set()

        work.begin(waits())
    assert other.is_set()
    assert [str(error) for error in failed] == ["broken"]


async def test_work_is_cancelled_by_its_kind_and_has_ended_then() -> None:
    ended: list[str] = []

    async def lasts(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        work = Work(group, ended.append)  # type: ignore[arg-type] # nothing fails here
        work.begin(lasts("ordinary"))
        work.begin(lasts("placing"), Kind.PLACING)
        await asyncio.sleep(0)
        await work.cancel(Kind.PLACING)
        assert ended == ["placing"]
        await work.cancel()
    assert ended == ["placing", "ordinary"]


async def test_work_is_waited_for_by_its_kind_and_not_for_ever() -> None:
    done = asyncio.Event()

    async def ends() -> None:
        await asyncio.sleep(0)
        done.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        work = Work(group, lambda error: None)
        work.begin(ends(), Kind.RETIRING)
        await work.wait(Kind.RETIRING, 60)
        assert done.is_set()

        async def lasts() -> None:
            await asyncio.Event().wait()

        work.begin(lasts(), Kind.RETIRING)
        await work.wait(Kind.RETIRING, 0.01)
        await work.wait(Kind.PLACING, 60)
        await work.cancel()
