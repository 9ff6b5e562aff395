"""Look at everything again in turn, because not everything that matters is watched, and a watch lists only once.

Nobody tells the operator of rights or accounts that somebody deleted, nor of what a watch has missed.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

K = TypeVar("K", bound=Hashable)

ROUND_SECONDS: Final = 600.0
"""How long a round takes; looks are spread over it evenly, so that they are no load that comes all at once."""


async def walk(
    known: Callable[[], Sequence[tuple[Callable[[K], Awaitable[None]], K]]], sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Go round for ever; ``known`` returns what there is at the beginning of a round, each with what looks at it."""
    while True:
        found = known()
        for look, key in found:
            await sleep(ROUND_SECONDS / len(found))
            await look(key)
        if not found:
            await sleep(ROUND_SECONDS)
