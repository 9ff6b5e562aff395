"""Tell which sessions need a store to the end: those that take their archives with them."""

from collections.abc import Iterable

from whatsapp_operator.observed.state import Resource
from whatsapp_session import names
from whatsapp_session.session_spec import OnDelete, SpecError, parse_session
from whatsapp_session.untrusted import mapping


def users(sessions: Iterable[Resource], store: str) -> list[str]:
    """Return the names of the sessions for whose purge the store is still needed.

    One that is being deleted counts while our finalizer is on it; one that is not understood counts as a user.
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
    # While it goes also the store from which its archives were not moved yet: there they are purged.
    return remote.store == store or ("deletionTimestamp" in metadata and last.get("store") == store)
