"""Open a store from its address."""

import pathlib

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem


def open_store(address: str) -> stores.Backend:
    """Return the store of an address ``file:DIRECTORY``; raises ConfigurationError for an unknown kind."""
    kind, rest = stores.split_address(address)
    if kind != "file":
        raise errors.ConfigurationError(f"stores of the kind {kind!r} are not known; use file:DIRECTORY")
    return filesystem.FilesystemStore(pathlib.Path(rest).expanduser())
