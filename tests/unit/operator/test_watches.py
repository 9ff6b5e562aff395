"""What a watch delivers, misses or refuses: the cache is right in the end, and each change is announced."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fakes.source import FakeSource
from whatsapp_kube.errors import Conflict, KubeError, Refused, Unreachable
from whatsapp_kube.requests import Manifest, Ref
from whatsapp_operator.kube import Change
from whatsapp_operator.object_cache import ObjectCache
from whatsapp_operator.watches import Watches
from whatsapp_session import names

SESSION = names.SESSION_KIND


def item(version: int, name: str = "support", kind: str = SESSION, **metadata: Any) -> Manifest:
    """Return a version of an object."""
    head = {"name": name, "namespace": "bots", "uid": f"{name}-uid", "resourceVersion": str(version)}
    labels = {"labels": {names.LABEL_SESSION: name.removeprefix("wa-")}} if kind == "Pod" else {}
    version_of = "v1" if kind == "Pod" else names.API_VERSION
    return {"apiVersion": version_of, "kind": kind, "metadata": {**head, **labels, **metadata}}


def expired() -> Unreachable:
    """Return what a server says that does not have the version any more."""
    return Unreachable(410, "too old resource version")


class Played:
    """The watches on a source that plays."""

    def __init__(self, source: FakeSource) -> None:
        self.source, self.cache = source, ObjectCache()
        self.told: list[str] = []
        self.pauses: list[float] = []
        self.completed = 0

    async def _announce(self, found: Mapping[str, Any]) -> None:
        assert self.cache.complete, "announced although more may be there"
        self.told.append(f"{found['metadata']['name']} {found['metadata']['resourceVersion']}")

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def _complete(self) -> None:
        self.completed += 1

    async def _run(self) -> None:
        watches = Watches(self.source, self.cache, self._announce, (), complete=self._complete, sleep=self._sleep)
        task, idle = asyncio.create_task(watches.run()), asyncio.create_task(self.source.idle.wait())
        done, _ = await asyncio.wait((task, idle), timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert done, self.source.asked
        assert watches.ended() == [] or task in done
        for each in (task, idle):
            each.cancel()
        await asyncio.wait((task, idle))
        if not task.cancelled():
            task.result()

    def run(self) -> "Played":
        """Run until each watch has delivered all that it has, or one was refused."""
        asyncio.run(self._run())
        return self


def test_nothing_is_announced_before_all_first_lists_are_there() -> None:
    pods = [[item(1, "wa-a", "Pod")], [item(2, "wa-b", "Pod")]]
    source = FakeSource({SESSION: [[[item(3)]]], "Pod": [pods]})
    played = Played(source).run()
    assert sorted(played.told) == ["support 3", "wa-a 1", "wa-b 2"]
    assert played.completed == 1


def test_what_is_added_changed_and_deleted_is_in_the_cache_and_announced() -> None:
    changes = [
        Change("ADDED", item(10, "wa-a", "Pod")),
        Change("MODIFIED", item(11, "wa-a", "Pod")),
        Change("ADDED", item(12, "wa-b", "Pod")),
        Change("DELETED", item(13, "wa-b", "Pod")),
    ]
    played = Played(FakeSource(watches={"Pod": [changes]})).run()
    assert played.told == ["wa-a 10", "wa-a 11", "wa-b 12", "wa-b 12"]
    assert played.cache.versions("Pod", "") == {Ref("Pod", "bots", "wa-a"): ("wa-a-uid", 11)}


def test_a_watch_that_ends_is_opened_again_where_it_ended_and_nothing_is_listed_again() -> None:
    bookmark = Change("BOOKMARK", {"kind": SESSION, "metadata": {"resourceVersion": "20"}})
    source = FakeSource(watches={SESSION: [[Change("ADDED", item(10))], [bookmark]]})
    played = Played(source).run()
    assert [asked for asked in source.asked if asked.startswith(f"watch {SESSION}")][1:] == [
        f"watch {SESSION} 10",
        f"watch {SESSION} 20",
    ]
    assert source.asked.count(f"list {SESSION}") == 1
    assert played.pauses == []


@pytest.mark.parametrize(
    "end",
    [expired(), Change("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})],
    ids=["as an answer", "in the stream"],
)
def test_a_version_that_is_too_old_is_followed_by_a_list_that_finds_what_was_missed(end: Change | KubeError) -> None:
    first = [[item(1, "gone"), item(2, "same"), item(3, "changed")]]
    second = [[item(2, "same"), item(9, "changed"), item(8, "new")]]
    played = Played(FakeSource({SESSION: [first, second]}, {SESSION: [[end]]})).run()
    assert sorted(played.told[3:]) == ["changed 9", "gone 1", "new 8"]
    assert {ref.name for ref in played.cache.versions(SESSION, "")} == {"same", "changed", "new"}


def test_an_outage_is_waited_for_with_growing_pauses() -> None:
    away = Unreachable(0, "no answer")
    source = FakeSource({SESSION: [away, away, [[item(1)]]]}, {SESSION: [[away], [Conflict(409, "odd")]]})
    played = Played(source).run()
    assert played.told == ["support 1"]
    assert played.pauses == sorted(played.pauses)
    assert len(played.pauses) == 4
    assert source.asked.count(f"list {SESSION}") == 3, "it goes on where it was"


def test_watches_that_deliver_nothing_and_end_at_once_are_no_hot_loop() -> None:
    played = Played(FakeSource(watches={SESSION: [[], [], []]})).run()
    assert len(played.pauses) == 3


def test_a_refusal_ends_the_watches() -> None:
    with pytest.raises(Refused, match="no rights"):
        Played(FakeSource({"Pod": [Refused(403, "no rights")]})).run()


def test_a_pod_that_lost_its_label_is_announced_as_its_sessions() -> None:
    bare = item(5, "wa-support", "Pod", labels={})
    changes = [Change("ADDED", item(4, "wa-support", "Pod")), Change("DELETED", bare)]
    played = Played(FakeSource(watches={"Pod": [changes]})).run()
    assert played.told == ["wa-support 4", "wa-support 4"], "the last version with the label"
    assert played.cache.versions("Pod", "") == {}
