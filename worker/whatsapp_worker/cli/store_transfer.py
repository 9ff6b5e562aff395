"""Transfer sessions between stores and programs: ``store copy`` and ``store import`` of ``whatsapp-worker``."""

import argparse
import dataclasses
import pathlib
import tempfile

from whatsapp_session import names, worker_config
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import (
    claim,
    fencing,
    generations,
    log,
    records,
    transfer,
    wwebjs_copy,
    wwebjs_import,
)
from whatsapp_worker.stores import registry
from whatsapp_worker.system import steady_clock


def _wait(seconds: float) -> None:
    print(f"waiting {seconds:.0f} s, until the previous worker must have stopped", flush=True)
    steady_clock.pause(seconds)


def copy(flags: argparse.Namespace, config: worker_config.WorkerConfig, owner: records.Owner) -> str:
    """Copy a session's generations; returns a sentence."""
    session = names.store_session(config.client_id)
    address = flags.target or config.store
    if not address:
        raise errors.ConfigurationError("no target store is set; set --to, such as file:DIRECTORY")

    def side(address: str, settings: worker_config.WorkerConfig) -> transfer.Side:
        store = registry.open_store(address, registry.settings(settings))
        return transfer.Side(store, log.SessionLog(store, session, owner))

    how = transfer.How(
        fencing.ClaimEvidence(take_over=flags.take_over), _wait, lambda line: print(line, flush=True), flags.if_any
    )
    source = side(flags.source, _source(flags, config))
    target = side(address, dataclasses.replace(config, store_secrets=flags.to_secrets or config.store_secrets))
    count = transfer.copy(source, target, how)
    return f"copied {count} generations of {session}" if count else f"there was nothing to copy of {session}"


def _source(flags: argparse.Namespace, config: worker_config.WorkerConfig) -> worker_config.WorkerConfig:
    """Return the settings of the source store: the flags, else the environment unless that describes the target."""
    if not flags.target:
        config = dataclasses.replace(
            config, store_secrets=None, store_network=None, store_options={}, allow_unfenced=False
        )
    options = config.store_options if flags.from_options is None else worker_config.options(flags.from_options)
    return dataclasses.replace(
        config,
        store_secrets=flags.from_secrets or config.store_secrets,
        store_network=flags.from_network or config.store_network,
        store_options=options,
        allow_unfenced=flags.from_unfenced or config.allow_unfenced,
    )


def import_archive(flags: argparse.Namespace, config: worker_config.WorkerConfig, owner: records.Owner) -> str:
    """Import or discard a foreign archive; returns a sentence."""
    if not config.store:
        raise errors.ConfigurationError("no store is set; set --store, such as file:DIRECTORY")
    store = registry.open_store(config.store, registry.settings(config))
    keys = encryption.load(pathlib.Path(config.encryption_key_file)) if config.encryption_key_file else None
    journal = log.SessionLog(store, names.store_session(config.client_id), owner)
    foreign = wwebjs_copy.WwebjsCopy(store, journal, config.interop)
    kept = generations.Generations(store, journal, config.generations, keys)
    claim.claim_for_maintenance(journal, store, fencing.ClaimEvidence(take_over=flags.take_over), _wait)
    try:
        with tempfile.TemporaryDirectory(prefix="whatsapp-import-") as folder:
            return wwebjs_import.on_request(foreign, kept, pathlib.Path(folder), discard=flags.discard)
    finally:
        claim.release(journal)
