"""Say how long to wait after failures in a row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause that grows with each failure; times are seconds.

    Raises ValueError unless 0 < first <= longest < infinity and factor >= 1.
    """

    first: float
    longest: float
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 < self.first <= self.longest < float("inf"):
            raise ValueError("a pause needs 0 < first <= longest, and an end")
        if not 1.0 <= self.factor < float("inf"):
            raise ValueError("a pause grows by a factor of at least 1")

    def after(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row: 0.0 after none, at most ``longest`` after any.

        Never raises, whatever the count: an outage is counted for as long as it lasts.
        """
        if failures < 1:
            return 0.0
        try:
            return min(self.longest, self.first * self.factor ** (failures - 1))
        except OverflowError:  # the power is more than a float holds, and so more than any limit
            return self.longest
