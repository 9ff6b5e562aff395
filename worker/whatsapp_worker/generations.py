"""Publish, fetch and prune the archives of one session, on top of its log. Calls block."""

import pathlib
import shutil
import tempfile
from dataclasses import dataclass

from whatsapp_worker import archive, errors, log, profiles, records, snapshot, stores

RETENTION = 3


@dataclass(frozen=True, slots=True)
class About:
    """What a generation's record says of its making."""

    account_hash: str
    trigger: str
    browser_version: str
    worker_version: str
    proven: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """A generation and the time of its record."""

    slot: int
    time: str
    generation: records.Generation


class Generations:
    """The archives of one session; `journal` must have claimed before anything is published."""

    def __init__(self, store: stores.Store, journal: log.SessionLog, keep: int = RETENTION) -> None:
        self._store = store
        self._log = journal
        self._keep = keep
        self._stored: list[records.Generation] | None = None
        """Generations whose archives are in the store, newest first; None until they are looked for."""
        self._orphans: set[str] = set()
        """Archives of this process that no record names: their publish failed half-way."""

    def publish(self, staged: snapshot.Staged, about: About) -> Published:
        """Upload the snapshot, take the head slot for it, and drop what retention does not keep.

        Raises Superseded when a later claim stands in the log: then the archive is not the session's.
        """
        if self._log.settle():
            self._stored = None
        number = self._log.last_number() + 1
        name = self._log.archive_name(number)
        digest = archive.Digest()
        self._orphans.add(name)
        self._store.create(name, digest.through(archive.write(staged.folder)))
        generation = records.Generation(
            number=number,
            archive=name,
            digest=digest.hex,
            size=digest.size,
            content_digest=staged.content_digest,
            browser_version=about.browser_version,
            worker_version=about.worker_version,
            account_hash=about.account_hash,
            trigger=about.trigger,
            upload_date=log.stamp(log.utc_now()),
            checks=staged.checks,
            proven=about.proven,
        )
        try:
            record = self._log.append(generation)
        except errors.Superseded:
            self._store.delete(name)
            raise
        self._orphans.discard(name)
        if not self._log.still_head():
            raise errors.Superseded("a later claim followed at once")
        self._prune(generation)
        return Published(record.slot, record.time, generation)

    def _prune(self, newest: records.Generation) -> None:
        # Only archives of this account: another's stay apart until a person removes them.
        stored = self._stored if self._stored is not None else self._find_stored()
        stored = [newest, *(generation for generation in stored if generation.number != newest.number)]
        mine = [generation for generation in stored if generation.account_hash == newest.account_hash]
        proven = max(generation.proven for generation in mine)
        dropped = [generation for generation in mine[self._keep :] if generation.number != proven]
        for generation in dropped:
            self._store.delete(generation.archive)
        self._stored = [generation for generation in stored if generation not in dropped]
        for name in self._orphans - {generation.archive for generation in self._stored}:
            self._store.delete(name)
        self._orphans.clear()

    def _find_stored(self) -> list[records.Generation]:
        """Return the generations whose archives are in the store, newest first, back to the newest logout or purge.

        Reads the log only as far as there are archives: a log of years is long, its archives are few.
        """
        prefix = f"{self._log.session}/archives/"
        wanted = {entry.name: entry.name[len(prefix) :].partition("-")[0] for entry in self._store.list(prefix)}
        oldest = min((int(number) for number in wanted.values() if number.isdigit()), default=0)
        found: list[records.Generation] = []
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as generation if generation.number >= oldest > 0:
                    found += [generation] if generation.archive in wanted else []
                case records.Generation() | records.Logout() | records.Purge():
                    break
                case _:
                    pass
        return found

    def sweep(self) -> None:
        """Remove archives that a killed predecessor uploaded and never recorded; call when the claim is made.

        Whoever still uploads one of these numbers is fenced by the claim.
        """
        last, prefix = self._log.last_number(), f"{self._log.session}/archives/"
        for entry in list(self._store.list(prefix)):
            number = entry.name[len(prefix) :].partition("-")[0]
            if number.isdigit() and int(number) > last:
                self._store.delete(entry.name)
        if isinstance(self._store, stores.Sweeps):
            self._store.sweep(f"{self._log.session}/")

    def next_candidate(self, below: int) -> Published | None:
        """Return the newest generation under slot ``below`` that retention keeps, None when there is none.

        What stands before the newest logout or purge does not count.
        """
        seen, proven = 0, 0
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as generation:
                    seen, proven = seen + 1, max(proven, generation.proven)
                    if record.slot < below and (seen <= self._keep or generation.number == proven):
                        return Published(record.slot, record.time, generation)
                    if seen >= self._keep and generation.number <= proven:
                        return None
                case records.Logout() | records.Purge():
                    return None
                case _:
                    pass
        return None

    def fetch(self, generation: records.Generation, target: pathlib.Path) -> None:
        """Download, verify digest and structure, and extract into the new folder ``target``.

        Raises ArchiveDamaged, NotFound or StoreUnavailable; ``target`` is then gone.
        """
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as download:
            digest = archive.Digest()
            for chunk in digest.through(self._store.read(generation.archive)):
                if digest.size > generation.size:
                    break
                download.write(chunk)
            download.flush()
            if (digest.hex, digest.size) != (generation.digest, generation.size):
                raise errors.ArchiveDamaged(f"generation {generation.number} is not what was saved: its digest differs")
            try:
                archive.extract(pathlib.Path(download.name), target)
                profiles.check(target)
            except BaseException:
                shutil.rmtree(target, ignore_errors=True)
                raise
