"""Hold a session for one piece of work that is no worker's: claim, wait, release. Calls block."""

from collections.abc import Callable

from whatsapp_worker import errors, stores
from whatsapp_worker.repository import fencing, log, records

_ATTEMPTS = 20


def claim(
    store: stores.Visible, journal: log.SessionLog, known: fencing.ClaimEvidence, wait: Callable[[float], None]
) -> records.Record:
    """Take the session; ``wait`` sleeps for the seconds in which the previous owner may still run unaware.

    Raises SessionInUse if another owner holds it un-released.
    """
    for _ in range(_ATTEMPTS):
        journal.newest()
        head = journal.previous()
        waits = fencing.must_wait(head, journal.owner, known)
        seconds = fencing.waiting_seconds(journal.back(journal.head), store.visibility) if waits else 0.0
        seconds = max(seconds, fencing.inherited_wait(head))
        try:
            record = journal.append(records.Claim(fencing.POLL_SECONDS, wait_seconds=seconds))
        except errors.Superseded:
            continue  # the previous owner published meanwhile: look again
        if seconds:
            wait(seconds)
        return record
    raise errors.StoreUnavailable("the log moved on at each attempt to claim the session")


def release(journal: log.SessionLog) -> None:
    """Let any owner follow at once."""
    journal.append(records.Release())
