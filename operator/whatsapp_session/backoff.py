"""Compute how long to wait after a number of failures in a row."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A delay in seconds that grows with each failure.

    Raises ValueError unless 0 < first <= longest < infinity and factor >= 1.
    """

    first: float
    longest: float
    factor: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 < self.first <= self.longest < float("inf"):
            raise ValueError("a backoff requires 0 < first <= longest < infinity")
        if not 1.0 <= self.factor < float("inf"):
            raise ValueError("the factor of a backoff must be at least 1")

    def after(self, failures: int) -> float:
        """Return the seconds to wait after this number of failures: 0.0 after none, at most ``longest``.

        Never raises, also for the high counts of a long outage.
        """
        if failures < 1:
            return 0.0
        try:
            return min(self.longest, self.first * self.factor ** (failures - 1))
        except OverflowError:  # the power exceeds the range of a float, hence also the limit
            return self.longest
