"""Publish and fetch the archives of one session, on top of its log. Calls block."""

import contextlib
import dataclasses
import hashlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata

from whatsapp_worker import errors, stores
from whatsapp_worker.profile import archive, encryption, layout, snapshot
from whatsapp_worker.repository import log, records, retention

RETENTION = 3
IMPORT = "Import"
"""Trigger of a generation that another program's archive was made into."""


class Generations:
    """The archives of one session; `journal` must have claimed before anything is published.

    With ``keys`` what is published is encrypted.
    """

    def __init__(
        self,
        store: stores.Store,
        journal: log.SessionLog,
        keep: int = RETENTION,
        keys: encryption.Keys | None = None,
    ) -> None:
        self._store = store
        self._log = journal
        self._keep = keep
        self._keys = keys
        self._pruner = retention.Pruner(store, journal, keep)

    def publish(
        self, staged: snapshot.Snapshot, account_hash: str, trigger: str, browser_version: str, proven: int = 0
    ) -> records.Record:
        """Upload the snapshot, take the head slot for it, and drop what retention does not keep, if the store lets us.

        Raises Superseded when a later claim stands in the log: then the archive is not the session's.
        """
        generation = self._next(staged.content_digest, staged.checks, account_hash)
        proven = max(proven, generation.proven)
        generation = dataclasses.replace(generation, trigger=trigger, browser_version=browser_version, proven=proven)
        published = self._put(generation, archive.write(staged.folder))
        self._pruner.after(published.generation)
        return published

    def adopt(self, original: pathlib.Path, content_digest: str, written: str) -> records.Record:
        """Make another program's checked archive the newest generation, byte for byte; nothing is dropped for it.

        ``written`` is its time in the store, by which its origin is known again, as by its plain bytes if they are
        encrypted. It carries neither the account nor the browser's version.
        """
        generation = self._next(content_digest, ("databases",))
        generation = dataclasses.replace(generation, trigger=IMPORT, upload_date=written)
        with original.open("rb") as stream:
            if self._keys:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                generation = dataclasses.replace(generation, original_digest=digest, original_size=stream.tell())
                stream.seek(0)
            return self._put(generation, iter(lambda: stream.read(stores.CHUNK), b""))

    def _last(self) -> tuple[records.Generation | None, bool]:
        """Return the newest generation's record, and whether its link still lasts."""
        alive = True
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as last:
                    return last, alive
                case records.Logout() | records.Purge():
                    alive = False
                case _:
                    pass
        return None, False

    def _next(self, content_digest: str, checks: tuple[str, ...], account_hash: str = "") -> records.Generation:
        """Return the next generation as far as it is known before its archive is written."""
        self._log.settle()
        last, alive = self._last()
        number = last.number + 1 if last else 1
        # A process that starts has not seen what was proven before it.
        known = last.proven if last and alive and last.account_hash in (account_hash, "") else 0
        return records.Generation(
            number=number,
            archive=self._log.archive_name(number),
            digest="",
            size=0,
            content_digest=content_digest,
            browser_version="",
            worker_version=metadata.version("whatsapp-session-operator"),
            account_hash=account_hash,
            trigger="",
            upload_date=self._log.next_date(),
            checks=checks,
            proven=known,
            key_id=self._keys.newest.id if self._keys else "",
        )

    def _put(self, generation: records.Generation, content: Iterator[bytes]) -> records.Record:
        """Create the archive, then its record; an archive whose record lost goes."""
        name, digest = generation.archive, archive.Digest()
        if self._keys:
            content = encryption.seal(self._keys.newest, name, content)
        self._pruner.orphans.add(name)
        self._store.create(name, digest.through(content))
        generation = dataclasses.replace(generation, digest=digest.hex, size=digest.size)
        try:
            record = self._log.append(generation)
        except errors.Superseded:
            with contextlib.suppress(errors.StoreError):  # the next owner sweeps
                self._store.delete(name)
            raise
        except errors.StoreUnavailable:
            self._pruner.forget()  # this record, or an earlier one, may stand there after all
            raise
        self._pruner.orphans.discard(name)
        if not self._log.still_head():
            raise errors.Superseded("another worker claimed the session at the same time")
        return record

    def sweep(self) -> None:
        """Remove what killed predecessors left, if the store lets us; call at the claim, before anything is created."""
        self._pruner.sweep()

    def next_candidate(self, below: int) -> records.Record | None:
        """Return the newest generation under slot ``below`` that retention keeps, None when there is none.

        What stands before the newest logout or purge does not count, nor what another account saved before this one.
        """
        seen, proven = 0, 0
        for record in self.living():
            generation = record.generation
            seen, proven = seen + 1, max(proven, generation.proven)
            if record.slot < below and (seen <= self._keep or generation.number == proven):
                return record
            if seen >= self._keep and generation.number <= proven:
                return None
        return None

    def living(self) -> Iterator[records.Record]:
        """Yield the present login's generations, newest first, those that retention does not keep too."""
        account = ""
        for record in self._log.back(self._log.head):
            match record.body:
                case records.Generation() as generation:
                    account = account or generation.account_hash
                    if generation.account_hash not in ("", account):
                        return
                    yield record
                case records.Logout() | records.Purge():
                    return
                case _:
                    pass

    def fetch(self, generation: records.Generation, target: pathlib.Path) -> None:
        """Download, verify digest and structure, decrypt, and extract into the new folder ``target``.

        Raises ArchiveDamaged, DiskFull, KeyMissing, NotFound or StoreUnavailable; ``target`` is then gone.
        """
        folder = target.parent
        with archive.room_in(folder), tempfile.NamedTemporaryFile(dir=folder, prefix=f".{target.name}.") as download:
            digest = archive.Digest()
            for chunk in self._opened(generation, digest.through(self._bounded(generation, digest))):
                download.write(chunk)
            download.flush()
            if (digest.hex, digest.size) != (generation.digest, generation.size):
                raise errors.ArchiveDamaged("the archive is not what was saved: its digest differs")
            try:
                archive.extract(pathlib.Path(download.name), target, foreign=generation.trigger == IMPORT)
                with archive.damage_told():
                    layout.check(target)
            except BaseException:
                shutil.rmtree(target, ignore_errors=True)
                raise

    def _bounded(self, generation: records.Generation, digest: archive.Digest) -> Iterator[bytes]:
        for chunk in self._store.read(generation.archive):
            yield chunk
            if digest.size > generation.size:
                return  # the digest will differ; what is longer than it should be may be endless

    def _opened(self, generation: records.Generation, content: Iterator[bytes]) -> Iterator[bytes]:
        if not generation.key_id:
            return content
        key = self._keys.find(generation.key_id) if self._keys else None
        if key is None:
            given = f"the encryption key set is {self._keys.newest.id}" if self._keys else "no encryption key is set"
            raise errors.KeyMissing(
                f"generation {generation.number} is encrypted with key {generation.key_id}, and {given}: "
                "give that key, as a further line of the key file if it is an older one"
            )
        return encryption.unseal(key, generation.archive, content)
