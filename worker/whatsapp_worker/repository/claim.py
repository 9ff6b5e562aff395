"""Claim a session on its numbered log and give it back: for a worker, and for one piece of maintenance. Calls block.

Source: the persistence protocol, section 4.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from whatsapp_worker import errors, stores
from whatsapp_worker.core import operator_notes, requests
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import fencing, log, records, request_history
from whatsapp_worker.system import processes

LOG = logging.getLogger("whatsapp_worker")
_ATTEMPTS = 20
_EXPIRED = (
    "the Lease has expired while the worker waited; it claims the session when the API server answers again, unless"
    " another pod has taken the Lease"
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claimer knows of the previous owner, and which requests it found."""

    evidence: fencing.ClaimEvidence
    takeover: str = ""
    """Time of the request to take over that this claim fulfils."""
    relink: str | None = None
    """Time of a request for a new link that is to be carried out now, "" for one without a time."""
    handled: tuple[tuple[str, str], ...] = ()
    """Requests that the log shows to be carried out, or that this claim carries out, with their times."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A session that is ours."""

    record: records.Record
    wait: float
    """Seconds until the previous owner has surely stopped."""
    previous: records.Record | None
    """The newest record before the claim that this process did not write."""
    terms: Terms


def claim(journal: log.SessionLog, visible: stores.Visible, terms: Callable[[records.Record | None], Terms]) -> Claimed:
    """Take the session as the log's owner; ``terms`` judges the newest record of anybody else, at each attempt.

    Raises SessionInUse if another owner holds the session un-released.
    """
    for _ in range(_ATTEMPTS):
        journal.newest()
        head = journal.previous()  # a claim of ours whose answer was lost does not count
        given = terms(head)
        waits = fencing.must_wait(head, journal.owner, given.evidence)
        seconds = fencing.waiting_seconds(journal.back(journal.head), visible.visibility) if waits else 0.0
        seconds = max(seconds, fencing.inherited_wait(head))
        try:
            record = journal.append(records.Claim(fencing.POLL_SECONDS, given.takeover, seconds))
        except errors.Released:
            raise
        except errors.Superseded:
            continue  # the previous owner published meanwhile, or another start was faster: look again
        return Claimed(record, seconds, head, given)
    raise errors.StoreUnavailable("other workers wrote to the log at each attempt to claim the session; stop them")


def claim_for_maintenance(
    journal: log.SessionLog, visible: stores.Visible, known: fencing.ClaimEvidence, wait: Callable[[float], None]
) -> None:
    """Hold the session for a piece of work that is no worker's, until `release`.

    ``wait`` sleeps for the seconds in which the previous owner may still run unaware. Raises SessionInUse.
    """
    claimed = claim(journal, visible, lambda head: Terms(known))
    if claimed.wait:
        wait(claimed.wait)


def release(journal: log.SessionLog) -> None:
    """Let any owner follow at once."""
    journal.append(records.Release())


@dataclass(frozen=True, slots=True)
class Asked:
    """What people and the operator ask of a worker that starts."""

    lease_notes: Callable[[], operator_notes.Notes] = operator_notes.Notes
    take_over: bool = False
    """Take the session from another owner, without a request on the Lease."""
    relink: bool = False
    """Set the login aside at this start, likewise."""


class Claimer:
    """Claim and release one session for a worker."""

    def __init__(self, journal: log.SessionLog, visible: stores.Visible, asked: Asked) -> None:
        self.log = journal
        self._visible = visible
        self._asked = asked
        self._claiming = threading.Lock()
        self._claimed = False
        self._debt = 0.0

    def claim(self) -> Claimed:
        """Take the session; a stop waits for it, so that each claim is released.

        Raises SessionInUse, or LeaseExpired while another pod may hold the Lease.
        """
        with self._claiming:
            claimed = claim(self.log, self._visible, self._terms)
            self._claimed, self._debt = True, claimed.wait
            return claimed

    def _terms(self, head: records.Record | None) -> Terms:
        if self._asked.lease_notes().expired:
            raise errors.LeaseExpired(_EXPIRED)
        take_over, relink = self._request(requests.TAKEOVER), self._request(requests.RELINK)
        known = fencing.ClaimEvidence(
            take_over=self._asked.take_over
            or take_over in (request_history.RequestStatus.NEW, request_history.RequestStatus.DONE),
            terminated_pod_uid=self._asked.lease_notes().terminated_pod_uid,
            process_gone=head is not None and self._gone(head.owner),
        )
        times = self._asked.lease_notes().requests
        taken = times[requests.TAKEOVER] if take_over is request_history.RequestStatus.NEW else ""
        wanted = "" if self._asked.relink else None
        if relink is request_history.RequestStatus.NEW:
            wanted = times[requests.RELINK]
        judged = ((requests.TAKEOVER, take_over), (requests.RELINK, relink))
        done = {request: times[request] for request, found in judged if found is request_history.RequestStatus.DONE}
        if taken:
            done[requests.TAKEOVER] = taken
        return Terms(known, taken, wanted, tuple(done.items()))

    def resume(self) -> records.Record:
        """Claim again what was ours before a start without the store; raises Superseded if anybody came between."""
        with self._claiming:
            self.log.newest()
            head = self.log.previous()
            if head is None or not head.owner.same_place(self.log.owner):
                raise errors.Superseded("another worker claimed the session while the store did not answer")
            self._debt = fencing.inherited_wait(head)
            record = self.log.append(records.Claim(fencing.POLL_SECONDS, wait_seconds=self._debt))
            self._claimed = True
            return record

    def waited(self) -> None:
        """Remember that the previous owner has surely stopped."""
        self._debt = 0.0

    def require_claim(self) -> log.SessionLog:
        """Return the log once our claim stands in it; raises StoreUnavailable before."""
        if not self._claimed:
            raise errors.StoreUnavailable("the session is not claimed yet: the store has not answered since the start")
        return self.log

    def _request(self, request: str) -> request_history.RequestStatus | None:
        time = self._asked.lease_notes().requests.get(request)
        if not time:
            return None
        found = request_history.status_of(self.log.back(self.log.head), self.log.owner, request, time)
        if found is request_history.RequestStatus.STALE:
            LOG.info("wish=%s time=%s ignored=true: the session was claimed since", request, time)
        return found

    def _gone(self, owner: records.Owner) -> bool:
        mine = self.log.owner
        if owner.session_uid or (owner.host, owner.boot_id) != (mine.host, mine.boot_id) or not owner.pid:
            return False
        return not processes.alive(processes.Identity(owner.pid, owner.start_time))

    def was_here(self, claimed: Claimed, marker: layout.Marker) -> bool:
        """Tell whether a marker's profile is the newest: of this log, whose previous record is this very pod's."""
        if claimed.previous is None or not claimed.previous.owner.same_place(self.log.owner):
            return False
        return self.log.holds(marker.slot, marker.claim)

    def refuse_the_wrong_store(self, lies_here: str = "") -> None:
        """Raise ArchiveMissing if an account is known, to the operator or from a profile, and this log held no login.

        ``lies_here`` names the profile of a login that would have to go.
        """
        known = "this session's login is saved" if self._asked.lease_notes().known_account else lies_here
        if known and not request_history.held_a_login(self.log.back(self.log.head)):
            raise errors.ArchiveMissing(
                f"{known}, but {self.log.session} in this store has never held one; correct the store, or request a"
                " new link (relink, --relink)"
            )

    def release(self) -> None:
        """Write the record that lets any owner follow, and nothing after it: an upload may still be under way."""
        with self._claiming:
            claimed, self._claimed = self._claimed, False
            self.log.conclude(records.Release(self._debt) if claimed else None)
