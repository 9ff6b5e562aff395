"""Open a store from its address."""

import difflib
import importlib.metadata
import pathlib
from collections.abc import Callable, Mapping

from whatsapp_session import worker_config
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, four_verbs, retry

GROUP = "whatsapp_worker.stores"
"""Entry points of this group are stores of somebody else's making; the name is the kind of the address."""
Factory = Callable[[str, Mapping[str, str]], object]
_EXAMPLES = "file:DIRECTORY, s3:BUCKET/PATH, mongodb:DATABASE"


def settings(config: worker_config.WorkerConfig) -> stores.Settings:
    """Return what the worker's environment says about its store."""
    secrets = pathlib.Path(config.store_secrets) if config.store_secrets else None
    network = pathlib.Path(config.store_network) if config.store_network else None
    return stores.Settings(secrets, config.store_options, config.allow_unfenced, network=network)


def open_store(address: str, given: stores.Settings | None = None) -> stores.Backend:
    """Return the store of an address; nothing is asked of it yet.

    ``file:DIRECTORY``, ``s3:BUCKET[/PATH][?region=...&endpoint=...&forcePathStyle=true&sse=...&kmsKeyId=...]``,
    ``mongodb:DATABASE``, or ``NAME:REST`` for an entry point of the group ``whatsapp_worker.stores``, which is called
    with the rest and the options. Raises ConfigurationError, or StoreUnfenced for a store that knows the guide's four
    verbs only when nobody accepted that.
    """
    kind, rest = stores.split_address(address)
    given = given or stores.Settings()
    waiting = retry.Patience(given.deadline)
    # The clients are imported where they are needed: a worker with a directory pays for neither.
    match kind:
        case "file":
            return filesystem.FilesystemStore(pathlib.Path(rest).expanduser(), given.allow_unfenced)
        case "s3":
            from whatsapp_worker.stores import s3

            return s3.S3Store(s3.parse(rest), given.secrets, given.allow_unfenced, waiting, given.network)
        case "mongodb":
            from whatsapp_worker.stores import mongo

            return mongo.MongoStore(rest, given.secrets, waiting, given.network)
        case _:
            return four_verbs.as_backend(kind, _made(kind, rest, given.options), given.allow_unfenced)


def _made(kind: str, rest: str, options: Mapping[str, str]) -> object:
    """Call the factory; its errors are reported by class only, because a message may contain a password."""
    factory = _factory(kind)
    try:
        return factory(rest, options)
    except errors.WorkerError as error:
        raise error from None
    except Exception as error:  # a foreign package may fail in any way
        raise errors.ConfigurationError(f"the store {kind!r} cannot be opened: {type(error).__name__}") from None


def _factory(kind: str) -> Factory:
    found = list(importlib.metadata.entry_points(group=GROUP, name=kind))
    if not found:
        near = difflib.get_close_matches(kind, stores.BUILT_IN, n=1)
        hint = f"did you mean {stores.EXAMPLES[near[0]]}? Else " if near else ""
        text = (
            f"stores of the kind {kind!r} are not known; {hint}use {_EXAMPLES}, or install the package that provides it"
        )
        raise errors.ConfigurationError(text)
    try:
        factory: Factory = found[0].load()
    except Exception as error:  # a foreign package may fail in any way
        raise errors.ConfigurationError(
            f"the package of the store {kind!r} cannot be loaded: {type(error).__name__}"
        ) from None
    return factory
