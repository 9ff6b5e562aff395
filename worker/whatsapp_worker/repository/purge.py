"""Delete what a store keeps of one session, all but its log. Calls block.

The log stays, with a record that says so: it still fences a stray writer, its numbers go on, and nobody who comes later
takes the missing archives for a loss.
"""

from collections.abc import Callable
from dataclasses import dataclass

from whatsapp_worker import errors, stores
from whatsapp_worker.repository import claim, fencing, log, records


@dataclass(frozen=True, slots=True)
class Purged:
    """What was deleted."""

    archives: int = 0
    copy: bool = False
    """Whether a copy for the JavaScript stores was among it."""


def purge(
    store: stores.Backend, journal: log.SessionLog, known: fencing.ClaimEvidence, wait: Callable[[float], None]
) -> Purged:
    """Claim the session, say in its log that nothing before counts any more, delete, release.

    Safe to repeat: after a crash anywhere, and when all is gone, which writes nothing. ``wait`` sleeps for seconds.
    Raises SessionInUse if another owner holds the session un-released, Superseded if one came meanwhile.
    """
    journal.newest()
    if not _left(store, journal):
        return Purged()
    # It waits: a stray writer may upload until it sees the claim, and what it leaves must be among what is deleted.
    claim.claim_for_maintenance(journal, store, known, wait)
    if not isinstance(journal.outcome(), records.Purge):
        journal.append(records.Purge())
    archives = list(store.list(f"{journal.session}/archives/"))
    _look(journal)
    for entry in archives:
        store.delete(entry.name)
    able, copy = stores.capabilities(store), _has_copy(store, journal)
    _look(journal)
    if able.copies:
        able.copies.delete_copy(journal.session)
    _look(journal)
    if able.sweeper:
        able.sweeper.sweep(f"{journal.session}/")
    # Only now: until then the session is not released, so that nobody's new archive is among what is deleted.
    claim.release(journal)
    return Purged(len(archives), copy)


def _look(journal: log.SessionLog) -> None:
    """Raise Superseded if another owner has claimed the session, whose archives these may be.

    Who takes over waits a minute before saving, so that a look right before each step is soon enough.
    """
    if not journal.still_head():
        raise errors.Superseded(f"another owner claimed {journal.session} during the purge")


def _left(store: stores.Backend, journal: log.SessionLog) -> bool:
    if any(True for _ in store.list(f"{journal.session}/archives/")) or _has_copy(store, journal):
        return True
    return journal.head > 0 and not (isinstance(journal.outcome(), records.Purge) and _released(journal))


def _has_copy(store: stores.Backend, journal: log.SessionLog) -> bool:
    copies = stores.capabilities(store).copies
    return copies is not None and copies.stat_copy(journal.session) is not None


def _released(journal: log.SessionLog) -> bool:
    return isinstance(next(journal.back(journal.head)).body, records.Release)
