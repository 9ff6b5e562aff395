"""Programs that a library starts get a session of their own, and arguments that the library has no option for."""

import asyncio
import os
import sys

from whatsapp_worker.system import own_session

SAID = "import os, sys; print(os.getsid(0), sys.flags.no_site, sys.argv[1])"


async def test_a_program_gets_its_session_and_arguments_while_the_block_runs_only() -> None:
    said = []
    with own_session.programs_in_their_own_session(["-S"]) as pids:
        said.append(await asyncio.create_task(_run()))
    said.append(await _run())
    (pid,) = pids
    assert said == [f"{pid} 1 word", f"{os.getsid(0)} 0 word"]


async def test_what_another_task_starts_meanwhile_is_left_alone() -> None:
    may_start = asyncio.Event()

    async def another() -> str:
        await may_start.wait()
        return await _run()

    other = asyncio.create_task(another())
    with own_session.programs_in_their_own_session(["-S"]) as pids:
        may_start.set()
        assert await other == f"{os.getsid(0)} 0 word"
        assert pids == []


async def test_blocks_that_overlap_have_their_own_programs_and_leave_nothing_behind() -> None:
    first_is_in, second_is_in = asyncio.Event(), asyncio.Event()

    async def first() -> list[int]:
        with own_session.programs_in_their_own_session(["-S"]) as pids:
            first_is_in.set()
            await second_is_in.wait()
            assert await _run() == f"{pids[0]} 1 word"
        return pids

    async def second() -> list[int]:
        await first_is_in.wait()
        with own_session.programs_in_their_own_session() as pids:
            second_is_in.set()
            assert await _run() == f"{pids[0]} 0 word"
            await ended.wait()
        return pids

    ended = asyncio.Event()
    one, two = asyncio.create_task(first()), asyncio.create_task(second())
    pids = [*await one]
    ended.set()
    assert len({*pids, *await two}) == 2
    assert await _run() == f"{os.getsid(0)} 0 word"


async def _run() -> str:
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", SAID, "word", stdout=asyncio.subprocess.PIPE)
    out, _ = await started.communicate()
    return out.decode().strip()
