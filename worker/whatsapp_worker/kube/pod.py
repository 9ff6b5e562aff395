"""Run a worker in its pod: Lease first, then the session, status and health beside it."""

import asyncio
import contextlib
import json
import logging
import os
import pathlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from whatsapp_session import names, untrusted, worker_config
from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker import client
from whatsapp_worker.core import events, operator_notes, requests
from whatsapp_worker.core.state import Problem, State
from whatsapp_worker.kube import health, lease, status_reporter
from whatsapp_worker.kube.api import Names, in_cluster
from whatsapp_worker.repository import records
from whatsapp_worker.runtime import runner
from whatsapp_worker.system import processes, restart_count, steady_clock, watchdog

LOG = logging.getLogger("whatsapp_worker")
BLIND_AFTER = 10.0
"""Seconds of the API's silence after which a restarted container looks whether it may go on without."""
MESSAGE_BYTES = 1900
"""Of the sentence in a termination message: the kubelet cuts the whole at 4096 bytes, and half of JSON says nothing."""
MakeClient = Callable[[records.Owner, tuple[runner.Reporter, ...], Callable[[], operator_notes.Notes]], client.Client]
_EVENTS: Mapping[str, Callable[[str], requests.Request]] = {
    requests.SAVE: events.SaveRequested,
    requests.RELINK: events.RelinkRequested,
    requests.TAKEOVER: events.TakeOverRequested,
}


def owner(resource: worker_config.ResourceIdentity) -> records.Owner:
    """Return who writes this pod's records."""
    mine = processes.me()
    return records.Owner(
        cluster=resource.cluster,
        namespace=resource.namespace,
        session_uid=resource.uid,
        pod_uid=resource.pod_uid,
        host=resource.pod_name,
        boot_id=processes.boot_id(),
        pid=mine.pid,
        start_time=mine.start_time,
    )


def termination_message(outcome: runner.Outcome) -> str:
    """Return what the operator reads when the container has ended: JSON of less than 4096 bytes, in any language."""
    # JSON writes a quotation mark or a backslash in two bytes.
    said = untrusted.text(outcome.message).encode()[:MESSAGE_BYTES].decode(errors="ignore")
    document: dict[str, object] = {"message": said, "exitCode": int(outcome.code)}
    if outcome.reason is not None:
        document["reason"] = str(outcome.reason)
    return json.dumps(document, ensure_ascii=False)


def write_termination_message(outcome: runner.Outcome) -> None:
    """Leave the message where the kubelet looks for it."""
    with contextlib.suppress(OSError):  # the exit code says the rest
        pathlib.Path(names.TERMINATION_LOG).write_text(termination_message(outcome), encoding="utf-8")


class LeaseAnnotations:
    """Know what stands on the Lease, and pass its requests to the session each time that it is seen."""

    def __init__(self) -> None:
        self._notes = operator_notes.Notes()
        self._seen = False
        self.asked = 0.0
        self._until = float("inf")
        """The boot clock's time at which others may take the Lease, if it is not renewed before."""
        self.running: client.Client | None = None

    def see(self, seen: Mapping[str, Any], asked: float = 0.0) -> None:
        """Look at a Lease that has just been taken or renewed; ``asked`` is the boot clock's time before that."""
        found = operator_notes.read(seen)
        if self._seen:
            # What the first look said of the previous owner stays true.
            found = replace(found, terminated_pod_uid=self._notes.terminated_pod_uid)
        self._seen, self._notes = True, found
        self.asked = asked
        self._until = asked + lease.duration(seen)
        if self.running is not None:
            self.running.lease_renewed(asked)
            for request, time in found.requests.items():
                self.running.request(_EVENTS[request](time))

    def notes(self) -> operator_notes.Notes:
        """Return what stood there last."""
        return replace(self._notes, expired=watchdog.now() >= self._until)


async def run(config: worker_config.WorkerConfig, make_client: MakeClient) -> runner.Outcome:
    """Run until the session ends; returns why."""
    resource = config.resource
    assert resource is not None, "only a pod of the operator has a resource"
    stopped = asyncio.Event()
    board = LeaseAnnotations()

    def stop() -> None:
        stopped.set()
        if board.running is not None:
            board.running.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    own = Names(resource.namespace, resource.name)
    clock = steady_clock.SteadyClock()
    async with health.served(config.health_port, lambda: board.running), in_cluster(os.environ, own, clock) as api:
        status = status_reporter.StatusReporter(api, resource, clock, restart_count.count(resource.pod_uid))
        holder = lease.Holder(api, resource.pod_uid, board.see, clock)
        telling = asyncio.create_task(status.run())
        try:
            running = make_client(owner(resource), (status,), board.notes)
            running.clock = clock
            start = await _permitted(holder, _Waiting(status, clock), stopped, running.may_start_blind)
            clock.settle()
            if start is Start.NOT:
                return runner.Outcome(ExitCode.DONE, None, "stopped before the Lease was ours")
            board.running = running
            return await _kept(holder, board, stopped, blind=start is Start.BLIND)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await status.finish()
            await holder.release()


class Start(Enum):
    """How a worker may begin."""

    NOT = auto()
    HOLDING = auto()
    """The Lease is ours."""
    BLIND = auto()
    """API and store are silent, and what lies there is this pod's own profile."""


async def _kept(
    holder: lease.Holder, board: LeaseAnnotations, stopped: asyncio.Event, *, blind: bool
) -> runner.Outcome:
    running = board.running
    assert running is not None, "made by the caller"

    async def hold() -> None:
        if blind:
            await holder.acquire(lambda why: None, held=running.supersede)
        await holder.keep(running.supersede)

    holding = asyncio.create_task(hold())
    try:
        running.start(blind=blind)
        if not blind:
            running.lease_renewed(board.asked)
        if stopped.is_set():
            running.stop()
        return await running.run()
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


class _Waiting:
    """Say why a worker waits for its Lease. The API server's first answer may move the clock meanwhile."""

    def __init__(self, status: status_reporter.StatusReporter, clock: steady_clock.SteadyClock) -> None:
        self._status = status
        self._clock = clock
        self._began = watchdog.now()
        self._told: dict[str, float] = {}

    def show(self, why: str = "") -> None:
        """Show a reason, "" for none yet; the same again is no news."""
        problem = None
        if why:
            if why not in self._told:
                LOG.info("lease=untaken why=%s", why)
            first = self._told.setdefault(why, watchdog.now())
            problem = Problem(Reason.LEASE_HELD, why, self._clock.at(first))
        self._status.show(State(since=self._clock.at(self._began), problem=problem))


async def _permitted(
    holder: lease.Holder,
    told: "_Waiting",
    stopped: asyncio.Event,
    may_start_blind: Callable[[], Awaitable[bool]],
) -> Start:
    """Wait for the Lease, for a stop, or for the silence in which this pod's own profile may go on."""
    loop = asyncio.get_running_loop()
    told.show()
    taking = loop.create_task(holder.acquire(told.show))
    stopping = loop.create_task(stopped.wait())
    found = Start.NOT
    while found is Start.NOT and not stopping.done():
        await asyncio.wait({taking, stopping}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            taking.result()
            found = Start.HOLDING
        elif holder.silent_since and time.monotonic() - holder.silent_since > BLIND_AFTER and await may_start_blind():
            found = Start.BLIND
    for task in (stopping, taking):
        task.cancel()
    await asyncio.gather(stopping, taking, return_exceptions=True)
    return found
