"""Find the sessions whose purge needs a store: those with ``onDelete: Delete``."""

from collections.abc import Iterable

from whatsapp_operator.observed.state import Resource
from whatsapp_session import names
from whatsapp_session.session_spec import OnDelete, SpecError, parse_session
from whatsapp_session.untrusted import mapping


def users(sessions: Iterable[Resource], store: str) -> list[str]:
    """Return the names of the sessions whose purge needs the store.

    A session that is being deleted counts while it has the operator's finalizer; one with an invalid spec counts.
    """
    return sorted(session["metadata"]["name"] for session in sessions if _needs(session, store))


def _needs(session: Resource, store: str) -> bool:
    metadata = session["metadata"]
    if "deletionTimestamp" in metadata and names.FINALIZER_PURGE not in metadata.get("finalizers", ()):
        return False
    try:
        remote = parse_session(session.get("spec")).auth.remote
    except SpecError:
        return True
    if remote is None or remote.on_delete is not OnDelete.DELETE:
        return False
    last = mapping(mapping(mapping(session.get("status")).get("worker")).get("last"))
    # During its deletion also the source of a pending move, which holds its archives.
    return remote.store == store or ("deletionTimestamp" in metadata and last.get("store") == store)
