"""Put a profile from the store in place: the newest that is whole, then older ones, then the copy. Calls block."""

import pathlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from whatsapp_worker import errors
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import copy_fallback, generations, records, wwebjs_copy

NEWEST = 1 << 62
"""More than any slot's number."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What lies in the profile's place now, and why nothing newer does; ``candidate`` None is an empty profile."""

    candidate: records.Record | None
    broken: tuple[str, ...] = ()
    from_copy: bool = False
    """Whether the wwebjs-compatible copy of ``candidate`` lies there: its own archive cannot be restored."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a profile is put, and how to ask for the version of the browser that is to open it (blocks)."""

    profile: pathlib.Path
    browser_version: Callable[[], str]


@dataclass(slots=True)
class Restorer:
    """Walk from the newest generation to older ones, each tried once.

    A store that does not answer leaves everything as it was: the same call may be repeated.
    """

    kept: generations.Generations
    target: Target
    copy: wwebjs_copy.WwebjsCopy | None = None
    _below: int = 0
    _broken: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of the generations that cannot be restored, and why."""
    _missing: int = 0
    _tried: set[int] = field(default_factory=set)
    """Numbers of the generations that were put in place."""

    def begin(self, below: int = NEWEST) -> None:
        """Begin with the newest generation under slot ``below``."""
        self._below, self._missing = below, 0
        self._broken.clear()
        self._tried.clear()

    def tidy(self) -> None:
        """Remove what a killed predecessor left half extracted."""
        for rubble in self.target.profile.parent.glob(f"{self._fresh.name}*"):
            shutil.rmtree(rubble, ignore_errors=True) if rubble.is_dir() else rubble.unlink(missing_ok=True)

    def place_next(self) -> Placed:
        """Put the next generation that is whole in place, then the copy, an empty profile when none is left.

        Raises ArchiveMissing when every archive that the log names is gone, BrowserTooOld, DiskFull, StoreUnavailable.
        """
        while (candidate := self.kept.next_candidate(self._below)) is not None:
            self._check_age(candidate.generation)
            shutil.rmtree(self._fresh, ignore_errors=True)
            try:
                self.kept.fetch(candidate.generation, self._fresh)
            except errors.NotFound:
                self._missing += 1
                self._broken.append((candidate.generation.number, "the archive is missing"))
            except errors.ArchiveDamaged as error:
                self._broken.append((candidate.generation.number, str(error)))
            else:
                self._below = candidate.slot
                return self._swapped_in(candidate)
            self._below = candidate.slot
        if (copied := self._from_copy()) is not None:
            self._check_age(copied.generation)
            return self._swapped_in(copied, from_copy=True)
        if self._missing and self._missing == len(self._broken):
            raise errors.ArchiveMissing(
                "the log names archives that the store does not hold; check that this is the right store"
            )
        self.place_nothing()
        return Placed(None, self._told())

    def place_nothing(self) -> None:
        """Put an empty profile in place."""
        shutil.rmtree(self._fresh, ignore_errors=True)
        self._fresh.mkdir(mode=0o700)
        layout.swap_in(self._fresh, self.target.profile)

    def _from_copy(self) -> records.Record | None:
        shutil.rmtree(self._fresh, ignore_errors=True)
        return copy_fallback.find(self.copy, self.kept, self._fresh, self._tried) if self.copy else None

    def _swapped_in(self, candidate: records.Record, *, from_copy: bool = False) -> Placed:
        self._tried.add(candidate.generation.number)
        layout.swap_in(self._fresh, self.target.profile)
        return Placed(candidate, self._told(), from_copy)

    @property
    def _fresh(self) -> pathlib.Path:
        return self.target.profile.with_name(f".{self.target.profile.name}.fresh")

    def _told(self) -> tuple[str, ...]:
        numbers: dict[str, list[int]] = {}
        for number, reason in self._broken:
            numbers.setdefault(reason, []).append(number)
        self._broken.clear()
        self._missing = 0
        return tuple(f"{_named(those)}: {reason}" for reason, those in numbers.items())

    def _check_age(self, generation: records.Generation) -> None:
        theirs, ours = generation.browser_version.partition(".")[0], self.target.browser_version().partition(".")[0]
        if theirs.isdigit() and ours.isdigit() and int(theirs) > int(ours):
            raise errors.BrowserTooOld(
                f"generation {generation.number} was saved by browser {theirs}, this is {ours}; use a newer image"
            )


def _named(numbers: list[int]) -> str:
    *others, last = (str(number) for number in numbers)
    return f"generations {', '.join(others)} and {last}" if others else f"generation {last}"
