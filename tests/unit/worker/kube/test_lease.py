"""The Lease: when it may be taken, how it is renewed, lost and given back."""

import asyncio
from typing import Any

import pytest

from fakes.worker_kube import LEASE, WorkerKube
from whatsapp_session import names
from whatsapp_worker.core import operator_notes
from whatsapp_worker.kube import lease, pod
from whatsapp_worker.system import watchdog

ME, OTHER = "uid-me", "uid-other"


def made(holder: str = "", renewed: str = "", duration: int = 60, **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": LEASE.namespace, "name": LEASE.name, "annotations": annotations},
        "spec": {"leaseDurationSeconds": duration, "holderIdentity": holder, "renewTime": renewed},
    }


@pytest.mark.parametrize(
    ("found", "seen_for", "expected"),
    [
        pytest.param(made(), 0, lease.LeaseOwnership.FREE, id="no holder"),
        pytest.param(made(ME), 0, lease.LeaseOwnership.MINE, id="ours, the container restarted"),
        pytest.param(made(OTHER), 59, lease.LeaseOwnership.HELD, id="another, seen for less than its duration"),
        pytest.param(made(OTHER), 60, lease.LeaseOwnership.FREE, id="another, unchanged for its duration"),
        pytest.param(
            made(OTHER, **{names.ANNOTATION_TERMINATED_POD_UID: OTHER}),
            0,
            lease.LeaseOwnership.FREE,
            id="another, known to be gone",
        ),
        pytest.param(
            made(OTHER, **{names.ANNOTATION_TERMINATED_POD_UID: "uid-older"}),
            0,
            lease.LeaseOwnership.HELD,
            id="an older one is gone",
        ),
    ],
)
def test_a_lease_stands_as_it_is_seen(found: dict[str, Any], seen_for: float, expected: lease.LeaseOwnership) -> None:
    seen = lease.sight(found, None, 100.0)
    seen = lease.sight(found, seen, 100.0 + seen_for)
    assert lease.ownership_of(found, ME, seen, 100.0 + seen_for) is expected


def test_a_renewal_starts_the_observers_clock_anew() -> None:
    seen = lease.sight(made(OTHER, "1"), None, 0.0)
    seen = lease.sight(made(OTHER, "2"), seen, 59.0)
    assert lease.ownership_of(made(OTHER, "2"), ME, seen, 100.0) is lease.LeaseOwnership.HELD


def test_taking_counts_a_transition_and_renewing_does_not() -> None:
    taken = lease.taken(made(OTHER), ME, "t1")
    assert taken["spec"] == {
        "leaseDurationSeconds": 60,
        "holderIdentity": ME,
        "acquireTime": "t1",
        "renewTime": "t1",
        "leaseTransitions": 1,
    }
    assert lease.taken(taken, ME, "t2")["spec"] == {**taken["spec"], "renewTime": "t2"}


async def acquired(api: WorkerKube) -> lease.Holder:
    holder = lease.Holder(api, ME)
    async with asyncio.timeout(60):
        await holder.acquire(lambda why: None)
    return holder


async def test_refusals_while_the_operator_has_not_named_the_pod_are_waited_out_in_silence() -> None:
    api = WorkerKube(made())
    api.refuse = {"get": [404, 403], "replace": [403, 409]}
    said: list[str] = []
    holder = lease.Holder(api, ME)
    async with asyncio.timeout(60):
        await holder.acquire(said.append)
    assert api.lease["spec"]["holderIdentity"] == ME
    assert said == []


async def test_a_held_lease_is_waited_for_and_the_waiting_says_for_whom() -> None:
    api = WorkerKube(made(OTHER, duration=1))
    said: list[str] = []
    holder = lease.Holder(api, ME)
    async with asyncio.timeout(60):
        await holder.acquire(said.append)
    assert said[0] == f"the Lease is held by pod {OTHER}"
    assert api.lease["spec"]["holderIdentity"] == ME


async def test_what_the_operator_has_written_is_seen_when_the_lease_is_taken() -> None:
    api, seen = WorkerKube(made(OTHER, **{names.ANNOTATION_TERMINATED_POD_UID: OTHER})), list[lease.Lease]()
    async with asyncio.timeout(60):
        await lease.Holder(api, ME, lambda found, asked: seen.append(found)).acquire(lambda why: None)
    assert operator_notes.read(seen[0]).terminated_pod_uid == OTHER


async def test_a_renewal_survives_refusals_conflicts_and_silence() -> None:
    api = WorkerKube(made(duration=1))
    holder = await acquired(api)
    before = api.lease["spec"]["renewTime"]
    api.refuse = {"replace": [401, 404, 0, 409], "get": [401, 404]}
    lost: list[str] = []
    keeping = asyncio.create_task(holder.keep(lost.append))
    async with asyncio.timeout(60):
        while api.refuse["replace"] or api.lease["spec"]["renewTime"] == before:  # noqa: ASYNC110  the fake tells nobody
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert lost == []


async def test_only_another_holder_is_a_loss() -> None:
    api = WorkerKube(made(duration=1))
    holder = await acquired(api)
    api.change_lease(holderIdentity=OTHER)
    lost: list[str] = []
    async with asyncio.timeout(60):
        await holder.keep(lost.append)
    assert lost == [f"the Lease was taken by pod {OTHER}"]


async def test_a_clean_stop_gives_the_lease_back_even_after_a_conflict() -> None:
    api = WorkerKube(made())
    holder = await acquired(api)
    api.change_lease()
    await holder.release()
    assert api.lease["spec"]["holderIdentity"] == ""


async def test_anothers_lease_is_not_given_back() -> None:
    api = WorkerKube(made())
    holder = await acquired(api)
    api.change_lease(holderIdentity=OTHER)
    await holder.release()
    assert api.lease["spec"]["holderIdentity"] == OTHER


def test_a_lease_that_was_not_renewed_for_its_duration_may_be_anothers() -> None:
    board = pod.LeaseAnnotations()
    assert not board.notes().expired, "without Kubernetes there is none"
    board.see(made(ME, duration=60), watchdog.now() - 61)
    assert board.notes().expired
    board.see(made(ME, duration=60), watchdog.now() - 30)
    assert not board.notes().expired
