"""Run a worker from the command line: flags configure it on a laptop, the environment does in a pod.

What only one way to run needs is imported where it begins: aiohttp and prometheus_client take 0.2 s of a start and
12 MiB of a worker without Kubernetes.
"""

import argparse
import asyncio
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from whatsapp_session import early_stop, session_spec, worker_config
from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import auth, client, client_options, errors
from whatsapp_worker.browser.page import contract
from whatsapp_worker.cli import arguments, shutdown
from whatsapp_worker.core import operator_notes
from whatsapp_worker.repository import records
from whatsapp_worker.runtime import runner
from whatsapp_worker.stores import registry

if TYPE_CHECKING:
    from whatsapp_worker.cli import terminal

_EVENT_FIELDS = {
    "qr": ("code",),
    "code": ("code",),
    "auth_failure": ("message",),
    "disconnected": ("reason",),
    "change_state": ("state",),
    "loading_screen": ("percent", "message"),
}
CHANNEL = "chromium"


def _parsed(flag: str, text: str | None, parse: Callable[[str], int]) -> int | None:
    """Return the value of a flag, None if it is not given; raises SpecError that names the flag."""
    try:
        return parse(text) if text else None
    except session_spec.SpecError as error:
        raise session_spec.SpecError(f"{flag}: {error}") from None


def configuration(flags: argparse.Namespace) -> worker_config.WorkerConfig:
    """Return the settings of the environment, overridden by the flags; raises SpecError or ConfigurationError."""
    config = worker_config.from_env(os.environ)
    if config.resource is None:
        config = replace(
            config, data_path=".wwebjs_auth" if "WHATSAPP_DATA_PATH" not in os.environ else config.data_path
        )
    given: dict[str, object] = {
        "strategy": arguments.STRATEGIES.get(flags.auth or ""),
        "store": flags.store,
        "client_id": flags.client_id,
        "data_path": flags.data_path,
        "expected_account": flags.expected_account,
        "browser_url": flags.url,
        "browser_args": tuple(flags.browser_arg) if flags.browser_arg else None,
        "backup_sync_interval": _parsed("--backup-sync-interval", flags.backup_sync_interval, session_spec.duration),
        "archive_warning": _parsed("--archive-warning", flags.archive_warning, session_spec.size),
        "memory_warning": _parsed("--memory-warning", flags.memory_warning, session_spec.size),
        "linking_timeout": _parsed("--linking-timeout", flags.linking_timeout, session_spec.duration),
    }
    told = replace(config, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type] # checked by the parser
    idle = arguments.without_effect(flags, told.strategy)
    if idle is not None:
        raise errors.ConfigurationError(idle)
    return told


def strategy(config: worker_config.WorkerConfig) -> auth.Auth:
    """Return the authentication strategy of the settings; raises ConfigurationError."""
    match config.strategy:
        case session_spec.Strategy.NO_AUTH:
            return auth.NoAuth()
        case session_spec.Strategy.LOCAL_AUTH:
            return auth.LocalAuth(config.client_id, config.data_path)
        case session_spec.Strategy.REMOTE_AUTH:
            if not config.store:
                raise errors.ConfigurationError("RemoteAuth requires a store; set --store, such as file:DIRECTORY")
            return auth.RemoteAuth(
                registry.open_store(config.store, registry.settings(config)),
                config.client_id,
                config.data_path,
                float(config.backup_sync_interval),
                config.generations,
                copies=config.interop,
                encryption_key_file=config.encryption_key_file,
            )


def _secret(path: str | None, variable: str) -> str:
    """Return the content of a mounted secret, "" when none is configured; it is read at each start."""
    if path is None:
        return ""
    try:
        text = pathlib.Path(path).read_text().strip()
    except OSError as error:
        raise errors.SecretAbsent(
            f"the file that {worker_config.PREFIX}{variable} names cannot be read; create the Secret and its key"
        ) from error
    except UnicodeDecodeError:  # the error's message contains a part of the secret
        text = f"the file that {worker_config.PREFIX}{variable} names is not UTF-8 text; store the value as text"
        raise errors.ConfigurationError(text) from None
    if not text:
        # The worker must not run without the proxy.
        raise errors.SecretAbsent(
            f"the file that {worker_config.PREFIX}{variable} names is empty; store a value under the key of the Secret"
        )
    return text


def options(config: worker_config.WorkerConfig, flags: argparse.Namespace) -> client_options.Options:
    """Return the client's options."""
    if config.browser_channel != CHANNEL:
        # The layout of the profile and which process writes it were only measured for this browser.
        text = f"{worker_config.PREFIX}BROWSER_CHANNEL must be {CHANNEL}, not {config.browser_channel!r}"
        raise errors.ConfigurationError(text)
    override = os.environ.get(contract.OVERRIDE)
    return client_options.Options(
        url=config.browser_url,
        browser_args=config.browser_args,
        user_agent=config.browser_user_agent,
        linking_timeout=float(config.linking_timeout),
        cdp_port=flags.cdp_port or config.cdp_port,
        separate_processes=config.separate_processes,
        proxy=_secret(config.proxy_file, "PROXY_FILE"),
        phone_number=flags.phone_number or _secret(config.phone_number_file, "PHONE_NUMBER_FILE"),
        expected_account=config.expected_account or "",
        lease_duration=float(config.lease_duration) if config.resource else 0.0,
        take_over=flags.take_over,
        relink=flags.relink,
        contract=pathlib.Path(override) if override else None,
        archive_warning=config.archive_warning,
        memory_warning=config.memory_warning,
    )


def _handle_signals(running: client.Client) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.stop)
    loop.add_signal_handler(signal.SIGUSR1, running.request_save)


def _listen(running: client.Client, lines: "terminal.EventLines") -> None:
    for name in client.EVENTS:

        def tell(*arguments: object, name: str = name) -> None:
            lines.event(name, **dict(zip(_EVENT_FIELDS.get(name, ()), arguments, strict=True)))

        running.on(name, tell)


async def run_alone(config: worker_config.WorkerConfig, flags: argparse.Namespace) -> runner.Outcome:
    """Run without Kubernetes and show the session on standard output."""
    from whatsapp_worker.cli import terminal

    lines = terminal.EventLines() if flags.events == "json" else None
    reporter: runner.Reporter = lines or terminal.Terminal()
    running = client.Client(strategy(config), options(config, flags), reporters=(reporter,))
    if lines:
        _listen(running, lines)
    _handle_signals(running)
    outcome = await running.run()
    if lines:
        lines.event("ended", code=int(outcome.code), reason=outcome.reason, message=outcome.message)
    return outcome


async def run_in_pod(config: worker_config.WorkerConfig, flags: argparse.Namespace) -> runner.Outcome:
    """Run in a pod of the operator, with Lease, status and health endpoints."""
    from whatsapp_worker.kube import pod

    def make(
        owner: records.Owner, reporters: tuple[runner.Reporter, ...], board: Callable[[], operator_notes.Notes]
    ) -> client.Client:
        return client.Client(
            strategy(config),
            options(config, flags),
            owner=owner,
            reporters=reporters,
            lease_notes=board,
        )

    return await pod.run(config, make)


def _run(flags: argparse.Namespace) -> runner.Outcome:
    config = configuration(flags)
    outcome = shutdown.run(run_in_pod(config, flags) if config.resource else run_alone(config, flags), _last_words)
    early_stop.settle()  # the event loop gave its signals back to Python
    return outcome


def _on_store(flags: argparse.Namespace) -> runner.Outcome:
    from whatsapp_worker.cli import store_commands

    return store_commands.run(flags)


def _write_termination_message(outcome: runner.Outcome) -> None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        from whatsapp_worker.kube import pod

        pod.write_termination_message(outcome)


def _last_words(outcome: runner.Outcome) -> None:
    _write_termination_message(outcome)
    if outcome.code is not ExitCode.DONE:
        print(f"whatsapp-worker: {outcome.reason}: {outcome.message}", file=sys.stderr)


def log_at(level: str) -> None:
    """Log the worker's messages from ``level`` on.

    Libraries log warnings only: at lower levels the store clients log requests, with tokens and bytes of archives.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shape = "%(asctime)s level=%(levelname)s %(message)s"
    logging.basicConfig(level=max(number, logging.WARNING), format=shape, stream=sys.stderr)
    logging.getLogger("whatsapp_worker").setLevel(number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Raises Stopped if a signal ended a command on a store."""
    flags = arguments.parser().parse_args(arguments.joined(sys.argv[1:] if argv is None else argv))
    in_pod = worker_config.POD_NAME in os.environ
    level = flags.log_level or ("info" if in_pod else "warning")
    log_at(level)
    if not (in_pod or flags.log_level):
        runner.CHANGES.setLevel(logging.ERROR)  # the terminal shows them
    try:
        outcome = _on_store(flags) if flags.command == "store" else _run(flags)
    except (session_spec.SpecError, errors.ConfigurationError) as error:
        print(f"whatsapp-worker: {error}", file=sys.stderr)
        outcome = runner.Outcome(ExitCode.CONFIGURATION, Reason.INVALID_CONFIGURATION, str(error))
        _write_termination_message(outcome)
        return int(outcome.code)
    except errors.SecretAbsent as error:
        outcome = runner.Outcome(ExitCode.CRASHED, Reason.SECRET_NOT_FOUND, str(error))
    except errors.StoreRefused as error:
        outcome = runner.Outcome(ExitCode.STORE_REFUSED, Reason.STORE_UNFENCED, str(error))
    except errors.StoreError as error:  # of a factory that asks its server
        outcome = runner.Outcome(ExitCode.CRASHED, Reason.STORE_UNAVAILABLE, str(error))
    _last_words(outcome)
    if flags.command == "store" and outcome.code is ExitCode.DONE:
        print(outcome.message)
    return int(outcome.code)


if __name__ == "__main__":
    sys.exit(main())
