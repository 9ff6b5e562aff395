"""Inspect and maintain a store: ``whatsapp-worker store ...``, run by a user or in a pod of the operator."""

import argparse
import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable

from whatsapp_session import early_stop, names, worker_config
from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import client, errors, stores
from whatsapp_worker.cli import store_transfer
from whatsapp_worker.core import events
from whatsapp_worker.kube import pod
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import fencing, log, purge, records
from whatsapp_worker.runtime import error_events, runner
from whatsapp_worker.stores import probe, registry
from whatsapp_worker.system import steady_clock

LOG = logging.getLogger("whatsapp_worker")
_CHECK_DEADLINE = 10.0
"""Seconds: a check should give its result soon."""
Command = Callable[[argparse.Namespace, worker_config.WorkerConfig], str | runner.Outcome]
"""Carry out one command; return a sentence for the user or the outcome; raise WorkerError."""


def run(flags: argparse.Namespace) -> runner.Outcome:
    """Carry out a command and return its outcome, also of errors; only SpecError and ConfigurationError are raised."""
    given = {"store": getattr(flags, "store", None), "client_id": getattr(flags, "client_id", None)}
    told = {name: value for name, value in given.items() if value is not None}
    config = dataclasses.replace(worker_config.from_env(os.environ), **told)
    try:
        with early_stop.raising():
            ended = _COMMANDS[flags.verb](flags, config)
        return ended if isinstance(ended, runner.Outcome) else runner.Outcome(ExitCode.DONE, None, ended)
    except errors.ConfigurationError:
        raise
    except errors.Superseded as error:
        # For a worker this is a planned end; here the work is not done.
        return runner.Outcome(ExitCode.STORE_REFUSED, Reason.STORE_SESSION_IN_USE, str(error))
    except errors.WorkerError as error:
        match error_events.as_event(error):
            case events.Fatal(code, reason, message):
                return runner.Outcome(code, reason, message)
            case _:
                return runner.Outcome(ExitCode.CRASHED, Reason.STORE_UNAVAILABLE, str(error))


def open_store(config: worker_config.WorkerConfig, **more: float) -> stores.Backend:
    """Return the store of the settings, ``more`` of them given here; raises ConfigurationError."""
    if not config.store:
        raise errors.ConfigurationError("no store is set; set --store, such as file:DIRECTORY")
    return registry.open_store(config.store, dataclasses.replace(registry.settings(config), **more))  # type: ignore[arg-type] # numbers only


def owner(config: worker_config.WorkerConfig) -> records.Owner:
    """Return the owner that writes to the log: the session's pod, or this process."""
    return client.local_owner(str(pathlib.Path.cwd())) if config.resource is None else pod.owner(config.resource)


def _check(_: argparse.Namespace, config: worker_config.WorkerConfig) -> runner.Outcome:
    try:
        _look_at_the_key(config)
        probe.check(open_store(config, deadline=_CHECK_DEADLINE), print, config.allow_unfenced)
    except errors.SecretMissing as error:
        return runner.Outcome(ExitCode.STORE_REFUSED, Reason.SECRET_NOT_FOUND, str(error))
    except errors.StoreError as error:
        return runner.Outcome(ExitCode.STORE_REFUSED, Reason.STORE_UNAVAILABLE, str(error))
    return runner.Outcome(ExitCode.DONE, Reason.STORE_ANSWERED, "the store passed the check")


def _look_at_the_key(config: worker_config.WorkerConfig) -> None:
    """Raise SecretMissing if encryption is set and its key does not exist; raise ConfigurationError for a bad key."""
    if config.encryption_key_file is None:
        return
    path = pathlib.Path(config.encryption_key_file)
    if not path.exists():
        raise errors.SecretMissing(f"the encryption key {path} does not exist; create the Secret and its key")
    encryption.load(path)


def _purge(flags: argparse.Namespace, config: worker_config.WorkerConfig) -> str:
    session = names.store_session(config.client_id)
    store = open_store(config)
    journal = log.SessionLog(store, session, owner(config))
    purged = purge.purge(store, journal, fencing.ClaimEvidence(take_over=flags.take_over), steady_clock.pause)
    LOG.info("purged session=%s archives=%s copy=%s", session, purged.archives, purged.copy)
    copy = " and the whatsapp-web.js-compatible copy" if purged.copy else ""
    return f"deleted {purged.archives} archives{copy} of {session}"


_COMMANDS: dict[str, Command] = {
    "check": _check,
    "purge": _purge,
    "copy": lambda flags, config: store_transfer.copy(flags, config, owner(config)),
    "import": lambda flags, config: store_transfer.import_archive(flags, config, owner(config)),
}
