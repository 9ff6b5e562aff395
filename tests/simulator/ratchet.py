"""Move a counter for each device as a message ratchet moves, so that an old profile shows.

The server's expectation moves only when the page has acknowledged a step, and the page acknowledges a step only after
it is on its disk. So a browser that merely slept, or died before it could write, is in step; one that comes back with
less than it has acknowledged has been rolled back.
"""

from __future__ import annotations

import dataclasses
import enum


class Standing(enum.Enum):
    """Say how a page's counter stands to what the server knows."""

    IN_STEP = "in step"
    ROLLED_BACK = "rolled back"
    IMPOSSIBLE = "impossible"  # ahead of everything that was ever sent: not this device's history


@dataclasses.dataclass(frozen=True, slots=True)
class Ratchet:
    """Hold the newest step that was sent and the newest that the page has acknowledged."""

    sent: int = 0
    acknowledged: int = 0

    def standing(self, durable: int) -> Standing:
        """Judge the step that a page found on its disk."""
        if durable > self.sent:
            return Standing.IMPOSSIBLE
        return Standing.ROLLED_BACK if durable < self.acknowledged else Standing.IN_STEP

    def resumed_at(self, durable: int) -> Ratchet:
        """Go on from the page's step: what it never received will be sent again under new numbers."""
        return Ratchet(durable, durable)

    def stepped(self) -> Ratchet:
        """Send one more step."""
        return Ratchet(self.sent + 1, self.acknowledged)

    def acked(self, step: int) -> Ratchet:
        """Take an acknowledgement; one that is older, or was never sent, changes nothing."""
        if not self.acknowledged < step <= self.sent:
            return self
        return Ratchet(self.sent, step)
