"""Programs that a library starts get a session of their own, and arguments that the library has no option for."""

import asyncio
import os
import sys

from whatsapp_worker.system import own_session

SAID = "import os, sys; print(os.getsid(0), sys.flags.no_site, sys.argv[1])"


async def test_a_program_gets_its_session_and_arguments_while_the_block_runs_only() -> None:
    said = []
    with own_session.programs_in_their_own_session(["-S"]) as pids:
        said.append(await _run())
    said.append(await _run())
    (pid,) = pids
    assert said == [f"{pid} 1 word", f"{os.getsid(0)} 0 word"]


async def _run() -> str:
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", SAID, "word", stdout=asyncio.subprocess.PIPE)
    out, _ = await started.communicate()
    return out.decode().strip()
