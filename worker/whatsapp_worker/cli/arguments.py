"""Define the command line of ``whatsapp-worker``."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from whatsapp_session import release, session_spec
from whatsapp_worker.cli import store_arguments

STRATEGIES = {
    "none": session_spec.Strategy.NO_AUTH,
    "local": session_spec.Strategy.LOCAL_AUTH,
    "remote": session_spec.Strategy.REMOTE_AUTH,
}
_KEEPING: Final = frozenset({session_spec.Strategy.LOCAL_AUTH, session_spec.Strategy.REMOTE_AUTH})
_STORING: Final = frozenset({session_spec.Strategy.REMOTE_AUTH})
_USERS: Final[Mapping[str, frozenset[session_spec.Strategy]]] = {
    "--store": _STORING,
    "--backup-sync-interval": _STORING,
    "--archive-warning": _STORING,
    "--client-id": _KEEPING,
    "--data-path": _KEEPING,
    "--take-over": _KEEPING,
    "--relink": _KEEPING,
}
"""Which strategies make use of a flag; the others are for all."""
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
    top.add_argument("--version", action="version", version=f"%(prog)s {release.version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    store_arguments.add_to(commands)
    run = commands.add_parser(
        "run",
        help="run one session until it is stopped",
        description="Run one session until it is stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for group in (_add_login, _add_link, _add_browser, _add_run):
        group(run.add_argument)
    return top


Add: TypeAlias = Callable[..., object]


def _add_login(add: Add) -> None:
    add(
        "--auth",
        choices=sorted(STRATEGIES),
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


def _add_link(add: Add) -> None:
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


def _add_browser(add: Add) -> None:
    add(
        "--cdp-port",
        metavar="PORT",
        type=int,
        default=0,
        help="loopback port on which bots attach to the browser over the DevTools protocol (default: closed)",
    )
    add("--url", metavar="URL", help="URL of WhatsApp Web (default: https://web.whatsapp.com/)")
    add("--browser-arg", metavar="ARG", action="append", help="additional switch for the browser (repeatable)")


def _add_run(add: Add) -> None:
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


def joined(argv: Sequence[str]) -> list[str]:
    """Return the arguments with a browser's switch as part of ``--browser-arg``, because it begins with dashes too."""
    found: list[str] = []
    for argument in argv:
        if found and found[-1] == "--browser-arg":
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found


def without_effect(flags: argparse.Namespace, strategy: session_spec.Strategy) -> str | None:
    """Return a sentence about a flag that a strategy makes no use of, None if there is none."""
    for flag, users in _USERS.items():
        if getattr(flags, flag.removeprefix("--").replace("-", "_")) and strategy not in users:
            words = [word for word, known in STRATEGIES.items() if known in users]
            own = next(word for word, known in STRATEGIES.items() if known is strategy)
            ways = " or ".join(f"--auth {word}" for word in sorted(words, reverse=True))
            return f"{flag} has no effect with --auth {own}; remove it, or use {ways}"
    return None
