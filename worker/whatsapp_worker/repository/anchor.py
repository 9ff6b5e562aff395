"""Know the store again in which this process has written. Calls block.

A bucket can be emptied, a database dropped, a mount lost or an old backup restored under a running worker. What such a
store says of the session is no word about ours: neither that nobody claimed it, nor that a slot is free. Its name for
that is an outage (StoreChanged), as long as the newest record that this process has written cannot be read.
Source: the persistence protocol, section 6.
"""

from whatsapp_worker import errors, stores


class Anchor:
    """The newest record of this process's own, by which the store is known again."""

    def __init__(self, store: stores.Store, session: str) -> None:
        self._store = store
        self._session = session
        self._name = ""
        self._mark = b""
        """Its nonce: bytes that no other file has."""

    def hold(self, name: str, nonce: str) -> None:
        """Remember a record that has just been written."""
        self._name, self._mark = name, nonce.encode()
        if (anchors := stores.capabilities(self._store).anchors) is not None:
            anchors.anchor(self._session, name, self._mark)

    def check(self) -> None:
        """Raise StoreChanged unless the store holds what was written last; nothing written, nothing to check."""
        if self._name:
            self.read(self._name)

    def read(self, name: str) -> bytes | None:
        """Return what the store holds under a name, None for nothing; raises StoreChanged as `check` does."""
        try:
            found = b"".join(self._store.read(name))
        except errors.NotFound:
            found = None
        if name == self._name and (found is None or self._mark not in found):
            raise errors.StoreChanged(name)
        return found
