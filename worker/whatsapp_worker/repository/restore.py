"""Put a profile from the store in place: the newest that is whole, then older ones. Calls block."""

import pathlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from whatsapp_worker import errors
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import generations, records

NEWEST = 1 << 62
"""More than any slot's number."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What lies in the profile's place now, and why nothing newer does; ``candidate`` None is an empty profile."""

    candidate: records.Record | None
    broken: tuple[str, ...] = ()


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
    _below: int = 0
    _broken: list[str] = field(default_factory=list)
    _missing: int = 0

    def begin(self, below: int = NEWEST) -> None:
        """Begin with the newest generation under slot ``below``."""
        self._below, self._missing = below, 0
        self._broken.clear()

    def tidy(self) -> None:
        """Remove what a killed predecessor left half extracted."""
        for rubble in self.target.profile.parent.glob(f"{self._fresh.name}*"):
            shutil.rmtree(rubble, ignore_errors=True) if rubble.is_dir() else rubble.unlink(missing_ok=True)

    def place_next(self) -> Placed:
        """Put the next generation that is whole in place, an empty profile when none is left.

        Raises ArchiveMissing when every archive that the log names is gone, BrowserTooOld, DiskFull, StoreUnavailable.
        """
        while (candidate := self.kept.next_candidate(self._below)) is not None:
            self._check_age(candidate.generation)
            shutil.rmtree(self._fresh, ignore_errors=True)
            try:
                self.kept.fetch(candidate.generation, self._fresh)
            except errors.NotFound:
                self._missing += 1
                self._broken.append(f"generation {candidate.generation.number} is missing")
            except errors.ArchiveDamaged as error:
                self._broken.append(f"generation {candidate.generation.number}: {error}")
            else:
                self._below = candidate.slot
                layout.swap_in(self._fresh, self.target.profile)
                return Placed(candidate, self._told())
            self._below = candidate.slot
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

    @property
    def _fresh(self) -> pathlib.Path:
        return self.target.profile.with_name(f".{self.target.profile.name}.fresh")

    def _told(self) -> tuple[str, ...]:
        told = tuple(self._broken)
        self._broken.clear()
        self._missing = 0
        return told

    def _check_age(self, generation: records.Generation) -> None:
        theirs, ours = generation.browser_version.partition(".")[0], self.target.browser_version().partition(".")[0]
        if theirs.isdigit() and ours.isdigit() and int(theirs) > int(ours):
            raise errors.BrowserTooOld(
                f"generation {generation.number} was saved by browser {theirs}, this is {ours}; use a newer image"
            )
