"""Write the session's status and Events: only when they differ, at most about once a second."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any, TypeAlias

from whatsapp_kube.errors import KubeError
from whatsapp_session import names, timestamps
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_session.worker_config import ResourceIdentity
from whatsapp_worker.core import changes, status
from whatsapp_worker.core.state import State
from whatsapp_worker.kube.api import Kube
from whatsapp_worker.system import steady_clock

LOG = logging.getLogger("whatsapp_worker")
SPACING = 1.0
_RETRY = Backoff(0.1, 2.0, factor=1.5)
PATIENCE = 5.0
"""Seconds for which the first report waits until the store has told what is saved."""
_EARLY = (SessionState.CLAIMING, SessionState.RESTORING)


Told: TypeAlias = tuple[str, Reason, str]
"""Type, reason and message of an Event."""


def event(resource: ResourceIdentity, told: Told, moment: float) -> dict[str, Any]:
    """Return an Event about the session."""
    (kind, reason, message), now = told, timestamps.rfc3339(moment)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{resource.name}.{secrets.token_hex(8)}", "namespace": resource.namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.SESSION_KIND,
            "name": resource.name,
            "namespace": resource.namespace,
            "uid": resource.uid,
        },
        "type": kind,
        "reason": str(reason),
        "message": message[:1000],
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": names.WORKER_MANAGER, "host": resource.node_name},
        "reportingComponent": names.WORKER_MANAGER,
        "reportingInstance": resource.pod_name,
    }


def worth_telling(change: changes.Change) -> Told | None:
    """Return the Event (type, reason, message) for a change that a user cares about, None for any other. Pure."""
    match change:
        case changes.StateChanged(SessionState.AWAITING_LINK, SessionState.SYNCING, account) if account:
            return "Normal", Reason.DEVICE_LINKED, f"linked as {account.masked}"
        case changes.GenerationSaved(saved) if saved.trigger == SaveTrigger.FIRST_LINK:
            return "Normal", Reason.ARCHIVE_VERIFIED, f"the login is saved as generation {saved.generation}"
        case changes.ProblemReported(problem, before) if before is None or problem.reason is not before.reason:
            return "Warning", problem.reason, problem.message
        case changes.WarningRaised(warning):
            return "Warning", warning.reason, warning.message
        case _:
            return None


class StatusReporter:
    """Apply the newest state to ``status.session``; `run` works in the background, `finish` writes the last word."""

    def __init__(
        self,
        api: Kube,
        resource: ResourceIdentity,
        clock: steady_clock.SteadyClock | None = None,
        restart_count: int | None = None,
    ) -> None:
        self._process = status.Process(resource.pod_uid, restart_count)
        self._clock = clock or steady_clock.SteadyClock()
        self._api = api
        self._resource = resource
        self._state: State | None = None
        self._applied: Mapping[str, Any] | None = None
        self._news = asyncio.Event()
        self._state_news = asyncio.Event()
        self._events: list[dict[str, Any]] = []

    def show(self, current: State) -> None:
        """Take the newest state; never blocks."""
        before, self._state = self._state or State(), current
        for change in changes.changes(before, current):
            if (told := worth_telling(change)) is not None:
                self._events.append(event(self._resource, told, self._clock.now()))
            if isinstance(change, changes.StateChanged):
                self._state_news.set()
        self._news.set()

    async def run(self) -> None:
        """Apply what is new, for ever; what fails is tried again."""
        await self._wait_for_the_store()
        failures = 0
        while True:
            await self._news.wait()
            self._news.clear()
            self._state_news.clear()
            try:
                await self._apply()
                failures = 0
            except KubeError as error:
                if error.status not in (0, 401, 403, 404):
                    LOG.warning("status=unwritten code=%s message=%.300s", error.status, error)
                self._news.set()
                failures += 1
                await asyncio.sleep(_RETRY.after(failures))
                continue
            try:
                async with asyncio.timeout(SPACING):
                    await self._state_news.wait()
            except TimeoutError:
                pass

    async def finish(self, patience: float = 5.0) -> None:
        """Write the last state; gives up after ``patience`` seconds, the termination message says the rest."""
        try:
            async with asyncio.timeout(patience):
                await self._apply()
        except (TimeoutError, KubeError):
            LOG.info("status=unwritten last=true")

    async def _wait_for_the_store(self) -> None:
        # A first report without `saved` would look as if nothing were in the store.
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while self._state is None or (self._state.session_state in _EARLY and self._state.problem is None):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
                    self._news.clear()
            except TimeoutError:
                break
        self._news.set()

    async def _apply(self) -> None:
        if self._state is None:
            return
        document = status.session(self._state, self._process, self._clock.ahead)
        if document != self._applied:
            await self._api.apply_session(document)
            self._applied = document
        while self._events:
            try:
                await self._api.create_event(self._events[0])
            except KubeError as error:
                if error.status in (0, 401, 403, 429, 500, 503):
                    raise
            self._events.pop(0)
