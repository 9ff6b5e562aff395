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
        self._orphans: set[str] = set()
        """Archives of this process that no record names: their publish failed half-way."""

    def publish(self, staged: snapshot.Staged, about: About) -> Published:
        """Upload the snapshot, take the head slot for it, and drop what retention does not keep.

        Raises Superseded when a later claim stands in the log: then the archive is not the session's.
        """
        self._log.settle()
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
        seen = [generation for _, generation in self._log.generations(self._log.head + 1)]
        mine = [generation for generation in seen if generation.account_hash == newest.account_hash]
        proven = max((generation.proven for generation in mine), default=0)
        for generation in mine[self._keep :]:
            if generation.number != proven:
                self._store.delete(generation.archive)
        for name in self._orphans - {generation.archive for generation in seen}:
            self._store.delete(name)
        self._orphans.clear()

    def sweep(self) -> None:
        """Remove archives that a killed predecessor uploaded and never recorded; call when the claim is made.

        Whoever still uploads one of these numbers is fenced by the claim.
        """
        last, prefix = self._log.last_number(), f"{self._log.session}/archives/"
        for entry in list(self._store.list(prefix)):
            number = entry.name[len(prefix) :].partition("-")[0]
            if number.isdigit() and int(number) > last:
                self._store.delete(entry.name)

    def next_candidate(self, below: int) -> Published | None:
        """Return the newest generation under slot ``below`` that retention keeps, None when there is none.

        What stands before the newest logout does not count.
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
                case records.Logout():
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
