"""A session beside the copy that the JavaScript stores read, and what other programs write there."""

import pathlib
from datetime import UTC, datetime, timedelta

from scenes.worker.archives import Place
from whatsapp_session.session_spec import Interop
from whatsapp_worker import stores
from whatsapp_worker.repository import log, wwebjs_copy, wwebjs_import

SESSION = "RemoteAuth"


class Scene:
    def __init__(self, root: pathlib.Path, policy: Interop = Interop.EVERY_SAVE) -> None:
        self.folder = root
        self.place = Place(root, keep=3)
        self.now = 0.0
        self.start(policy)

    def start(self, policy: Interop = Interop.EVERY_SAVE) -> None:
        """Go on as a new process would."""
        self.copy = wwebjs_copy.WwebjsCopy(self.place.store, self.place.journal, policy, lambda: self.now)

    def save(self, *, edge: bool = False) -> stores.Copy | None:
        return self.copy.follow(self.place.publish().generation, edge=edge)

    def held(self) -> int | None:
        """Return the number of the generation whose bytes the copy holds, 0 for somebody else's, None for nothing."""
        found = self.place.store.copies.get(SESSION)
        if found is None:
            return None
        if not found[0].source:
            return 0
        assert self.place.store.contents.get(found[0].source, found[1]) == found[1]
        return log.number_of(found[0].source)

    def foreign(self, content: bytes | None = None, later: float = 60.0) -> bytes:
        """Write an archive as a JavaScript store would."""
        if content is None:
            other = Place(self.folder / "other")
            blob = next(other.root.rglob("*.indexeddb.blob")) / "1" / "00" / "1"
            blob.write_bytes(b"theirs" + blob.read_bytes()[6:])
            content = other.store.contents[other.publish().generation.archive]
        self.place.store.write_copy(SESSION, content, datetime.now(UTC) + timedelta(seconds=later))
        return content

    def look(self) -> str:
        return wwebjs_import.ForeignArchiveImporter(self.copy, self.place.kept, self.place.journal).look(self.folder)
