"""Decide who may claim a session, given the newest record of its log. Pure.

Source: the persistence protocol, section 4.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from whatsapp_worker import errors
from whatsapp_worker.repository import records

POLL_SECONDS = 60
"""P: a running owner reads the slot after its own every P/3."""
MARGIN = 2.0
"""Seconds added to a waited bound: clock granularity and the time of one request."""


@dataclass(frozen=True, slots=True)
class ClaimEvidence:
    """What the claimer knows about the previous owner besides its record."""

    take_over: bool = False
    """A person said that the old owner is to go."""
    terminated_pod_uid: str = ""
    """The operator's word on the Lease: this pod is gone."""
    process_gone: bool = False
    """Of the same host and boot, and its process (pid and start time) does not exist."""


def must_wait(head: records.Record | None, me: records.Owner, known: ClaimEvidence) -> bool:
    """Tell whether the previous owner may still run, so that its time must pass between our claim and the launch.

    Raises SessionInUse when the head's owner is foreign and has not released.
    """
    if head is None or isinstance(head.body, records.Release) or head.owner.same_place(me) or known.process_gone:
        return False
    if not head.owner.same_session(me) and not known.take_over:
        raise errors.SessionInUse(
            f"the session is in use by {head.owner.describe()} since its record of {head.time}; stop that worker, "
            "or request takeover (--take-over) if it no longer exists"
        )
    return not (known.terminated_pod_uid and known.terminated_pod_uid == head.owner.pod_uid)


def inherited_wait(head: records.Record | None) -> float:
    """Return the seconds that the previous claimer still owed to the owner before it, as far as the log tells.

    One that was stopped while it waited leaves its debt to whoever follows: the owner before may still run.
    """
    if head is not None and isinstance(head.body, records.Claim | records.Release):
        return head.body.wait_seconds
    return 0.0


def waiting_seconds(claims: Iterable[records.Record], visibility: float) -> float:
    """Return how long the previous owner may go on unaware: its poll interval, the store's bound, a margin.

    ``claims`` are the records from the head down; the newest claim among them states the interval.
    """
    poll = next((record.body.poll_seconds for record in claims if isinstance(record.body, records.Claim)), POLL_SECONDS)
    return poll + visibility + MARGIN
