"""Keep everything in memory: the fake behind the seam, with failures that tests inject."""

import datetime
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator

from whatsapp_worker import errors, stores


class MemoryStore:
    """Store names in a dict; ``fail`` is asked before each call and may raise.

    ``fail(verb, name)`` raising StoreUnavailable stands for an outage; ``after`` does the same once the work is done,
    as a lost answer would.
    """

    visibility = 0.0

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.copies: dict[str, tuple[stores.Copy, bytes]] = {}
        self._versions = itertools.count(1)
        self.fail: Callable[[str, str], None] = lambda verb, name: None
        self.after: Callable[[str, str], None] = lambda verb, name: None
        self._lock = threading.Lock()

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Insert under a lock."""
        self.fail("create", stores.checked(name))
        whole = b"".join(content)
        with self._lock:
            if name in self.contents:
                raise errors.AlreadyExists(name)
            self.contents[name] = whole
        self.after("create", name)

    def read(self, name: str) -> Iterator[bytes]:
        """Return the content in chunks."""
        self.fail("read", stores.checked(name))
        if name not in self.contents:
            raise errors.NotFound(name)
        whole = self.contents[name]
        return iter([whole[at : at + stores.CHUNK] for at in range(0, len(whole), stores.CHUNK)])

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """Return entries by name."""
        self.fail("list", prefix)
        return iter(
            [stores.Entry(name, len(self.contents[name])) for name in sorted(self.contents) if name.startswith(prefix)]
        )

    def delete(self, name: str) -> None:
        """Remove, if there."""
        self.fail("delete", name)
        self.contents.pop(name, None)

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Return the copy's description."""
        self.fail("stat_copy", session)
        found = self.copies.get(session)
        return found[0] if found else None

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Compare and replace under the lock."""
        self.fail("put_copy", name)
        with self._lock:
            if name not in self.contents:
                raise errors.NotFound(name)
            if self.stat_copy(session) != replaces:
                raise errors.CopyChanged(f"the copy of {session} was written by another program")
            made = self.write_copy(session, self.contents[name], uploaded, name)
        self.after("put_copy", name)
        return made

    def write_copy(self, session: str, content: bytes, uploaded: datetime.datetime, source: str = "") -> stores.Copy:
        """Write the copy as a JavaScript store would, which asks nobody."""
        made = stores.Copy(len(content), uploaded, str(next(self._versions)), source)
        self.copies[session] = (made, content)
        return made

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Return the copy's content in chunks."""
        self.fail("read_copy", session)
        if session not in self.copies:
            raise errors.NotFound(f"{session}.zip")
        content = self.copies[session][1]
        return iter([content[at : at + stores.CHUNK] for at in range(0, len(content), stores.CHUNK)])

    def delete_copy(self, session: str) -> None:
        """Remove, if there."""
        self.fail("delete_copy", session)
        self.copies.pop(session, None)
