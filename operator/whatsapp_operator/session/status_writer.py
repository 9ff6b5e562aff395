"""Write the operator's part of a session's status, and post Events."""

import dataclasses
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from whatsapp_kube.errors import Conflict, KubeError, Refused
from whatsapp_operator.clock import Clock
from whatsapp_operator.kube import Kube
from whatsapp_operator.observed.state import Observed, Problem, Session, Subject, Wanted
from whatsapp_operator.session import events, progress, purge, refusals, stalling, status
from whatsapp_session import names
from whatsapp_session.timestamps import rfc3339

log = logging.getLogger(__name__)

Manifest = dict[str, Any]
REMEMBERED: Final = 10_000
"""Maximum number of Events that ``tell_once`` remembers."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What was reported about a session."""

    own: Manifest
    """The operator's part of the status."""
    version: str
    """The session's resource version after the write."""
    again: float | None = None
    """Seconds until the part is written, None if it is."""


class Reporter:
    """Write statuses that changed, and post Events."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube
        self._clock = clock
        self._told: dict[tuple[str, events.EventRecord], None] = {}
        """Events that ``tell_once`` has posted, oldest first."""
        self._progress: progress.Progress[tuple[str, str]] = progress.Progress()

    async def report(self, observed: Observed, wanted: Wanted | None) -> Reported:
        """Write the status, post Events about changes, and clear the report of a dead worker."""
        session = observed.session
        await self.tell_once(session, events.ignored(session))
        now = rfc3339(self._clock.now())
        own = status.own_status(status.judged(observed, wanted), None if wanted is None else wanted.template_hash, now)
        if session.deleting and not purge.held(session):
            return Reported(own, session.resource_version)  # it may not exist any more
        version, again = session.resource_version, None
        if status.differs(session.status, own):
            again = self._progress.wait((session.namespace, session.name), session.status, own, self._clock.monotonic())
        if status.differs(session.status, own) and again is None:
            # Before the status: after a crash a repeated Event has the same name, but a missed one is lost.
            problem = None if session.report is None else session.report.problem
            for event in events.events_of(session.status, own, None if problem is None else problem.reason):
                await self.post(session, event)
            # Only on the observed version: a session that was created again must not get the status of its predecessor.
            written = await self._write(session, own, now)
            version = written["metadata"]["resourceVersion"]
            self._progress.wrote((session.namespace, session.name), own, self._clock.monotonic())
            if session.status.get("phase") != own["phase"]:
                log.info("phase: session=%s/%s phase=%s", session.namespace, session.name, own["phase"])
        if status.report_is_stale(observed):
            version = (await self.clear(dataclasses.replace(session, resource_version=version))).resource_version
        return Reported(own, version, again)

    def forget(self, namespace: str, name: str) -> None:
        """Forget a deleted session."""
        self._progress.forget((namespace, name))

    async def clear(self, session: Session) -> Session:
        """Clear the report of a dead worker; returns the session with its new resource version."""
        # Only if the version is unchanged: the first report of a new process must not be lost.
        written = await self._apply(session, {}, names.WORKER_MANAGER, session.resource_version)
        return dataclasses.replace(session, resource_version=written["metadata"]["resourceVersion"])

    async def stall(self, raw: Manifest, problem: Problem, parts: Manifest | None = None) -> str:
        """Report a problem of a session or store of which only ``parts`` are known.

        If the API server rejects even that, only an Event and the log report it. Returns the new resource version.
        """
        found = stalling.unjudged(raw)
        own = stalling.own_status(found, problem, rfc3339(self._clock.now()), parts)
        if all(found.status.get(name) == own.get(name) for name in {*own, *(parts or {})}):
            return found.resource_version
        await self.post(found, stalling.event_of(problem))
        log.warning("stalled: %s=%s/%s why=%r", found.kind, found.namespace, found.name, problem.message)
        try:
            written = await self._apply(found, own, names.OPERATOR_MANAGER, found.resource_version)
        except Refused as error:
            log.warning("status not written: %s=%s/%s %s", found.kind, found.namespace, found.name, error)
            return found.resource_version
        return str(written["metadata"]["resourceVersion"])

    async def _write(self, session: Session, own: Manifest, now: str) -> Manifest:
        """Write the operator's part without the values that the API server rejects."""
        try:
            return await self._apply(session, own, names.OPERATOR_MANAGER, session.resource_version)
        except Refused as error:
            problem = refusals.problem(error)
            smaller = stalling.without(own, session, error, problem, now)
            if smaller is None:
                raise
            await self.post(session, stalling.event_of(problem))
            return await self._apply(session, smaller, names.OPERATOR_MANAGER, session.resource_version)

    async def tell_once(self, session: Session, records: Iterable[events.EventRecord]) -> None:
        """Post Events about repeated observations once, even after they have expired on the API server."""
        for event in records:
            key = (session.uid, event)
            if key not in self._told:
                self._told[key] = None
                await self.post(session, event)
        for key in list(self._told)[: max(0, len(self._told) - REMEMBERED)]:
            del self._told[key]

    async def post(self, subject: Subject, event: events.EventRecord) -> None:
        """Post an Event; an existing one and errors are ignored."""
        try:
            await self._kube.create(events.manifest(subject, event, rfc3339(self._clock.now())))
        except Conflict:
            log.debug("event posted before: subject=%s/%s", subject.namespace, subject.name)
        except KubeError as error:
            log.warning("event not posted: %s", error)

    async def _apply(self, subject: Subject, part: Manifest, manager: str, version: str) -> Manifest:
        metadata = {"name": subject.name, "namespace": subject.namespace, "resourceVersion": version}
        head = {"apiVersion": names.API_VERSION, "kind": subject.kind}
        body = {**head, "metadata": metadata, "status": part}
        return await self._kube.apply(body, manager=manager, subresource="status")
