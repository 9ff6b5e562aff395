"""Copying a session to another store: whole, resumable, and never into somebody else's history."""

import dataclasses
import pathlib

import pytest

from scenes.worker.archives import KEY
from scenes.worker.transfers import COPIER, POD, SESSION, Scene, harm, kinds, side
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import fencing, generations, log, purge, records, request_history, transfer
from whatsapp_worker.stores import four_verbs, memory


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Scene:
    return Scene(tmp_path)


def test_what_is_kept_arrives_byte_for_byte_with_its_numbers(scene: Scene, tmp_path: pathlib.Path) -> None:
    assert scene.copy() == 2
    assert scene.restorable(scene.target) == [3, 2]
    for name, content in scene.target.contents.items():
        if "/archives/" in name:
            assert scene.place.store.contents[name] == content
    assert kinds(scene.target) == ["Claim", "Generation", "Generation", "Release"]
    assert scene.told == ["generation 3 (0.0 MB): copied", "generation 2 (0.0 MB): copied"]
    journal = log.SessionLog(scene.target, SESSION, POD)
    journal.newest()
    assert request_history.held_a_login(journal.back(journal.head)), "the session's known account finds its login there"
    found = generations.Generations(scene.target, journal).next_candidate(journal.head)
    assert found is not None
    generations.Generations(scene.target, journal).fetch(found.generation, tmp_path / "fresh")


def test_the_source_keeps_what_it_has_and_is_released(scene: Scene) -> None:
    before = scene.place.archives()
    scene.copy()
    assert scene.place.archives() == before
    assert kinds(scene.place.store)[-2:] == ["Claim", "Release"]


def test_copying_again_writes_nothing(scene: Scene) -> None:
    scene.copy()
    before = dict(scene.target.contents), dict(scene.place.store.contents)
    assert scene.copy() == 0
    assert (scene.target.contents, scene.place.store.contents) == before


def test_what_the_source_saved_since_follows(scene: Scene) -> None:
    scene.copy()
    scene.place.journal.newest()
    scene.place.journal.append(records.Claim(60))
    scene.place.publish()
    scene.place.journal.append(records.Release())
    assert scene.copy() == 1
    assert scene.restorable(scene.target) == [4, 3, 2]


def test_two_histories_are_not_joined(scene: Scene, tmp_path: pathlib.Path) -> None:
    other = Scene(tmp_path / "other")
    with pytest.raises(errors.StoreRefused, match="that the source does not know, up to generation 3"):
        scene.copy(target=other.place.store)
    assert kinds(other.place.store)[-1] == "Release"


def test_numbers_never_go_back_in_a_target_that_was_purged(scene: Scene) -> None:
    there = log.SessionLog(scene.target, SESSION, POD)
    there.append(records.Claim(60))
    there.append(records.Generation(9, f"{SESSION}/archives/00000009-x.zip", "d", 1, "c", "b", "w", "h", "t", "u"))
    there.append(records.Purge())
    there.append(records.Release())
    with pytest.raises(errors.StoreRefused, match="up to generation 9"):
        scene.copy()


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_session_in_use_is_refused_by_name_until_a_person_takes_it_over(scene: Scene, which: str) -> None:
    journal = log.SessionLog(scene.place.store if which == "source" else scene.target, SESSION, POD)
    journal.newest()
    journal.append(records.Claim(60))
    with pytest.raises(errors.SessionInUse, match="pod wa-x of namespace n"):
        scene.copy()
    assert scene.restorable(scene.target) == []
    assert scene.copy(over=True) == 2
    assert scene.waited == [62.0], "the old owner has stopped before the copy is released"


def test_a_source_without_the_session_is_said_to_be_perhaps_the_wrong_one(scene: Scene) -> None:
    with pytest.raises(errors.ArchiveMissing, match="right store"):
        scene.copy(memory.MemoryStore())
    assert scene.target.contents == {}


def test_a_session_that_was_logged_out_has_nothing_to_copy(scene: Scene) -> None:
    scene.place.journal.append(records.Logout("hash"))
    with pytest.raises(errors.ArchiveMissing):
        scene.copy()


def test_a_damaged_archive_is_left_out_and_said(scene: Scene) -> None:
    harm(scene, 3)
    assert scene.copy() == 1
    assert scene.restorable(scene.target) == [2]
    assert "generation 3 (0.0 MB): left out" in scene.told[0]


def test_nothing_is_recorded_when_no_archive_is_whole(scene: Scene) -> None:
    harm(scene, 2)
    harm(scene, 3)
    with pytest.raises(errors.ArchiveMissing, match="is intact"):
        scene.copy()
    assert "Generation" not in kinds(scene.target)
    assert kinds(scene.place.store)[-1] == "Release"


@pytest.mark.parametrize("at", range(1, 8))
def test_a_copy_that_breaks_off_anywhere_is_finished_by_the_next(scene: Scene, at: int) -> None:
    count = 0

    def fail(verb: str, name: str) -> None:
        nonlocal count
        count += verb == "create"
        if verb == "create" and count >= at:
            raise errors.StoreUnavailable("down")

    scene.target.fail = fail
    try:
        scene.copy()
    except errors.StoreUnavailable:
        scene.target.fail = lambda verb, name: None
        stranger = log.SessionLog(scene.target, SESSION, POD)
        if stranger.newest() is not None and kinds(scene.target)[-1] != "Release":
            with pytest.raises(errors.SessionInUse):
                fencing.must_wait(stranger.previous(), POD, fencing.ClaimEvidence())
        scene.copy()
    scene.target.fail = lambda verb, name: None
    assert scene.restorable(scene.target) == [3, 2]
    assert kinds(scene.target)[-1] == "Release", "and a worker may start"


def test_an_encrypted_session_moves_without_its_key(tmp_path: pathlib.Path) -> None:
    scene = Scene(tmp_path, encryption.Keys(KEY))
    scene.copy()
    journal = log.SessionLog(scene.target, SESSION, POD)
    journal.newest()
    found = generations.Generations(scene.target, journal).next_candidate(journal.head)
    assert found is not None
    generations.Generations(scene.target, journal, keys=encryption.Keys(KEY)).fetch(
        found.generation, tmp_path / "fresh"
    )


def test_a_source_that_holds_nothing_is_no_fault_to_who_says_so(scene: Scene) -> None:
    empty = memory.MemoryStore()
    assert scene.copy(empty, if_any=True) == 0
    assert (empty.contents, scene.target.contents) == ({}, {})


def test_what_was_purged_in_the_target_is_copied_again(scene: Scene) -> None:
    scene.copy()
    there = log.SessionLog(scene.target, SESSION, COPIER)
    purge.purge(scene.target, there, fencing.ClaimEvidence(), scene.waited.append)
    assert scene.restorable(scene.target) == []
    assert scene.copy() == 2
    assert scene.restorable(scene.target) == [3, 2]


def test_a_stop_that_came_before_the_wait_of_its_claim_had_passed_is_waited_for(scene: Scene) -> None:
    scene.copy()
    stopped = log.SessionLog(scene.place.store, SESSION, dataclasses.replace(COPIER, pid=8))
    stopped.newest()
    stopped.append(records.Claim(60, wait_seconds=62))
    stopped.append(records.Release(62))
    assert scene.copy() == 0
    assert scene.waited == [62]
    assert scene.copy() == 0
    assert scene.waited == [62], "once"


def test_a_target_in_use_is_refused_before_anything_is_written(scene: Scene) -> None:
    journal = log.SessionLog(scene.target, SESSION, POD)
    journal.append(records.Claim(60))
    before = dict(scene.place.store.contents)
    with pytest.raises(errors.SessionInUse):
        scene.copy()
    assert scene.place.store.contents == before


@pytest.mark.parametrize("linked_again", [True, False])
def test_without_a_whole_newer_archive_the_targets_older_one_is_the_fallback_while_its_link_lasts(
    scene: Scene, linked_again: bool
) -> None:
    scene.copy()
    scene.place.journal.newest()
    scene.place.journal.append(records.Claim(60))
    if linked_again:
        scene.place.journal.append(records.Logout("hash"))
    scene.place.publish()
    scene.place.journal.append(records.Release())
    harm(scene, 4)
    if linked_again:
        with pytest.raises(errors.ArchiveMissing, match="is intact"):
            scene.copy()
    else:
        assert scene.copy() == 0
    assert scene.restorable(scene.target) == [3, 2]


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_store_without_a_log_is_refused(scene: Scene, which: str) -> None:
    class Simple:
        def session_exists(self, session: str) -> bool:
            return False

        def save(self, session: str, path: pathlib.Path) -> None:
            raise AssertionError

        extract = save

        def delete(self, session: str) -> None:
            raise AssertionError

    unfenced = four_verbs.UnfencedStore("simple", Simple())
    other = transfer.Side(unfenced, log.SessionLog(unfenced, SESSION, COPIER))
    sides = (other, side(scene.target)) if which == "source" else (side(scene.place.store), other)
    with pytest.raises(errors.StoreRefused, match="keeps one archive and no log"):
        transfer.copy(*sides, transfer.How(fencing.ClaimEvidence(), scene.waited.append, scene.told.append))
