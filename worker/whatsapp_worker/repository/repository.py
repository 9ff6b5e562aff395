"""Keep one session in a store: its generations, which of them is the newest, and the copy for the JavaScript stores.

Whose the session is says its claim; what this module writes, it writes below that claim. Calls block.
"""

import contextlib
import dataclasses
import logging
from dataclasses import dataclass

from whatsapp_session import timestamps
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors, stores
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Saved
from whatsapp_worker.profile import encryption, snapshot
from whatsapp_worker.repository import claim, generations, records, restore, wwebjs_copy, wwebjs_import

LOG = logging.getLogger("whatsapp_worker")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many generations are kept, how often the copy follows, and with which keys archives are encrypted."""

    generations: int = generations.RETENTION
    copies: Interop = Interop.EVERY_SAVE
    keys: encryption.Keys | None = None


class Repository:
    """What a store holds of one session: restore it, save into it, retire it."""

    def __init__(self, store: stores.Backend, claimer: claim.Claimer, keeping: Keeping, target: restore.Target) -> None:
        self._claimer = claimer
        self._log = claimer.log
        self._generations = generations.Generations(store, self._log, keeping.generations, keeping.keys)
        self._copy = wwebjs_copy.WwebjsCopy(store, self._log, keeping.copies)
        self._importer = wwebjs_import.ForeignArchiveImporter(self._copy, self._generations, self._log)
        self._restorer = restore.Restorer(self._generations, target, self._copy)
        self._folder = target.profile.parent
        self._latest: records.Record | None = None
        """The newest generation of the present login."""
        self._proven = 0
        self._browser_version = ""
        self.restored = 0
        """Number of the generation that the profile was restored from, 0 for none."""

    @property
    def digest(self) -> str | None:
        """Digest of what the newest generation says, None without one."""
        return self._latest.generation.content_digest if self._latest else None

    @property
    def saved(self) -> Saved | None:
        """The newest generation as the status shows it; what another program wrote is not ours."""
        if self._latest is None or self._latest.generation.trigger == generations.IMPORT:
            return None
        made, written = self._latest.generation, timestamps.parse(self._latest.time).timestamp()
        return Saved(made.number, written, made.size, made.digest, made.trigger)

    def tidy(self) -> None:
        """Remove what a killed predecessor left beside the profile."""
        self._restorer.tidy()
        wwebjs_import.tidy(self._folder, self._log.session)

    def sweep(self) -> None:
        """Remove what killed predecessors left in the store; call at the claim."""
        self._generations.sweep()

    def account_hash(self, below: int) -> str:
        """Return whose login the newest generation under this slot holds, "" for nobody's."""
        newest = self._generations.next_candidate(below)
        return newest.generation.account_hash if newest else ""

    def adopt_foreign(self) -> str:
        """Import what another program wrote if there is no generation; returns what a user should know, or "".

        The next restore begins with the newest generation.
        """
        noticed = self._importer.look(self._folder)
        self._restorer.begin(self._log.head + 1)
        return noticed

    def restore_next(self) -> restore.Placed:
        """Put the newest whole generation in the profile's place, at the next call the one before it, and so on."""
        placed = self._restorer.place_next()
        # A copy proves nothing of its generation's own archive, which is damaged: the next save is to replace that.
        candidate = None if placed.from_copy else placed.candidate
        self._latest = candidate
        self.restored = candidate.generation.number if candidate else 0
        return placed

    def restore_older(self) -> restore.Placed:
        """Do the same, once the session is claimed; raises StoreUnavailable before."""
        self._claimer.require_claim()
        return self.restore_next()

    def restore_nothing(self) -> None:
        """Put an empty profile in place."""
        self._restorer.place_nothing()

    def continue_from(self, number: int) -> None:
        """Hear that the profile which lies there continues this generation; the next restore begins with the newest."""
        self._restorer.begin()
        self.restored = number

    def find_latest(self, below: int) -> None:
        """Look for the newest generation under this slot."""
        self._latest = self._generations.next_candidate(below)

    def prove(self, account: page_events.Account, browser_version: str) -> None:
        """Hear that the profile has come up with this account's login: the restored generation is good."""
        self._browser_version = browser_version
        self._proven = max(self._proven, self.restored)
        if self._latest and self._latest.generation.account_hash != account.hash:
            self._latest = None
        self._restorer.begin()  # what has been saved since can be fallen back to as well

    def save(self, taken: snapshot.Snapshot | None, account: page_events.Account, trigger: str) -> Saved:
        """Publish a snapshot unless the newest generation says the same; None: it is known to say so."""
        journal = self._claimer.require_claim()
        if taken is None:
            journal.require_own_store()  # or it would count as saved in a store that has gone
            return self._unchanged()
        saved = self._unchanged() if taken.content_digest == self.digest else self._publish(taken, account, trigger)
        self._restorer.begin()
        return saved

    def _unchanged(self) -> Saved:
        saved = self.saved
        assert saved is not None
        LOG.info("saved generation=%s unchanged=true", saved.generation)
        return dataclasses.replace(saved, time=self._log.now(), changed=False)

    def _publish(self, taken: snapshot.Snapshot, account: page_events.Account, trigger: str) -> Saved:
        self._latest = self._generations.publish(taken, account.hash, trigger, self._browser_version, self._proven)
        saved = self.saved
        assert saved is not None
        LOG.info(
            "saved generation=%s bytes=%s trigger=%s frozen_ms=%.1f linked=%s copied=%s",
            *(saved.generation, saved.size, trigger, taken.frozen * 1000, taken.linked, taken.copied),
        )
        return saved

    def follow(self, *, edge: bool = False) -> str:
        """Let the copy follow the newest generation if it is due; returns what stands in its way, "" for nothing.

        ``edge`` is the beginning or the clean end of a run.
        """
        foreign = self._copy.follow(self._latest.generation, edge=edge) if self._latest else None
        return wwebjs_import.describe(self._log.session, foreign) if foreign else ""

    @property
    def copy_late(self) -> str:
        """Why the copy lags, "" if it does not."""
        return self._copy.late

    def forget(self) -> None:
        """Know of no generation: the login is gone."""
        self._latest, self.restored, self._proven = None, 0, 0

    def retire(self, tombstone: records.Logout) -> None:
        """Say in the log that nothing saved before is ever restored again, and remove the copy."""
        self._claimer.require_claim().append(tombstone)
        with contextlib.suppress(errors.StoreError):  # a dead login that is left there costs its reader a QR code
            self._copy.drop()
