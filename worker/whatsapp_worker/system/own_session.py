"""Start a program of a library's in a session of its own, out of reach of signals to the worker's process group.

A terminal's Ctrl-C and the command ``timeout`` signal the whole group. A browser's driver that ends with the worker's
first SIGTERM takes the last save with it. Playwright has no option for it, nor for the arguments of its driver's
program, and a program that has been started cannot be moved any more.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def programs_in_their_own_session(first_arguments: Sequence[str] = ()) -> Iterator[list[int]]:
    """Give each program that the running loop starts meanwhile a session, and further arguments; yields their pids."""
    loop = asyncio.get_running_loop()
    given = loop.subprocess_exec
    pids: list[int] = []

    async def apart(factory: Any, program: Any, *arguments: Any, **options: Any) -> Any:
        transport, protocol = await given(
            factory, program, *first_arguments, *arguments, start_new_session=True, **options
        )
        pids.append(transport.get_pid())
        return transport, protocol

    loop.subprocess_exec = apart  # type: ignore[method-assign,assignment] # undone below
    try:
        yield pids
    finally:
        loop.subprocess_exec = given  # type: ignore[method-assign] # as it was
