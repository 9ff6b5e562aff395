"""Open a store from its address."""

import pathlib

from whatsapp_session import worker_env
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem


def settings(config: worker_env.WorkerConfig) -> stores.Settings:
    """Return what the worker's environment says about its store."""
    secrets = pathlib.Path(config.store_secrets) if config.store_secrets else None
    return stores.Settings(secrets, config.store_options, config.allow_unfenced)


def open_store(address: str, given: stores.Settings | None = None) -> stores.Backend:
    """Return the store of an address ``file:DIRECTORY``; raises ConfigurationError for an unknown kind."""
    kind, rest = stores.split_address(address)
    if kind != "file":
        raise errors.ConfigurationError(f"stores of the kind {kind!r} are not known; use file:DIRECTORY")
    return filesystem.FilesystemStore(pathlib.Path(rest).expanduser())
