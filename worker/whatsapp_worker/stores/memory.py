"""Keep everything in memory: the fake behind the seam, with failures that tests inject."""

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
