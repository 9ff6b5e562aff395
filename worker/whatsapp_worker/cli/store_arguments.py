"""Define the flags of ``whatsapp-worker store ...``, apart from the commands, which a session does not import."""

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    """Add the parsers to those of ``whatsapp-worker``."""
    about = "Inspect and maintain a store. Settings without a flag come from environment variables (WHATSAPP_*)."
    store = commands.add_parser("store", help="inspect and maintain a store", description=about)
    verbs = store.add_subparsers(dest="verb", metavar="VERB", required=True)
    _parser(
        verbs,
        "check",
        "check whether a store works and meets the requirements of sessions",
        "Create, read, list and delete a few small objects under a separate prefix, and print one line for each step. "
        "Exit codes: 0 the store passed, 2 invalid configuration, 3 it is not available or has no atomic creates.",
    )
    purge = _parser(
        verbs,
        "purge",
        "delete the archives of one session",
        "Delete the archives of one session and its whatsapp-web.js-compatible copy. The session's log is kept and "
        "records the purge; the next start asks for a new link. Safe to repeat.",
    )
    _of_a_session(purge)
    moved = _parser(
        verbs,
        "copy",
        "copy one session to another store",
        "Copy the generations of one session to another store and verify the digests of their archives. The source is "
        "not changed apart from its log. Stop the session first (with the operator, suspend it). Safe to repeat: an "
        "interrupted copy is resumed.",
        store=False,
    )
    _add_copy_flags(moved)
    _of_a_session(moved)
    brought = _parser(
        verbs,
        "import",
        "import the archive that whatsapp-web.js wrote",
        "Import the archive that whatsapp-web.js wrote (SESSION.zip) as the newest generation, so that the next start "
        "restores it. Earlier generations remain as a fallback. Stop both programs first.",
    )
    _add_import_flags(brought)
    _of_a_session(brought)


def _of_a_session(made: argparse.ArgumentParser) -> None:
    made.add_argument("--client-id", metavar="ID", help="name of the session in the store (default: no name)")
    made.add_argument(
        "--take-over",
        action="store_true",
        help="proceed although the owner of the session has not released it; stop that owner first",
    )


def _parser(verbs: Any, name: str, summary: str, description: str, *, store: bool = True) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description)
    if store:
        made.add_argument("--store", metavar="ADDRESS", help="address of the store, such as file:DIRECTORY")
    made.add_argument(
        "--log-level",
        choices=["error", "warning", "info", "debug"],
        default=None,
        help="log level of the worker (default: warning, in a pod: info)",
    )
    return made


def _add_copy_flags(made: argparse.ArgumentParser) -> None:
    """Add the flags of ``copy``."""
    made.add_argument("--from", dest="source", metavar="ADDRESS", required=True, help="address of the source store")
    made.add_argument(
        "--to", dest="target", metavar="ADDRESS", help="address of the target store (default: WHATSAPP_STORE)"
    )
    made.add_argument("--from-secrets", metavar="DIR", help="directory with the credentials of the source store")
    made.add_argument(
        "--from-network", metavar="DIR", help="directory with ca.crt and proxy (either or both) of the source store"
    )
    made.add_argument("--to-secrets", metavar="DIR", help="directory with the credentials of the target store")
    made.add_argument("--from-options", metavar="JSON", help="options of the source store, if it is a custom store")
    made.add_argument("--from-unfenced", action="store_true", help="accept a source store without atomic creates")
    made.add_argument("--if-any", action="store_true", help="succeed if the source store holds no login")


def _add_import_flags(made: argparse.ArgumentParser) -> None:
    """Add the flags of ``import``."""
    made.add_argument("--discard", action="store_true", help="delete the archive instead of importing it")
