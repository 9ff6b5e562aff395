"""Take, renew and give back the session's Lease: the first of the two witnesses.

`standing` and the two builders are pure; `Holder` performs. Source: the persistence protocol, section 4.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from whatsapp_kube.errors import KubeError
from whatsapp_session import timestamps
from whatsapp_session.backoff import Backoff
from whatsapp_worker.core import operator_notes
from whatsapp_worker.kube.api import Kube
from whatsapp_worker.system import steady_clock, watchdog

LOG = logging.getLogger("whatsapp_worker")
_RETRY = Backoff(0.1, 2.0, factor=1.5)
"""Seconds: the policy refuses until the operator has named this pod, which takes a moment at each start."""
Lease = Mapping[str, Any]
OnSeen = Callable[[Lease, float], None]
"""Hears of each Lease of ours, with the boot clock's time before it was asked for."""


def duration(lease: Lease) -> float:
    """Return the seconds after which others may take a Lease that is not renewed."""
    return float(lease.get("spec", {}).get("leaseDurationSeconds") or 60)


class LeaseOwnership(Enum):
    """Whose a Lease is, as seen by one worker."""

    MINE = auto()
    FREE = auto()
    HELD = auto()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A holder's last renewal and when this worker first saw it, on its own monotonic clock."""

    holder: str
    renewed: str
    since: float


def sight(lease: Lease, before: Sighting | None, now: float) -> Sighting:
    """Return the sighting; an unchanged holder and time keep the moment of the first look."""
    spec = lease.get("spec", {})
    holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
    if before and (before.holder, before.renewed) == (holder, renewed):
        return before
    return Sighting(holder, renewed, now)


def ownership_of(lease: Lease, me: str, seen: Sighting, now: float) -> LeaseOwnership:
    """Judge whose the Lease is."""
    if seen.holder == me:
        return LeaseOwnership.MINE
    if not seen.holder or operator_notes.read(lease).terminated_pod_uid == seen.holder:
        return LeaseOwnership.FREE
    return LeaseOwnership.FREE if now - seen.since >= duration(lease) else LeaseOwnership.HELD


def taken(lease: Lease, me: str, moment: str) -> dict[str, Any]:
    """Return the Lease as its new holder writes it; renewing one's own changes the time only."""
    spec = dict(lease.get("spec", {}))
    if spec.get("holderIdentity") != me:
        spec |= {"acquireTime": moment, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1}
    return {**lease, "spec": {**spec, "holderIdentity": me, "renewTime": moment}}


def given_back(lease: Lease, moment: str) -> dict[str, Any]:
    """Return the Lease without a holder."""
    return {**lease, "spec": {**lease["spec"], "holderIdentity": "", "renewTime": moment}}


class Holder:
    """Hold one Lease for this pod."""

    def __init__(
        self,
        api: Kube,
        pod_uid: str,
        on_seen: OnSeen = lambda lease, asked: None,
        clock: steady_clock.SteadyClock | None = None,
    ) -> None:
        self._api = api
        self._me = pod_uid
        self._on_seen = on_seen
        self._clock = clock or steady_clock.SteadyClock()
        self._lease: dict[str, Any] | None = None
        self.silent_since = 0.0
        """Monotonic time since which no request was answered, 0 while the API answers."""

    def _moment(self) -> str:
        """Return the present time as Kubernetes' MicroTime."""
        return timestamps.rfc3339(self._clock.now(), "microseconds")

    async def acquire(self, waiting: Callable[[str], None], held: Callable[[str], None] | None = None) -> None:
        """Wait until the Lease is ours; ``waiting`` hears why it is not yet, ``held`` when another pod has it.

        ``silent_since`` tells meanwhile since when the API has not answered.
        """
        seen: Sighting | None = None
        slow = False
        for tries in itertools.count(1):
            try:
                lease = await self._api.get_lease()
                self.silent_since = 0.0
                seen = sight(lease, seen, time.monotonic())
                if ownership_of(lease, self._me, seen, time.monotonic()) is LeaseOwnership.HELD:
                    (held or waiting)(f"the Lease is held by pod {seen.holder}")
                    slow = True
                else:
                    asked = watchdog.now()
                    self._lease = await self._api.put_lease(taken(lease, self._me, self._moment()))
                    self._on_seen(self._lease, asked)
                    return
            except KubeError as error:
                self.silent_since = (self.silent_since or time.monotonic()) if error.status == 0 else 0.0
                if error.status not in (403, 404, 409):
                    waiting(str(error))
            await asyncio.sleep(_RETRY.longest if slow else _RETRY.after(tries))

    async def keep(self, lost: Callable[[str], None]) -> None:
        """Renew at a third of the duration, with jitter, until another pod holds it; then ``lost`` gets that holder.

        An API that does not answer, or refuses, is asked again and again: only another holder is a loss.
        """
        while self._lease is not None:
            await asyncio.sleep(duration(self._lease) / 3 * random.uniform(0.85, 1.0))  # noqa: S311  spreads load, guards nothing
            holder = await self._renew()
            if holder:
                lost(f"the Lease was taken by pod {holder}")
                return

    async def _renew(self) -> str:
        """Renew once, however long it takes; returns the other holder if there is one."""
        failures = 0
        while self._lease is not None:
            try:
                asked = watchdog.now()
                self._lease = await self._api.put_lease(taken(self._lease, self._me, self._moment()))
                self._on_seen(self._lease, asked)
                return ""
            except KubeError as error:
                LOG.info("lease=unrenewed status=%s", error.status)
            with contextlib.suppress(KubeError):
                lease = await self._api.get_lease()
                holder = lease["spec"].get("holderIdentity") or ""
                if holder not in ("", self._me):
                    return str(holder)
                self._lease = lease
            failures += 1
            await asyncio.sleep(_RETRY.after(failures))
        return ""

    async def release(self) -> None:
        """Give the Lease back; one that cannot be reached expires."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        for _ in range(3):
            try:
                await self._api.put_lease(given_back(lease, self._moment()))
                return
            except KubeError as error:
                if error.status != 409:
                    LOG.info("lease=unreleased status=%s", error.status)
                    return
            with contextlib.suppress(KubeError):
                lease = await self._api.get_lease()
                if lease["spec"].get("holderIdentity") != self._me:
                    return
