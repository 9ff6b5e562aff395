"""Let the copy that the JavaScript stores read follow our generations, and see what others write in its place.

The copy may lag after a crash, never leads (it is made of a record that stands in the log), and is brought up at the
next start. What another program wrote there is never overwritten: it becomes a generation (`wwebjs_import`), or a
person removes it. Source: the persistence protocol, section 3. Calls block.
"""

import datetime
import itertools
import time
from collections.abc import Callable, Iterator

from whatsapp_session import timestamps
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors, stores
from whatsapp_worker.profile import archive
from whatsapp_worker.repository import log, records

HOUR = 3600.0
_ATTEMPTS = 5
_FAR = 1000
"""Slots that are looked through for a copy that nothing else tells to be ours."""


class WwebjsCopy:
    """The interoperable copy of one session, written by one owner."""

    def __init__(
        self,
        store: stores.Store,
        journal: log.SessionLog,
        policy: Interop = Interop.EVERY_SAVE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        able = stores.capabilities(store)
        self._backend = able.copies
        self._log = journal
        self._sole = not able.keeps_history
        self._policy = Interop.EVERY_SAVE if self._sole else policy
        self._clock = clock
        self._at = 0
        """Number of the generation that the copy is known to hold."""
        self._written = -HOUR
        self._adopted = ("", 0)
        """Version of the foreign archive that this process has made a generation, and its number."""
        self._compared: tuple[str, int | None] = ("", None)
        """Version of the copy whose bytes were compared, and the number of the generation that they are."""
        self.late = ""
        """Why the copy lags, "" if it does not; the save itself is whole."""
        self._refused = ""
        """Version of the foreign archive that was found to be no login: ours may replace it."""

    def foreign(self) -> stores.Copy | None:
        """Return what another program wrote in the copy's place and no generation holds, None when there is nothing."""
        found = self._backend.stat_copy(self._log.session) if self._backend else None
        return found if found and self._number(found) is None else None

    def describe(self) -> stores.Copy | None:
        """Return what lies there, ours or not, None when there is nothing."""
        return self._backend.stat_copy(self._log.session) if self._backend else None

    def read(self) -> Iterator[bytes]:
        """Return the content of what lies there; raises NotFound."""
        assert self._backend is not None, "there is nothing to read"
        return self._backend.read_copy(self._log.session)

    def refuse(self, found: stores.Copy) -> None:
        """Remember that this foreign archive holds no login."""
        self._refused = found.version

    def adopted(self, found: stores.Copy, generation: records.Generation) -> None:
        """Remember that this foreign archive is a generation now."""
        self._adopted = (found.version, generation.number)

    def remove(self, found: stores.Copy) -> None:
        """Remove a foreign archive, because a person said so; raises CopyChanged if another lies there now."""
        assert self._backend is not None, "there is nothing to remove"
        if self._backend.stat_copy(self._log.session) != found:
            raise errors.CopyChanged("another program wrote a new archive in the meantime; run the command again")
        self._backend.delete_copy(self._log.session)

    def follow(self, newest: records.Generation, *, edge: bool = False) -> stores.Copy | None:
        """Bring the copy up to ``newest`` if it is due; returns a foreign archive that stands in the way.

        ``edge`` is the beginning or the clean end of a run: then every policy but Never is due. A store that fails
        costs the copy this turn and not the save, unless the copy is all that it keeps. Raises Superseded.
        """
        if self._backend is None or self._at == newest.number:
            return None
        self.late = ""
        try:
            if newest.key_id:
                self.drop()
                self._at = newest.number
                return None
            return self._bring(self._backend, newest) if self._due(edge) else None
        except errors.StoreError as error:
            if self._sole:
                raise
            self.late = (
                f"the wwebjs-compatible copy is older than generation {newest.number}, which is saved: {error}; "
                "the worker writes it after the next save"
            )
            return None

    def drop(self) -> None:
        """Remove the copy if it is ours: its login is dead, or must not lie there in plain."""
        if self._backend is None:
            return
        found = self._backend.stat_copy(self._log.session)
        if found and self._number(found) is not None:
            self._backend.delete_copy(self._log.session)
        self._at = 0

    def _due(self, edge: bool) -> bool:
        match self._policy:
            case Interop.NEVER:
                return False
            case Interop.SHUTDOWN:
                return edge
            case Interop.HOURLY:
                return edge or self._clock() - self._written >= HOUR
            case Interop.EVERY_SAVE:
                return True

    def _bring(self, backend: stores.Copies, newest: records.Generation) -> stores.Copy | None:
        moment = timestamps.parse(newest.upload_date)
        for _ in range(_ATTEMPTS):
            found = backend.stat_copy(self._log.session)
            number = self._number(found) if found else 0
            if found and number is None and found.version != self._refused:
                return found
            if (number or 0) < newest.number:
                # Looked at before the head: had a later owner written the copy since, the condition fails.
                if not self._log.still_head():
                    raise errors.Superseded(
                        "another worker claimed the session, so this worker does not write the copy"
                    )
                if found:
                    moment = max(moment, found.modified + datetime.timedelta(milliseconds=1))
                try:
                    backend.put_copy(newest.archive, self._log.session, moment, found)
                except errors.CopyChanged:
                    continue
            self._at, self._written = newest.number, self._clock()
            return None
        raise errors.StoreUnavailable("the copy changed at each attempt to write it")

    def _number(self, found: stores.Copy) -> int | None:
        """Return the number of the generation that a copy holds, None when it is foreign."""
        if found.source:
            return log.number_of(found.source)
        if found.version == self._adopted[0]:
            return self._adopted[1]
        number = self._dated(found)
        if number is None:
            if found.version != self._compared[0]:
                self._compared = (found.version, self._equal(found))
            number = self._compared[1]
        return number

    def _dated(self, found: stores.Copy) -> int | None:
        """Return the number of the imported generation that bears the copy's time and size.

        Times of generations only grow, so that the log is read as far back as the copy lags.
        """
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as generation:
                    if (log.stamp(found.modified), found.size) == (generation.upload_date, generation.plain[1]):
                        return generation.number
                    if log.stamp(found.modified) > generation.upload_date:
                        return None
                case _:
                    pass
        return None

    def _equal(self, found: stores.Copy) -> int | None:
        """Return the number of the live generation whose bytes the copy has.

        A restored backup, an rsync or a lost file can take away what told that the copy is ours. It counts as foreign
        where nothing else is left of ours, so that a person can import it.
        """
        living: list[records.Generation] = []
        for record in itertools.islice(self._log.back(self._log.head), _FAR):
            match record.body:
                case records.Generation() as generation:
                    living.append(generation)
                case records.Logout() | records.Purge():
                    break
                case _:
                    pass
        sized = [generation for generation in living if generation.plain[1] == found.size]
        stored = {entry.name for entry in self._store.list(f"{self._log.session}/archives/")} if sized else set()
        if not any(generation.archive in stored for generation in living):
            return None
        digest = archive.Digest()
        for _ in digest.through(self.read()):
            pass
        return next((each.number for each in sized if each.plain[0] == digest.hex), None)
