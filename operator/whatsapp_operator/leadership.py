"""Lead, or stand by until the leader is gone: only one operator of an installation works at a time."""

import asyncio
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NoReturn

from whatsapp_kube.errors import Conflict, KubeError, Refused, Unreachable
from whatsapp_kube.requests import Manifest, Ref
from whatsapp_operator import election
from whatsapp_operator.clock import Clock
from whatsapp_operator.errors import LeadershipLost, OperatorError
from whatsapp_operator.kube import Listing, items
from whatsapp_session import names
from whatsapp_session.timestamps import rfc3339

log = logging.getLogger("whatsapp_operator")

MANAGER: Final = f"{names.OPERATOR_MANAGER}-election"
LOOK_SECONDS: Final = 1.0
LABELS: Final = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: election.COMPONENT}


class Leadership:
    """The part of one operator in the election."""

    def __init__(
        self,
        kube: Listing,
        candidate: election.Candidate,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._candidate = candidate
        self._clock = clock
        self._sleep = sleep
        self._told: str | None = None

    def leads(self) -> bool:
        """Return whether this operator leads now."""
        return self._candidate.leads(self._clock.monotonic())

    async def acquire(self) -> None:
        """Stand by until this operator leads."""
        while not await self._try():
            await self._sleep(election.RENEW_SECONDS)
        log.info("leading: lease=%s/%s", self._candidate.lease.namespace, self._candidate.lease.name)

    async def keep(self) -> NoReturn:
        """Renew for ever; raises LeadershipLost when another operator has led.

        An outage of the API server is no reason: ``LeaderKube`` sends nothing until the Lease is renewed.
        """
        while True:
            await self._sleep(election.RENEW_SECONDS)
            await self._try(takes=False)

    async def release(self) -> None:
        """Let another operator lead at once; errors do not matter, because the Lease expires."""
        if not self.leads():
            return
        try:
            await self._kube.apply(self._candidate.released(self._stamp()), manager=MANAGER)
        except KubeError as error:
            log.info("the Lease of the leader expires: %s", error)

    async def refuse_others(self) -> None:
        """Raise OperatorError if the operator of another installation serves one of the same namespaces."""
        foreign = await self._foreign()
        end = self._clock.monotonic() + election.LEASE_SECONDS
        while foreign and self._clock.monotonic() < end:
            await self._sleep(LOOK_SECONDS)
            now = await self._foreign()
            for ref in foreign.keys() & now.keys():
                if now[ref]["metadata"]["resourceVersion"] != foreign[ref]["metadata"]["resourceVersion"]:
                    raise OperatorError(
                        f"another operator ({election.held_by(now[ref])}) already serves these namespaces, by the Lease"
                        f" {ref.namespace}/{ref.name}; stop it, or give each operator its own --namespace"
                    )

    async def _foreign(self) -> dict[Ref, Manifest]:
        """Return the Leases of other installations that somebody holds."""
        try:
            found = await items(self._kube, "Lease", "", LABELS)
        except Refused as error:
            log.warning("other operators are not looked for: %s", error)
            return {}
        named = {Ref("Lease", item["metadata"]["namespace"], item["metadata"]["name"]): item for item in found}
        return {
            ref: item
            for ref, item in named.items()
            if ref != self._candidate.lease
            and election.held_by(item)
            and election.overlaps(item, self._candidate.namespaces)
        }

    async def _try(self, *, takes: bool = True) -> bool:
        """Renew the Lease if possible, take it only if ``takes``; returns whether this operator leads."""
        try:
            found = await self._kube.get(self._candidate.lease)
            if not takes and found is not None and election.held_by(found) != self._candidate.identity:
                raise LeadershipLost
            sent = self._clock.monotonic()
            match self._candidate.step(found, sent, self._stamp()):
                case election.Wait(holder):
                    if holder != self._told:
                        log.info("standing by: leader=%s", holder)
                    self._told = holder
                    return False
                case election.Write(manifest) if found is None:
                    await self._kube.create(manifest)
                case election.Write(manifest):
                    await self._kube.apply(manifest, manager=MANAGER)
            self._candidate.wrote(sent)
        except Conflict:
            log.debug("another operator was faster")
        except KubeError as error:
            log.warning("the Lease of the leader is neither read nor written: %s", error)
        return self.leads()

    def _stamp(self) -> str:
        return rfc3339(self._clock.now(), "microseconds")


def identity() -> str:
    """Return a new identity, by which people recognise the machine or pod."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


@asynccontextmanager
async def leading(leadership: Leadership, lost: Callable[[], None]) -> AsyncIterator[None]:
    """Stand by, then lead until the block ends; calls ``lost`` if another operator takes over meanwhile.

    Raises OperatorError if the operator of another installation serves one of the same namespaces.
    """

    async def keep() -> None:
        try:
            await leadership.keep()
        except LeadershipLost:
            lost()

    await leadership.acquire()
    # Before kopf, which cancels tasks that were created after its start.
    task = asyncio.create_task(keep(), name="election")
    try:
        await leadership.refuse_others()
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await leadership.release()


class LeaderKube:
    """Pass requests to another client while this operator leads; raises Unreachable otherwise, and sends nothing."""

    def __init__(self, inner: Listing, leads: Callable[[], bool]) -> None:
        self._inner = inner
        self._leads = leads

    async def get(self, ref: Ref) -> Manifest | None:
        """Return the object, None if it does not exist."""
        return await self._led().get(ref)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create the object; raises Conflict if its name is taken."""
        return await self._led().create(manifest, dry_run=dry_run)

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply the object on the server side and take over fields of other managers."""
        return await self._led().apply(manifest, manager=manager, subresource=subresource)

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete the object with this UID, if it exists."""
        await self._led().delete(ref, uid=uid, grace=grace)

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set the finalizers of the object at this resource version; None if it does not exist any more."""
        return await self._led().finalize(ref, version=version, finalizers=finalizers)

    def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """Yield the objects of a kind in a namespace, "" for all namespaces, by pages."""
        return self._led().pages(kind, namespace, labels)

    def _led(self) -> Listing:
        if not self._leads():
            raise Unreachable(0, "not sent, because this operator does not lead now")
        return self._inner
