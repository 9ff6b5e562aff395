"""A session that went on in the store it was copied to comes back, however long ago that was."""

import pathlib

import pytest

from scenes.worker.archives import OWNER
from scenes.worker.transfers import Scene, counted_reads, kinds, pass_by
from whatsapp_worker import errors
from whatsapp_worker.repository import records, transfer
from whatsapp_worker.stores import memory


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def test_a_session_that_went_on_in_the_target_comes_back(scene: Scene) -> None:
    scene.copy()
    home = scene.go_on(scene.target)
    assert scene.copy(scene.target, home) == 1
    assert scene.restorable(home)[0] == 4


@pytest.mark.parametrize("linked_again", [True, False])
def test_a_logout_that_the_target_has_not_heard_of_goes_with_the_copy(scene: Scene, linked_again: bool) -> None:
    scene.copy()
    scene.place.journal.newest()
    scene.place.journal.append(records.Claim(60))
    scene.place.journal.append(records.Logout("hash"))
    if linked_again:
        scene.place.publish()
    scene.place.journal.append(records.Release())
    assert scene.copy() == int(linked_again)
    assert scene.restorable(scene.target) == ([4] if linked_again else []), "a dead link is never restored"
    assert kinds(scene.target)[-1] == "Release"
    before = dict(scene.target.contents)
    assert scene.copy() == 0
    assert scene.target.contents == before


def test_a_dead_history_leaves_its_last_number_so_that_the_way_back_stays_open(scene: Scene) -> None:
    scene.place.journal.append(records.Logout("hash"))
    scene.place.journal.append(records.Release())
    assert scene.copy(if_any=True) == 0
    assert kinds(scene.target) == ["Claim", "Generation", "Logout", "Release"]
    assert scene.restorable(scene.target) == []
    home = scene.go_on(scene.target)
    assert scene.copy(scene.target, home) == 1
    assert scene.restorable(home) == [4]


def test_the_way_back_is_open_although_the_target_lacks_what_came_between(scene: Scene) -> None:
    home = scene.place.store
    scene.copy()
    scene.go_on(scene.target, 4)
    third = memory.MemoryStore()
    assert scene.copy(scene.target, third) == 2
    with pytest.raises(errors.StoreRefused, match="up to generation 3"):
        scene.copy(third, home)
    # The third store has never heard of what the first one saved last; but it was this session's.
    scene.copier = OWNER
    assert scene.copy(third, home) == 2
    assert scene.restorable(home)[:2] == [7, 6]


def test_a_log_is_read_down_to_the_oldest_archive(scene: Scene) -> None:
    for _ in range(200):
        scene.place.journal.append(records.Claim(60))
    for _ in range(2):
        scene.place.publish()
    scene.place.journal.append(records.Release())
    reads = counted_reads(scene.place.store)
    assert scene.copy() == 2
    assert len(reads) < 100


def test_a_long_log_is_not_read_to_its_beginning(scene: Scene) -> None:
    for _ in range(transfer._FAR):
        scene.place.journal.append(records.Claim(60))
    scene.place.publish()
    scene.place.journal.append(records.Release())
    reads = counted_reads(scene.place.store)
    assert scene.copy() == 1
    assert len(reads) < 2 * transfer._FAR + 100


def test_the_way_back_is_open_however_many_saves_came_between(scene: Scene) -> None:
    scene.copy()
    home = scene.go_on(scene.target, saves=1)
    pass_by(scene.target)
    scene.go_on(scene.target, saves=2)
    assert scene.copy(scene.target, home) == 2
    assert scene.restorable(home)[:2] == [transfer._FAR + 6, transfer._FAR + 5]


def test_what_ended_a_link_is_heard_of_on_the_way_back_however_long_ago_it_was(scene: Scene) -> None:
    scene.copy()
    home = scene.go_on(scene.target, saves=1)
    pass_by(scene.target, transfer._FAR, records.Logout("hash"))
    scene.go_on(scene.target, saves=2)
    assert scene.copy(scene.target, home) == 2
    assert "Logout" in kinds(home)
    assert len(scene.restorable(home)) == 2, "what was saved before is dead"


def test_a_generation_that_was_proven_long_ago_is_copied(scene: Scene) -> None:
    store = scene.place.store
    scene.place.publish(proven=3)
    pass_by(store)
    scene.go_on(store, saves=2)
    reads = counted_reads(store)
    assert scene.copy() == 3
    assert len(reads) < 2 * transfer._FAR + 200
    store.fail = lambda verb, name: None
    assert sorted(int(name.split("/")[-1][:8]) for name in scene.target.contents if "/archives/" in name)[0] == 3
