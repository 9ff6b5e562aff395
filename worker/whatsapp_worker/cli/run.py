"""Run a worker from the command line: flags configure it on a laptop, the environment does in a pod."""

import argparse
import asyncio
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from whatsapp_session import session_spec, worker_config
from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import auth, client, errors
from whatsapp_worker.browser.page import contract
from whatsapp_worker.cli import shutdown, store_commands, terminal
from whatsapp_worker.core import operator_notes
from whatsapp_worker.kube import pod
from whatsapp_worker.repository import records
from whatsapp_worker.runtime import runner
from whatsapp_worker.stores import registry

_EVENT_FIELDS = {
    "qr": ("code",),
    "code": ("code",),
    "auth_failure": ("message",),
    "disconnected": ("reason",),
    "change_state": ("state",),
    "loading_screen": ("percent", "message"),
}
CHANNEL = "chromium"
_STRATEGIES = {
    "none": session_spec.Strategy.NO_AUTH,
    "local": session_spec.Strategy.LOCAL_AUTH,
    "remote": session_spec.Strategy.REMOTE_AUTH,
}
_EPILOG = """\
examples:
  whatsapp-worker run --auth remote --store file:$HOME/sessions --client-id support
  whatsapp-worker run --auth local
signals: TERM and INT save, release the session and stop; USR1 saves now.
exit codes: 0 stopped as requested or planned, 1 crashed, 2 invalid configuration, 3 refused by the store,
4 refused by WhatsApp Web.
Settings without a flag come from environment variables (WHATSAPP_*), as in the operator's pods.
TIME is a duration such as 30s, 5m or 1h30m; SIZE is a whole number with Ki, Mi, Gi or Ti, such as 500Mi.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    top = argparse.ArgumentParser(
        prog="whatsapp-worker",
        description="Keep a WhatsApp Web session logged in: link a phone once, and the worker keeps the login.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    store_commands.add_to(commands)
    run = commands.add_parser(
        "run",
        help="run one session until it is stopped",
        description="Run one session until it is stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = run.add_argument
    add(
        "--auth",
        choices=sorted(_STRATEGIES),
        help="where to keep the login: in a store (remote), in a directory (local) or nowhere (default: none)",
    )
    add("--store", metavar="ADDRESS", help="address of the store, such as file:DIRECTORY; required for --auth remote")
    add(
        "--client-id",
        metavar="ID",
        help="name of the session in its store or directory: letters, digits, - and _ (default: no name)",
    )
    add("--data-path", metavar="DIR", help="directory for the browser profile (default: .wwebjs_auth)")
    add(
        "--backup-sync-interval",
        metavar="TIME",
        help="interval at which a changed profile is saved, at least 1m (default: 5m)",
    )
    add(
        "--linking-timeout",
        metavar="TIME",
        help="time to wait for a phone to link before the worker stops; 0s: no limit (default: 30m)",
    )
    add(
        "--expected-account",
        metavar="NUMBER",
        help="phone number of the only account that may link; others are unlinked at once (default: any account)",
    )
    add(
        "--phone-number",
        metavar="NUMBER",
        help="phone number, in digits with country code, to link with a pairing code (default: link with a QR code)",
    )
    add(
        "--cdp-port",
        metavar="PORT",
        type=int,
        default=0,
        help="loopback port on which bots attach to the browser over the DevTools protocol (default: closed)",
    )
    add("--url", metavar="URL", help="URL of WhatsApp Web (default: https://web.whatsapp.com/)")
    add("--browser-arg", metavar="ARG", action="append", help="additional switch for the browser (repeatable)")
    add(
        "--take-over",
        action="store_true",
        help="take over the session although its owner has not released it; stop that owner first",
    )
    add("--relink", action="store_true", help="retire the saved login at this start and ask for a new link")
    add("--archive-warning", metavar="SIZE", help="warn when an archive exceeds this size (default: never)")
    add(
        "--memory-warning",
        metavar="SIZE",
        help="warn when worker and browser together use more memory than this (default: never)",
    )
    add(
        "--events",
        choices=["text", "json"],
        default="text",
        help="output format: text for a terminal, or json for one JSON object per line (default: text)",
    )
    add(
        "--log-level",
        choices=["error", "warning", "info", "debug"],
        default=None,
        help="log level of the worker; libraries only log warnings (default: warning, in a pod: info)",
    )
    return top


def configuration(flags: argparse.Namespace) -> worker_config.WorkerConfig:
    """Return the settings of the environment, overridden by the flags; raises SpecError or ConfigurationError."""
    config = worker_config.from_env(os.environ)
    if config.resource is None:
        config = replace(
            config, data_path=".wwebjs_auth" if "WHATSAPP_DATA_PATH" not in os.environ else config.data_path
        )
    given: dict[str, object] = {
        "strategy": _STRATEGIES.get(flags.auth or ""),
        "store": flags.store,
        "client_id": flags.client_id,
        "data_path": flags.data_path,
        "expected_account": flags.expected_account,
        "browser_url": flags.url,
        "browser_args": tuple(flags.browser_arg) if flags.browser_arg else None,
        "backup_sync_interval": session_spec.duration(flags.backup_sync_interval)
        if flags.backup_sync_interval
        else None,
        "archive_warning": session_spec.size(flags.archive_warning) if flags.archive_warning else None,
        "memory_warning": session_spec.size(flags.memory_warning) if flags.memory_warning else None,
        "linking_timeout": session_spec.duration(flags.linking_timeout) if flags.linking_timeout else None,
    }
    return replace(config, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type] # checked by the parser


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


def options(config: worker_config.WorkerConfig, flags: argparse.Namespace) -> client.Options:
    """Return the client's options."""
    if config.browser_channel != CHANNEL:
        # The layout of the profile and which process writes it were only measured for this browser.
        text = f"{worker_config.PREFIX}BROWSER_CHANNEL must be {CHANNEL}, not {config.browser_channel!r}"
        raise errors.ConfigurationError(text)
    override = os.environ.get(contract.OVERRIDE)
    return client.Options(
        url=config.browser_url,
        browser_args=config.browser_args,
        user_agent=config.browser_user_agent,
        linking_timeout=float(config.linking_timeout),
        cdp_port=flags.cdp_port or config.cdp_port,
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


def _listen(running: client.Client, lines: terminal.EventLines) -> None:
    for name in client.EVENTS:

        def tell(*arguments: object, name: str = name) -> None:
            lines.event(name, **dict(zip(_EVENT_FIELDS.get(name, ()), arguments, strict=True)))

        running.on(name, tell)


async def run_alone(config: worker_config.WorkerConfig, flags: argparse.Namespace) -> runner.Outcome:
    """Run without Kubernetes and show the session on standard output."""
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
    return shutdown.run(run_in_pod(config, flags) if config.resource else run_alone(config, flags), _last_words)


def _write_termination_message(outcome: runner.Outcome) -> None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    flags = parser().parse_args(arguments)
    in_pod = worker_config.POD_NAME in os.environ
    level = flags.log_level or ("info" if in_pod else "warning")
    log_at(level)
    try:
        outcome = store_commands.run(flags) if flags.command == "store" else _run(flags)
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
