"""Move logins between stores and programs: ``whatsapp-worker store copy`` and ``whatsapp-worker store import``."""

import argparse
import dataclasses
import pathlib
import tempfile
import time

from whatsapp_session import names, worker_env
from whatsapp_worker import copying, encryption, errors, generations, importing, interop, log, ownership, tenure
from whatsapp_worker import records as log_records
from whatsapp_worker.stores import registry


def add_copy_flags(made: argparse.ArgumentParser) -> None:
    """Add what ``copy`` is told."""
    made.add_argument("--from", dest="source", metavar="ADDRESS", required=True, help="address of the store to read")
    made.add_argument("--to", dest="target", metavar="ADDRESS", required=True, help="address of the store to fill")
    made.add_argument("--from-secrets", metavar="DIR", help="directory with the first store's credentials")
    made.add_argument("--to-secrets", metavar="DIR", help="directory with the second store's credentials")


def add_import_flags(made: argparse.ArgumentParser) -> None:
    """Add what ``import`` is told."""
    made.add_argument("--discard", action="store_true", help="remove the archive instead of restoring it")


def _wait(seconds: float) -> None:
    print(f"waiting {seconds:.0f} s until the previous worker has surely stopped", flush=True)
    time.sleep(seconds)


def copy(flags: argparse.Namespace, config: worker_env.WorkerConfig, owner: log_records.Owner) -> str:
    """Copy a session's generations; returns a sentence."""
    session = names.store_session(config.client_id)

    def side(address: str, secrets: str | None) -> copying.Side:
        settings = registry.settings(dataclasses.replace(config, store_secrets=secrets or config.store_secrets))
        store = registry.open_store(address, settings)
        return copying.Side(store, log.SessionLog(store, session, owner))

    known = ownership.Knowledge(take_over=flags.take_over)
    source, target = side(flags.source, flags.from_secrets), side(flags.target, flags.to_secrets)
    count = copying.copy(source, target, copying.How(known, _wait, lambda line: print(line, flush=True)))
    return f"{count} generations of {session} were copied" if count else f"{session} is there already, nothing to copy"


def bring_in(flags: argparse.Namespace, config: worker_env.WorkerConfig, owner: log_records.Owner) -> str:
    """Import or discard a foreign archive; returns a sentence."""
    if not config.store:
        raise errors.ConfigurationError("which store? give --store, such as file:DIRECTORY")
    store = registry.open_store(config.store, registry.settings(config))
    keys = encryption.load(pathlib.Path(config.encryption_key_file)) if config.encryption_key_file else None
    journal = log.SessionLog(store, names.store_session(config.client_id), owner)
    foreign = interop.Copy(store, journal, config.interop)
    kept = generations.Generations(store, journal, config.generations, keys)
    tenure.claim(store, journal, ownership.Knowledge(take_over=flags.take_over), _wait)
    try:
        with tempfile.TemporaryDirectory(prefix="whatsapp-import-") as folder:
            return importing.on_request(foreign, kept, pathlib.Path(folder), discard=flags.discard)
    finally:
        tenure.release(journal)
