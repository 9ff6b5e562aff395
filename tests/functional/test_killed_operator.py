"""The operator killed at a call to the real API server: the next one finishes what it began."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from fakes.kube import Killed
from functional.conftest import IMAGE
from functional.world import Place, World
from whatsapp_kube.requests import Ref
from whatsapp_operator import connection, kube
from whatsapp_operator.clock import ServerClock
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.state import Key
from whatsapp_operator.session.reconciler import Reconciler
from whatsapp_session import names

Manifest = dict[str, Any]


class Mortal:
    """The real seam, whose user is killed at a certain call."""

    def __init__(self, inner: kube.Listing, fatal: int, moment: str) -> None:
        self._inner = inner
        self._left = fatal
        self._moment = moment

    async def _call(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._left -= 1
        if self._left == 0 and self._moment == "before":
            raise Killed
        result = await call()
        if self._left == 0:
            raise Killed
        return result

    @property
    def died(self) -> bool:
        """Return whether the call came."""
        return self._left <= 0

    async def get(self, ref: Ref) -> Manifest | None:
        """Get, or die."""
        found: Manifest | None = await self._call(lambda: self._inner.get(ref))
        return found

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create, or die."""
        made: Manifest = await self._call(lambda: self._inner.create(manifest, dry_run=dry_run))
        return made

    async def apply(self, manifest: Manifest, *, manager: str, subresource: str = "") -> Manifest:
        """Apply, or die."""
        made: Manifest = await self._call(lambda: self._inner.apply(manifest, manager=manager, subresource=subresource))
        return made

    async def delete(self, ref: Ref, *, uid: str, grace: int | None = None) -> None:
        """Delete, or die."""
        await self._call(lambda: self._inner.delete(ref, uid=uid, grace=grace))

    async def finalize(self, ref: Ref, *, version: str, finalizers: Sequence[str]) -> Manifest | None:
        """Set finalizers, or die."""
        found: Manifest | None = await self._call(
            lambda: self._inner.finalize(ref, version=version, finalizers=finalizers)
        )
        return found

    async def pages(
        self, kind: str, namespace: str, labels: Mapping[str, str | None] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """List, or die."""
        found: list[Manifest] = await self._call(lambda: kube.items(self._inner, kind, namespace, labels))
        yield found


async def live(world: World, place: Place, fatal: int, moment: str) -> Manifest:
    """Bring a session to its pod, killed once on the way; returns what is there in the end."""
    loaded = await connection.find(str(world.plane.kubeconfig), None)
    defaults = WorkerDefaults(image=IMAGE, cluster="cluster")
    key = Key(place.name, "support")
    async with kube.ClusterKube(loaded) as seam:
        with contextlib.suppress(Killed):
            await Reconciler(Mortal(seam, fatal, moment), defaults, ServerClock()).reconcile(key)
        await Reconciler(seam, defaults, ServerClock()).reconcile(key)
        before = place.get("support")["metadata"]["resourceVersion"]
        await Reconciler(seam, defaults, ServerClock()).reconcile(key)
    await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop
    session, pod, lease = place.get("support"), place.pod("support"), place.lease("support")
    assert pod is not None
    assert lease is not None
    assert session["metadata"]["resourceVersion"] == before, "a settled session was written"
    marks = {session["status"]["worker"]["podUID"], lease["metadata"]["annotations"][names.ANNOTATION_WORKER_POD_UID]}
    assert marks == {pod["metadata"]["uid"]}
    return {"phase": session["status"]["phase"], "kinds": [len(place.admin.items(kind, place.name)) for kind in KINDS]}


KINDS = ("Pod", "Lease", "Role", "RoleBinding", "ServiceAccount")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fatal", range(4, 16))
def test_an_operator_that_is_killed_at_a_call_leaves_nothing_that_the_next_cannot_finish(
    world: World, place: Place, fatal: int, moment: str
) -> None:
    place.store()
    place.session("support")
    found = asyncio.run(live(world, place, fatal, moment))
    assert found == {"phase": "Starting", "kinds": [1, 1, 1, 1, 1]}


DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
PURGER = names.purge_pod("support")


def purge_ends(place: Place) -> None:
    """Play the kubelet: the pod that purges has run, if it is there."""
    if place.admin.get("Pod", place.name, PURGER) is not None:
        place.admin.merge("Pod", place.name, PURGER, {"status": {"phase": "Succeeded"}}, "status")


async def leave(world: World, place: Place, fatal: int, moment: str) -> None:
    """Bring a deleted session to its end, killed once on the way."""
    loaded = await connection.find(str(world.plane.kubeconfig), None)
    defaults = WorkerDefaults(image=IMAGE, cluster="cluster")
    key = Key(place.name, "support")
    async with kube.ClusterKube(loaded) as seam:

        async def look() -> None:
            await Reconciler(seam, defaults, ServerClock()).reconcile(key)

        await look()
        place.admin.delete(names.SESSION_KIND, place.name, "support")
        mortal = Mortal(seam, fatal, moment)
        with contextlib.suppress(Killed):
            # Its worker was on no node, so that it is gone at once.
            for _ in range(3):
                await Reconciler(mortal, defaults, ServerClock()).reconcile(key)
                purge_ends(place)
        assert mortal.died, f"there are no {fatal} calls"
        for _ in range(3):
            await look()
            purge_ends(place)
        await look()
    await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("fatal", range(4, 22, 3))
def test_an_operator_that_is_killed_during_a_deletion_leaves_nothing_behind(
    world: World, place: Place, fatal: int, moment: str
) -> None:
    place.store()
    place.session("support", **DELETE)
    asyncio.run(leave(world, place, fatal, moment))
    assert place.admin.get(names.SESSION_KIND, place.name, "support") is None
    assert place.admin.items("Pod", place.name) == []
