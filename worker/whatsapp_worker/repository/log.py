"""Keep the one numbered log of a session: its records take its slots in turn.

Two independent sequences would not fence: A checks the epoch, B claims the next and restores, A then publishes. Here
each record is the exclusive create of slot head + 1, so a claim kills every publish that has not taken its slot.
Source: the persistence protocol, section 3. Calls block.
"""

import datetime
import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from whatsapp_session import timestamps
from whatsapp_worker import errors, stores
from whatsapp_worker.repository import anchor, records
from whatsapp_worker.system import steady_clock

_DIGITS = 12


def stamp(moment: datetime.datetime | float) -> str:
    """Return a time as records have it: with milliseconds, so that texts sort as times do."""
    return timestamps.rfc3339(moment, "milliseconds")


def new_nonce() -> str:
    """Return 128 random bits as text."""
    return secrets.token_hex(16)


def number_of(archive: str) -> int | None:
    """Return the generation's number that an archive's name begins with, None when it is no archive's name."""
    number = archive.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdigit() else None


@dataclass(frozen=True, slots=True)
class Ids:
    """Where times and nonces come from."""

    now: Callable[[], float] = field(default_factory=lambda: steady_clock.SteadyClock().now)
    nonce: Callable[[], str] = new_nonce


class SessionLog:
    """The log of one session, written by one owner.

    ``head`` is the newest slot this owner knows; a write goes to head + 1 or fails with Superseded.
    """

    def __init__(self, store: stores.Store, session: str, owner: records.Owner, ids: Ids | None = None) -> None:
        self._store = store
        self._anchor = anchor.Anchor(store, session)
        self._ids = ids or Ids()
        self._lock = threading.Lock()
        self.session = session
        self.owner = owner
        self.head = 0
        self._unknown: set[str] = set()
        """Nonces of creates whose outcome nobody could tell: they may stand in the log after all."""
        self._landed = 0
        """Number of the newest generation among those that did."""
        self._closed = False

    def now(self) -> float:
        """Return the present time in seconds since 1970, as records have it."""
        return self._ids.now()

    def archive_name(self, number: int) -> str:
        """Return a new name for the archive of generation ``number``; two writers never share one."""
        return f"{self.session}/archives/{number:08d}-{self._ids.nonce()[:16]}.zip"

    def read(self, slot: int) -> records.Record | None:
        """Return the record in ``slot``, None if the store says that there is none."""
        name = self._name(slot)
        if (text := self._anchor.read(name)) is None:
            return None
        record = records.decode(text, name)
        if record.slot != slot:
            raise errors.LogBroken(f"{name} contains the record of slot {record.slot}")
        return record

    def holds(self, slot: int, nonce: str) -> bool:
        """Tell whether this log has the record of that nonce in ``slot``."""
        found = self.read(slot) if 0 < slot <= self.head else None
        return found is not None and found.nonce == nonce

    def newest(self) -> records.Record | None:
        """Find the head by listing, then by reading on; returns its record and moves ``head`` there."""
        self.require_own_store()
        prefix = f"{self.session}/log/"
        slots = [int(name) for entry in self._store.list(prefix) if (name := entry.name[len(prefix) : -5]).isdigit()]
        slot = max(slots, default=0)
        record = self.read(slot) if slot else None
        if slot and record is None:
            raise errors.StoreUnavailable(f"the store lists {self._name(slot)} but does not return it")
        while (following := self.read(slot + 1)) is not None:
            slot, record = slot + 1, following
        self.head = slot
        return record

    def back(self, slot: int) -> Iterator[records.Record]:
        """Yield the records from ``slot`` down to 1; raises LogBroken at a hole, StoreChanged in another store."""
        for number in range(slot, 0, -1):
            record = self.read(number)
            if record is None:
                self.require_own_store()
                raise errors.LogBroken(
                    f"{self._name(number)} is missing, although no worker deletes records; find what deletes them"
                )
            yield record

    def require_own_store(self) -> None:
        """Raise StoreChanged unless the store still holds what this log has written: the mount or bucket may be gone.

        Call before anything is written that is no record of the log.
        """
        self._anchor.check()

    def expect(self, slot: int, nonce: str) -> None:
        """Know from an earlier process of this owner that this record stands in the log."""
        self._anchor.hold(self._name(slot), nonce)

    def last_number(self) -> int:
        """Return the highest generation number in the log, 0 if none; logouts do not start over."""
        last = self.last_generation()
        return last.number if last else 0

    def newest_of(self, *kinds: type) -> records.Record | None:
        """Return the newest record of any of these kinds."""
        return next((record for record in self.back(self.head) if isinstance(record.body, kinds)), None)

    def outcome(self) -> records.Body | None:
        """Return what the log comes to: its newest generation, or the logout or purge that ended that one's link."""
        last = self.newest_of(records.Generation, records.Logout, records.Purge)
        return last.body if last else None

    def last_generation(self) -> records.Generation | None:
        """Return the newest generation, dead or alive."""
        last = self.newest_of(records.Generation)
        return last.generation if last else None

    def find_generations(self, number: int) -> list[records.Generation]:
        """Return the records of generation ``number``, newest first; reads few slots, because numbers do not fall.

        There is one at most, but in logs of versions that gave a number again when a record landed late.
        """
        low, high, last = 1, self.head, 0
        while low <= high:
            middle = (low + high) // 2
            at, found = self._generation_up_to(middle, low)
            if found is not None and found.number > number:
                high = at - 1
                continue
            if found is not None and found.number == number:
                last = at
            low = middle + 1
        bodies = (record.body for record in self.back(last))
        made = (body for body in bodies if isinstance(body, records.Generation))
        return list(itertools.takewhile(lambda body: body.number == number, made))

    def _generation_up_to(self, slot: int, low: int) -> tuple[int, records.Generation | None]:
        for record in self.back(slot):
            if record.slot < low:
                break
            if isinstance(record.body, records.Generation):
                return record.slot, record.body
        return low, None

    def next_date(self) -> str:
        """Return the present time for the next generation: later than the last one's, whatever the clocks say."""
        last, now = self.last_generation(), self.now()
        if last is None:
            return stamp(now)
        before = timestamps.parse(last.upload_date)
        return max(stamp(now), stamp(before + datetime.timedelta(milliseconds=1)))

    def settle(self) -> None:
        """Move the head past own records that exist although their create seemed to fail."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        while self._unknown:
            found = self.read(self.head + 1)
            if found is None or found.nonce not in self._unknown:
                return
            self._unknown.discard(found.nonce)
            self.head += 1
            self._anchor.hold(self._name(self.head), found.nonce)
            if isinstance(found.body, records.Generation):
                self._landed = found.body.number
            self._closed = self._closed or isinstance(found.body, records.Release)

    def previous(self) -> records.Record | None:
        """Return the newest record under the head that this process did not write."""
        return next((record for record in self.back(self.head) if record.owner != self.owner), None)

    def append(self, body: records.Body) -> records.Record:
        """Take slot head + 1.

        Raises Superseded if another owner wrote it. When the outcome of the create is unknown the slot is read and the
        nonce compared, because clients and servers repeat writes that succeeded. A generation was numbered by the log
        as it was known: StoreUnavailable if an earlier one of ours has landed since, and nothing is written.
        """
        with self._lock:
            return self._append(body)

    def conclude(self, last: records.Body | None = None) -> None:
        """Write a last record, if given, and none after it: a later `append` raises Released.

        A last record that could not be written leaves the log open, until it is seen to have landed.
        """
        with self._lock:
            if last is not None:
                self._append(last)
            self._closed = True

    def _append(self, body: records.Body) -> records.Record:
        self.require_own_store()
        self._settle()
        if self._closed:
            raise errors.Released(f"{self.session} was released before this record could be written")
        if isinstance(body, records.Generation) and body.number <= self._landed:
            raise errors.StoreUnavailable(f"an earlier attempt wrote generation {body.number} in the meantime")
        slot = self.head + 1
        moment = stamp(self.now())
        record = records.Record(slot, moment, self._ids.nonce(), self.owner, body)
        try:
            self._store.create(self._name(slot), [records.encode(record)])
        except (errors.AlreadyExists, errors.StoreUnavailable) as error:
            self._unknown.add(record.nonce)
            found = self.read(slot)
            if found is None:
                raise errors.StoreUnavailable(f"the worker could not write {self._name(slot)}: {error}") from error
            if found.nonce != record.nonce:
                self._unknown.discard(record.nonce)  # the slot is taken: it never lands
                if found.nonce in self._unknown:
                    return self._append(body)
                raise errors.Superseded(
                    f"slot {slot} of {self.session} was taken by {found.owner.describe()} at {found.time}"
                ) from error
        self._unknown.discard(record.nonce)
        self.head = slot
        self._anchor.hold(self._name(slot), record.nonce)
        return record

    def still_head(self) -> bool:
        """Tell whether nobody else has a later slot: what was appended last counts as published only then.

        Raises StoreChanged from a store that is not the one it was appended to: its silence confirms nothing.
        """
        with self._lock:
            self.require_own_store()
            while (following := self.read(self.head + 1)) is not None and following.nonce in self._unknown:
                self._settle()
            return following is None

    def _name(self, slot: int) -> str:
        return f"{self.session}/log/{slot:0{_DIGITS}d}.json"
