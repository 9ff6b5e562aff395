"""Write the session's status and Events: only when they differ, at most about once a second."""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

from whatsapp_session import names, timestamps
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_session.worker_config import ResourceIdentity
from whatsapp_worker.core import status
from whatsapp_worker.core.state import Model
from whatsapp_worker.kube.api import Kube, KubeError

LOG = logging.getLogger("whatsapp_worker")
SPACING = 1.0
_RETRY = Backoff(0.1, 2.0, factor=1.5)
PATIENCE = 5.0
"""Seconds for which the first report waits until the store has told what is saved."""
_EARLY = (SessionState.CLAIMING, SessionState.RESTORING)


def event(resource: ResourceIdentity, kind: str, reason: Reason, message: str) -> dict[str, Any]:
    """Return an Event about the session."""
    now = timestamps.rfc3339(time.time())
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


def worth_telling(before: Model, after: Model) -> list[tuple[str, Reason, str]]:
    """Return the Events (type, reason, message) for a change: what a person cares about, once each. Pure."""
    told = []
    if after.account and after.state is SessionState.SYNCING and before.state is SessionState.AWAITING_LINK:
        told.append(("Normal", Reason.DEVICE_LINKED, f"linked as {after.account.masked}"))
    if after.saved and after.saved != before.saved and after.saved.trigger == SaveTrigger.FIRST_LINK:
        told.append(("Normal", Reason.ARCHIVE_VERIFIED, f"the login is saved as generation {after.saved.generation}"))
    if after.fault and (before.fault is None or after.fault.reason is not before.fault.reason):
        told.append(("Warning", after.fault.reason, after.fault.message))
    for warning in after.warnings:
        if warning.reason not in {known.reason for known in before.warnings}:
            told.append(("Warning", warning.reason, warning.message))
    return told


class StatusReporter:
    """Apply the newest model to ``status.session``; `run` works in the background, `finish` writes the last word."""

    def __init__(self, api: Kube, resource: ResourceIdentity) -> None:
        self._api = api
        self._resource = resource
        self._model: Model | None = None
        self._applied: Mapping[str, Any] | None = None
        self._news = asyncio.Event()
        self._state_news = asyncio.Event()
        self._events: list[dict[str, Any]] = []

    def show(self, current: Model) -> None:
        """Take the newest model; never blocks."""
        before = self._model or Model()
        self._model = current
        self._events += [event(self._resource, *told) for told in worth_telling(before, current)]
        if current.state is not before.state:
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
                    LOG.warning("status=unwritten code=%s message=%s", error.status, error)
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
        while self._model is None or (self._model.state in _EARLY and self._model.fault is None):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
                    self._news.clear()
            except TimeoutError:
                break
        self._news.set()

    async def _apply(self) -> None:
        if self._model is None:
            return
        document = status.session(self._model, self._resource.pod_uid)
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
