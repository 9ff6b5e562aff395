"""What no watch shows is found all the same: everything is looked at again in turn."""

import asyncio

import pytest

from scenes.operator import samples
from scenes.operator.cluster import KEY, POD, SESSION, connected, run
from scenes.operator.stores import Stores
from whatsapp_kube.errors import Unreachable
from whatsapp_kube.requests import Ref
from whatsapp_operator import handlers, resync
from whatsapp_operator.observed.state import Key
from whatsapp_session import names


class Clock:
    """Time that passes at once, until it is up."""

    def __init__(self, seconds: float) -> None:
        self.now, self.end = 0.0, seconds

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        if self.now > self.end:
            raise TimeoutError


def visited(known: list[str], seconds: float) -> list[tuple[float, str]]:
    """Return who is looked at when, in so many seconds."""
    found: list[tuple[float, str]] = []
    clock = Clock(seconds)

    async def look(key: str) -> None:
        found.append((clock.now, key))

    async def lists() -> None:
        pass

    with pytest.raises(TimeoutError):
        asyncio.run(resync.walk(lambda: [(look, key) for key in known], clock.sleep, lists))
    return found


def test_a_round_takes_ten_minutes_however_many_there_are() -> None:
    assert visited(["a", "b"], 1200) == [(300, "a"), (600, "b"), (900, "a"), (1200, "b")]
    assert [time for time, _ in visited(["a"] * 600, 10)] == list(range(1, 11))


def test_where_nothing_is_known_yet_nothing_spins() -> None:
    assert visited([], 3600) == []


def test_soon_after_the_start_is_listed_once_more_for_what_no_watch_has_told() -> None:
    clock, listed = Clock(600), []

    async def lists() -> None:
        listed.append(clock.now)
        raise Unreachable(0, "no answer")

    asyncio.run(resync.early(clock.sleep, lists))
    assert listed == [resync.EARLY_SECONDS]


def test_known_are_the_sessions_that_were_seen_and_have_not_gone() -> None:
    cluster = connected()
    assert cluster.operator.known() == [KEY]
    del cluster.kube.objects[SESSION]
    del cluster.kube.objects[POD]
    cluster.settle()
    assert cluster.operator.known() == []


def test_known_are_the_stores_that_were_seen_and_have_not_gone() -> None:
    stores = Stores()
    assert stores.operator.known() == []
    stores.settle()
    assert stores.operator.known() == [Key(samples.NAMESPACE, "default")]
    stores.kube.objects.clear()
    stores.look()
    assert stores.operator.known() == []


def test_rights_that_somebody_deleted_are_back_after_a_round() -> None:
    cluster = connected()
    binding = Ref("RoleBinding", samples.NAMESPACE, "wasession-support")
    del cluster.kube.objects[binding]
    cluster.settle()
    assert binding not in cluster.kube.objects, "no watch says so"
    assert run(cluster.operator.list_access(())) == [KEY]
    cluster.settle()
    assert cluster.kube.objects[binding]["subjects"]


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {}, {"default"}),
        ({"auth": {"remoteAuth": {"storeRef": {"name": "new"}}}}, {}, {"new"}),
        (
            {"auth": {"remoteAuth": {"storeRef": {"name": "new"}}}},
            {"worker": {"last": {"store": "old"}}},
            {"new", "old"},
        ),
        ({}, {"worker": {"last": {"store": "default"}}}, {"default"}),
    ],
    ids=["the default", "named", "also the one that its archives are on", "once"],
)
def test_a_store_concerns_the_sessions_that_name_it_or_left_their_archives_there(
    spec: dict[str, object], status: dict[str, object], expected: set[str]
) -> None:
    assert handlers.stores_of(spec, status) == expected


def test_what_a_user_asks_for_is_spec_deletion_and_requests_and_no_label_and_no_status() -> None:
    plain = samples.session_resource(annotations={"example.com/note": "1"})["metadata"]
    now = handlers.asked(plain)
    relabelled = plain | {"labels": {"team": "x"}, "resourceVersion": "2", "annotations": {"example.com/note": "2"}}
    assert handlers.asked(relabelled) == now
    changes = (
        {"generation": 4},
        {"uid": "another"},
        {"deletionTimestamp": samples.NOON},
        {"annotations": {names.request_annotation("restart"): samples.NOON}},
    )
    assert len({handlers.asked(plain | change) for change in changes} | {now}) == len(changes) + 1
