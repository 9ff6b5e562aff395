"""Claim a session on its numbered log and give it back: the part that RemoteAuth and LocalAuth share. Calls block.

Source: the persistence protocol, section 4.
"""

import logging
import threading
from dataclasses import dataclass

from whatsapp_worker import errors, stores
from whatsapp_worker.auth import base
from whatsapp_worker.core import requests
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import fencing, log, records, request_history
from whatsapp_worker.system import processes

LOG = logging.getLogger("whatsapp_worker")
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A session that is ours."""

    record: records.Record
    wait: float
    """Seconds until the previous owner has surely stopped."""
    previous: records.Record | None
    """The newest record before the claim that this process did not write."""
    relink: str | None
    """Time of a request for a new link that is to be carried out now, "" for one without a time."""
    handled: tuple[tuple[str, str], ...]


class Claimer:
    """Claim and release one session."""

    def __init__(self, journal: log.SessionLog, visible: stores.Visible, context: base.Context) -> None:
        self._log = journal
        self._visible = visible
        self._context = context
        self._claiming = threading.Lock()
        self._claimed = False
        self._debt = 0.0

    def claim(self) -> Claimed:
        """Take the session, or raise SessionInUse; a stop waits for it, so that no claim lacks its release."""
        with self._claiming:
            for _ in range(_ATTEMPTS):
                try:
                    return self._attempt()
                except errors.Released:
                    raise
                except errors.Superseded:
                    continue  # the previous owner published meanwhile, or another start was faster: look again
        raise errors.StoreUnavailable("the log moved on at each attempt to claim the session")

    def _attempt(self) -> Claimed:
        self._log.newest()
        head = self._log.previous()  # a claim of ours whose answer was lost does not count
        take_over, relink = self._request(requests.TAKEOVER), self._request(requests.RELINK)
        known = fencing.ClaimEvidence(
            take_over=self._context.take_over
            or take_over in (request_history.RequestStatus.NEW, request_history.RequestStatus.DONE),
            terminated_pod_uid=self._context.lease_notes().terminated_pod_uid,
            process_gone=head is not None and self._gone(head.owner),
        )
        waits = fencing.must_wait(head, self._context.owner, known)
        wait = fencing.waiting_seconds(self._log.back(self._log.head), self._visible.visibility) if waits else 0.0
        wait = max(wait, fencing.inherited_wait(head))
        times = self._context.lease_notes().requests
        taken = times[requests.TAKEOVER] if take_over is request_history.RequestStatus.NEW else ""
        record = self._log.append(records.Claim(fencing.POLL_SECONDS, taken, wait))
        self._claimed, self._debt = True, wait
        asked = (
            times[requests.RELINK]
            if relink is request_history.RequestStatus.NEW
            else ""
            if self._context.relink
            else None
        )
        judged = ((requests.TAKEOVER, take_over), (requests.RELINK, relink))
        done = {request: times[request] for request, found in judged if found is request_history.RequestStatus.DONE}
        if taken:
            done[requests.TAKEOVER] = taken
        return Claimed(record, wait, head, asked, tuple(done.items()))

    def resume(self) -> records.Record:
        """Claim again what was ours before a start without the store; raises Superseded if anybody came between."""
        with self._claiming:
            self._log.newest()
            head = self._log.previous()
            if head is None or not head.owner.same_place(self._context.owner):
                raise errors.Superseded("another worker has claimed the session while the store was silent")
            self._debt = fencing.inherited_wait(head)
            record = self._log.append(records.Claim(fencing.POLL_SECONDS, wait_seconds=self._debt))
            self._claimed = True
            return record

    def waited(self) -> None:
        """Remember that the previous owner has surely stopped."""
        self._debt = 0.0

    def require_claim(self) -> log.SessionLog:
        """Return the log once our claim stands in it; raises StoreUnavailable before."""
        if not self._claimed:
            raise errors.StoreUnavailable("the session is not claimed yet: the store has been silent since the start")
        return self._log

    def _request(self, request: str) -> request_history.RequestStatus | None:
        time = self._context.lease_notes().requests.get(request)
        if not time:
            return None
        found = request_history.status_of(self._log.back(self._log.head), self._context.owner, request, time)
        if found is request_history.RequestStatus.STALE:
            LOG.info("wish=%s time=%s ignored=true: the session was claimed since", request, time)
        return found

    def _gone(self, owner: records.Owner) -> bool:
        mine = self._context.owner
        if owner.session_uid or (owner.host, owner.boot_id) != (mine.host, mine.boot_id) or not owner.pid:
            return False
        return not processes.alive(processes.Identity(owner.pid, owner.start_time))

    def was_here(self, claimed: Claimed, marker: layout.Marker) -> bool:
        """Tell whether a marker's profile is the newest: of this log, whose previous record is this very pod's."""
        if claimed.previous is None or not claimed.previous.owner.same_place(self._context.owner):
            return False
        return self._log.holds(marker.slot, marker.claim)

    def refuse_the_wrong_store(self, lies_here: str = "") -> None:
        """Raise ArchiveMissing if an account is known, to the operator or from a profile, and this log held no login.

        ``lies_here`` names the profile of a login that would have to go.
        """
        known = "this session's login is saved" if self._context.lease_notes().known_account else lies_here
        if known and not request_history.held_a_login(self._log.back(self._log.head)):
            raise errors.ArchiveMissing(
                f"{known}, and {self._log.session} in this store has never held one: is it the"
                " right store? Correct it, or ask for a new link with the request relink (--relink)"
            )

    def release(self) -> None:
        """Write the record that lets any owner follow, and nothing after it: an upload may still be under way."""
        with self._claiming:
            claimed, self._claimed = self._claimed, False
            self._log.conclude(records.Release(self._debt) if claimed else None)
