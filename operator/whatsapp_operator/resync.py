"""Reconcile all sessions and stores periodically, because not all relevant objects are watched.

The operator gets no event about deleted rights or accounts, nor about changes that a watch missed.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

K = TypeVar("K", bound=Hashable)

ROUND_SECONDS: Final = 600.0
"""Seconds of one round; the reconciliations are spread evenly over it."""


async def walk(
    known: Callable[[], Sequence[tuple[Callable[[K], Awaitable[None]], K]]], sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Run rounds for ever; ``known`` returns the keys of a round, each with the function that adds it."""
    while True:
        found = known()
        for look, key in found:
            await sleep(ROUND_SECONDS / len(found))
            await look(key)
        if not found:
            await sleep(ROUND_SECONDS)
