"""Start a program of a library's in a session of its own, out of reach of signals to the worker's process group.

A terminal's Ctrl-C and the command ``timeout`` signal the whole group. A browser's driver that ends with the worker's
first SIGTERM takes the last save with it. Playwright has no option for it, nor for the arguments of its driver's
program, and a program that has been started cannot be moved any more.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class _Block:
    """One block: the arguments that its programs get, and their pids."""

    first_arguments: Sequence[str]
    pids: list[int] = field(default_factory=list)


_BLOCK: contextvars.ContextVar[_Block | None] = contextvars.ContextVar("whatsapp_worker_own_session", default=None)
"""Of the running task, and of the tasks that it starts within the block; other tasks of the loop have none."""
_PREPARED = "_whatsapp_worker_own_session"
"""Attribute of a loop whose programs are looked at."""


@contextlib.contextmanager
def programs_in_their_own_session(first_arguments: Sequence[str] = ()) -> Iterator[list[int]]:
    """Give each program that this task starts within the block a session, and further arguments; yields their pids.

    Tasks that are started within the block count as part of it. What else runs in the loop starts programs as usual.
    """
    _prepare(asyncio.get_running_loop())
    block = _Block(first_arguments)
    token = _BLOCK.set(block)
    try:
        yield block.pids
    finally:
        _BLOCK.reset(token)


def _prepare(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop start the programs of blocks in their own way. It stays so: blocks of several tasks overlap."""
    if getattr(loop, _PREPARED, False):
        return
    given = loop.subprocess_exec

    async def start(factory: Any, program: Any, *arguments: Any, **options: Any) -> Any:
        block = _BLOCK.get()
        if block is None:
            return await given(factory, program, *arguments, **options)
        options["start_new_session"] = True
        transport, protocol = await given(factory, program, *block.first_arguments, *arguments, **options)
        block.pids.append(transport.get_pid())
        return transport, protocol

    loop.subprocess_exec = start  # type: ignore[method-assign,assignment] # the same but for blocks
    setattr(loop, _PREPARED, True)
