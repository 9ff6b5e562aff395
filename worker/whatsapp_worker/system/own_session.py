"""Start a program of a library's in a session of its own, out of reach of signals to the worker's process group.

A terminal's Ctrl-C and the command ``timeout`` signal the whole group. A browser's driver that ends with the worker's
first SIGTERM takes the last save with it. Playwright has no option for it, and a program that has been started cannot
be moved any more.
"""

import asyncio
import contextlib
import functools
from collections.abc import Iterator


@contextlib.contextmanager
def programs_in_their_own_session() -> Iterator[None]:
    """Give each program that the running loop starts meanwhile a session."""
    loop = asyncio.get_running_loop()
    given = loop.subprocess_exec
    loop.subprocess_exec = functools.partial(given, start_new_session=True)  # type: ignore[method-assign] # undone below
    try:
        yield
    finally:
        loop.subprocess_exec = given  # type: ignore[method-assign] # as it was
