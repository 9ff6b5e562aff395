"""Try a request again with growing pauses, inside a deadline."""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from whatsapp_session.backoff import Backoff
from whatsapp_worker import errors, stores
from whatsapp_worker.system import steady_clock

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request that does not succeed is repeated; times are seconds.

    The deadline is looked at between tries: one try is bounded by the client's own time-outs.
    """

    deadline: float = stores.DEADLINE
    first: float = 0.1
    longest: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = steady_clock.pause
    chance: Callable[[], float] = random.random

    def call(self, work: Callable[[], _T]) -> _T:
        """Run ``work`` until it does not raise StoreUnavailable; raises the last one when the time is up.

        What a repetition cannot mend (StoreDenied, StoreFull) is raised at once.
        """
        end, pauses = self.clock() + self.deadline, Backoff(self.first, self.longest)
        for failures in itertools.count(1):
            try:
                return work()
            except (errors.StoreDenied, errors.StoreFull):
                raise
            except errors.StoreUnavailable:
                # Full jitter: workers that lost a store together do not come back together.
                wait = pauses.after(failures) * (0.5 + self.chance())
                if self.clock() + wait > end:
                    raise
                self.sleep(wait)
        raise AssertionError("unreachable")
