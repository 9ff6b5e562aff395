"""One worker's part above a store, without a browser: claim, publish a small profile, let the copy follow, restore."""

from __future__ import annotations

import pathlib
import tempfile

from scenes.worker import profile_maker
from whatsapp_session.session_spec import Interop
from whatsapp_worker import errors, stores
from whatsapp_worker.profile import layout, snapshot
from whatsapp_worker.repository import generations, log, records, wwebjs_copy

SESSION = "RemoteAuth-support"


def owner(number: int) -> records.Owner:
    """Return who writer ``number`` is: each on a host of its own."""
    return records.Owner(host=f"host-{number}", boot_id="boot", pid=number, data_path="/data")


class Writer:
    """One owner with its own connection to the store."""

    def __init__(self, store: stores.Backend, number: int, folder: pathlib.Path, size: int = 4000) -> None:
        self.number = number
        self.folder = folder
        self.size = size
        self.root = folder / f"profile-{number}"
        if not self.root.exists():
            profile_maker.profile(self.root)
        self.store = store
        self.journal = log.SessionLog(store, SESSION, owner(number))
        self.kept = generations.Generations(store, self.journal)
        self.copy = wwebjs_copy.WwebjsCopy(store, self.journal, Interop.EVERY_SAVE)

    def claim(self) -> None:
        """Take the session, whoever has it; others may be faster."""
        while True:
            self.journal.newest()
            try:
                self.journal.append(records.Claim(60))
                return
            except errors.Superseded:
                continue

    def publish(self, content: bytes) -> records.Generation:
        """Publish a profile that holds this content, and let the copy follow; raises Superseded."""
        blob = next(self.root.rglob("*.indexeddb.blob")) / "1" / "00" / "1"
        blob.unlink()  # a new file: what is written once is linked
        blob.write_bytes(content)
        with snapshot.Staging(self.root, profile_maker.ORIGIN).closed(None) as staged:
            published = self.kept.publish(staged, "hash", "Interval", "156.0")
        assert self.copy.follow(published.generation) is None, "nothing foreign is there"
        return published.generation

    def restore(self) -> tuple[records.Generation, bytes]:
        """Fetch the newest generation as a start would; returns it with its profile's content."""
        found = self.kept.next_candidate(self.journal.head + 1)
        assert found is not None, "there is a generation"
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            target = pathlib.Path(name, "fresh")
            self.kept.fetch(found.generation, target)
            layout.check(target, profile_maker.ORIGIN)
            content = (next(target.rglob("*.indexeddb.blob")) / "1" / "00" / "1").read_bytes()
        return found.generation, content

    def copy_matches(self, generation: records.Generation) -> None:
        """See that the JavaScript stores would restore these very bytes."""
        assert isinstance(self.store, stores.Copies)
        stands = self.store.stat_copy(SESSION)
        assert stands is not None
        assert stands.source == generation.archive
        assert b"".join(self.store.read_copy(SESSION)) == b"".join(self.store.read(generation.archive))

    def orphans(self) -> list[str]:
        """Return the archives that no record names."""
        listed = {entry.name for entry in self.store.list(f"{SESSION}/archives/")}
        for record in self.journal.back(self.journal.head):
            if not listed:
                break
            if isinstance(record.body, records.Generation):
                listed.discard(record.body.archive)
        return sorted(listed)
