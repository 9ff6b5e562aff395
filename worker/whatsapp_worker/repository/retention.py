"""Remove archives: what retention does not keep, and what crashed writers left; never one that is still needed.

Only archives go, slots of the log never. It is tidiness: a store that refuses it costs neither a save nor a start, and
is asked again at the next save. Calls block.
"""

import itertools
import logging
from collections.abc import Iterable

from whatsapp_worker import errors, stores
from whatsapp_worker.repository import log, records

LOG = logging.getLogger("whatsapp_worker")
_NEAR = 16
"""Slots that are looked through before anything is searched for."""
_REFUSALS = 3
"""Archives that may be refused before the rest of a round is left for the next one."""


class Pruner:
    """Retention of one session's archives; ``keep`` of the newest, and the newest that a restore has proven."""

    def __init__(self, store: stores.Store, journal: log.SessionLog, keep: int) -> None:
        self._store = store
        self._log = journal
        self._keep = keep
        self._prefix = f"{journal.session}/archives/"
        self._stored: list[records.Generation] | None = None
        """Generations whose archives are in the store, newest first; None until they are looked for."""
        self.orphans: set[str] = set()
        """Archives of this process that no record names yet."""
        self._refused = False

    def forget(self) -> None:
        """Look into the store again at the next `after`: an own record may exist without this process knowing."""
        self._stored = None

    def after(self, newest: records.Generation) -> None:
        """Drop what is not kept now that ``newest`` stands in the log; what stays is tried again at the next call.

        Only archives of this account, and imported ones, whose account nobody knew: another's stay apart until a person
        removes them.
        """
        try:
            self._drop(newest)
        except errors.StoreError as error:
            self._tell(error)

    def _drop(self, newest: records.Generation) -> None:
        stored = self._stored if self._stored is not None else self._find_stored()
        stored = [newest, *(generation for generation in stored if generation.archive != newest.archive)]
        mine = [generation for generation in stored if generation.account_hash in (newest.account_hash, "")]
        proven = max(generation.proven for generation in mine)
        dropped = [generation for generation in mine[self._keep :] if generation.number != proven]
        self.orphans -= self._recorded(list(self.orphans)).keys()
        gone = self._delete([*(generation.archive for generation in dropped), *self.orphans])
        self._stored = [generation for generation in stored if generation.archive not in gone]
        self.orphans -= gone

    def _delete(self, names: Iterable[str]) -> set[str]:
        """Delete what can be deleted and say once what cannot; returns the names that are gone."""
        gone: set[str] = set()
        failures: list[errors.StoreError] = []
        for name in names:
            try:
                self._store.delete(name)
                gone.add(name)
            except errors.StoreError as error:
                failures.append(error)
                # One that is refused is perhaps another user's; a store that is silent would take its time for each.
                if not isinstance(error, errors.StoreDenied) or len(failures) == _REFUSALS:
                    break
        if failures:
            self._tell(failures[0])
        else:
            self._refused = False
        return gone

    def _tell(self, error: errors.StoreError) -> None:
        if not self._refused:
            LOG.warning("pruning=late message=%s", error)
        self._refused = True

    def _find_stored(self) -> list[records.Generation]:
        """Return the generations whose archives are in the store, newest first.

        Those of a link that the phone has removed count too, if it was the same account's: they go when the new link
        has been saved often enough.
        """
        listed = [entry.name for entry in self._store.list(self._prefix)]
        return sorted(self._recorded(listed).values(), key=lambda generation: generation.number, reverse=True)

    def sweep(self) -> None:
        """Remove what killed predecessors left: archives without a record, and uploads that never ended.

        Call when the claim is made, before anything is created: whoever still uploads is fenced by the claim. What is
        removed was listed before the claim is seen to be the head, so it is no later owner's. Raises Superseded.
        """
        try:
            self._sweep()
        except errors.StoreError as error:
            self._tell(error)

    def _sweep(self) -> None:
        listed = [entry.name for entry in self._store.list(self._prefix) if log.number_of(entry.name) is not None]
        recorded = self._recorded(listed)
        self._look()
        self._delete(name for name in listed if name not in recorded)
        sweeper = stores.capabilities(self._store).sweeper
        if sweeper:
            self._look()
            sweeper.sweep(f"{self._log.session}/")

    def _look(self) -> None:
        if not self._log.still_head():
            raise errors.Superseded("another worker claimed the session at the same time")

    def _recorded(self, names: list[str]) -> dict[str, records.Generation]:
        """Return the generations of these archives by name; few slots are read, however long the log is.

        Most archives are of the newest generations. One that a restore proved months ago is looked for by its number.
        """
        found: dict[str, records.Generation] = {}
        for record in itertools.islice(self._log.back(self._log.head), _NEAR):
            if len(found) == len(names):
                break
            if isinstance(record.body, records.Generation) and record.body.archive in names:
                found[record.body.archive] = record.body
        for name in names:
            number = log.number_of(name)
            if name in found or number is None:
                continue
            found |= {each.archive: each for each in self._log.find_generations(number) if each.archive == name}
        return found
