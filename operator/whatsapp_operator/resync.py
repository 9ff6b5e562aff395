"""Reconcile all sessions and stores periodically, because not all relevant objects are watched.

The operator gets no event about deleted rights or accounts, nor about changes that a watch missed.
"""

import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

from whatsapp_kube.errors import KubeError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

ROUND_SECONDS: Final = 600.0
"""Seconds of one round; the reconciliations are spread evenly over it."""


EARLY_SECONDS: Final = 30.0
"""Seconds after which the watches have certainly begun."""


async def early(sleep: Callable[[float], Awaitable[None]], lists: Callable[[], Awaitable[None]]) -> None:
    """List once more soon after the start: no watch tells what was deleted before it began."""
    await sleep(EARLY_SECONDS)
    try:
        await lists()
    except KubeError as error:
        log.warning("objects not listed; the next round lists them: %s", error)


async def walk(
    known: Callable[[], Sequence[tuple[Callable[[K], Awaitable[None]], K]]],
    sleep: Callable[[float], Awaitable[None]],
    lists: Callable[[], Awaitable[None]],
) -> None:
    """Run rounds for ever; ``known`` returns the keys of a round, each with the function that adds it.

    After each round ``lists`` lists the objects anew and adds the keys of those that differ from what was known.
    """
    while True:
        found = known()
        for look, key in found:
            await sleep(ROUND_SECONDS / len(found))
            await look(key)
        if not found:
            await sleep(ROUND_SECONDS)
        try:
            await lists()
        except KubeError as error:
            log.warning("objects not listed; the next round lists them again: %s", error)
