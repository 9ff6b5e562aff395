"""Copying a session to another store: whole, resumable, and never into somebody else's history."""

import dataclasses
import pathlib

import pytest

from unit.worker.profile.test_encryption import KEY
from unit.worker.repository.test_generations import OWNER, Place
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption
from whatsapp_worker.repository import fencing, generations, log, purge, records, request_history, transfer
from whatsapp_worker.stores import four_verbs, memory

SESSION = "RemoteAuth"
COPIER = records.Owner(host="desk", boot_id="b", pid=7, data_path="/home")
POD = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p", host="wa-x")


class Scene:
    """A source with a session of three generations, of which two are kept, released; an empty target."""

    def __init__(self, root: pathlib.Path, keys: encryption.Keys | None = None) -> None:
        self.place = Place(root, keys=keys)
        for _ in range(3):
            self.place.publish()
        self.place.journal.append(records.Release())
        self.target = memory.MemoryStore()
        self.told: list[str] = []
        self.waited: list[float] = []
        self.copier = COPIER

    def copy(
        self,
        source: memory.MemoryStore | None = None,
        target: memory.MemoryStore | None = None,
        *,
        over: bool = False,
        if_any: bool = False,
    ) -> int:
        how = transfer.How(fencing.ClaimEvidence(take_over=over), self.waited.append, self.told.append, if_any)
        one, other = source or self.place.store, target or self.target
        return transfer.copy(side(one, self.copier), side(other, self.copier), how)

    def go_on(self, store: memory.MemoryStore, saves: int = 1) -> memory.MemoryStore:
        """Let the session's worker run on another store and save there; returns the store where it was."""
        home = self.place.store
        self.place.store, self.place.journal = store, log.SessionLog(store, SESSION, POD)
        self.place.journal.newest()
        self.place.journal.append(records.Claim(60))
        self.place.use(None)
        for _ in range(saves):
            self.place.publish()
        self.place.journal.append(records.Release())
        return home

    def restorable(self, store: memory.MemoryStore) -> list[int]:
        journal = log.SessionLog(store, SESSION, POD)
        journal.newest()
        kept = generations.Generations(store, journal, 3)
        found, below = [], journal.head + 1
        while (candidate := kept.next_candidate(below)) is not None:
            found.append(candidate.generation.number)
            below = candidate.slot
        return found


def side(store: memory.MemoryStore, copier: records.Owner = COPIER) -> transfer.Side:
    return transfer.Side(store, log.SessionLog(store, SESSION, copier))


def kinds(store: memory.MemoryStore) -> list[str]:
    journal = log.SessionLog(store, SESSION, POD)
    journal.newest()
    return [type(record.body).__name__ for record in journal.back(journal.head)][::-1]


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


def test_a_session_that_went_on_in_the_target_comes_back(scene: Scene) -> None:
    scene.copy()
    home = scene.go_on(scene.target)
    assert scene.copy(scene.target, home) == 1
    assert scene.restorable(home)[0] == 4


def test_two_histories_are_not_joined(scene: Scene, tmp_path: pathlib.Path) -> None:
    other = Scene(tmp_path / "other")
    with pytest.raises(errors.StoreRefused, match="up to generation 3, which the source does not know"):
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
    with pytest.raises(errors.ArchiveMissing, match="is it the right store"):
        scene.copy(memory.MemoryStore())
    assert scene.target.contents == {}


def test_a_session_that_was_logged_out_has_nothing_to_copy(scene: Scene) -> None:
    scene.place.journal.append(records.Logout("hash"))
    with pytest.raises(errors.ArchiveMissing):
        scene.copy()


def harm(scene: Scene, number: int) -> None:
    name = next(name for name in scene.place.store.contents if f"/archives/{number:08d}-" in name)
    scene.place.store.contents[name] = scene.place.store.contents[name][:-1] + b"x"


def test_a_damaged_archive_is_left_out_and_said(scene: Scene) -> None:
    harm(scene, 3)
    assert scene.copy() == 1
    assert scene.restorable(scene.target) == [2]
    assert "generation 3 (0.0 MB): left out" in scene.told[0]


def test_nothing_is_recorded_when_no_archive_is_whole(scene: Scene) -> None:
    harm(scene, 2)
    harm(scene, 3)
    with pytest.raises(errors.ArchiveMissing, match="is whole"):
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


def test_what_was_purged_in_the_target_is_copied_again(scene: Scene) -> None:
    scene.copy()
    there = log.SessionLog(scene.target, SESSION, COPIER)
    purge.purge(scene.target, there, fencing.ClaimEvidence(), scene.waited.append)
    assert scene.restorable(scene.target) == []
    assert scene.copy() == 2
    assert scene.restorable(scene.target) == [3, 2]


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
        with pytest.raises(errors.ArchiveMissing, match="is whole"):
            scene.copy()
    else:
        assert scene.copy() == 0
    assert scene.restorable(scene.target) == [3, 2]


def counted_reads(store: memory.MemoryStore) -> list[str]:
    """Return a list that grows by each slot of a log that is read from now on."""
    reads: list[str] = []

    def count(verb: str, name: str) -> None:
        if verb == "read" and "/log/" in name:
            reads.append(name)

    store.fail = count
    return reads


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


def pass_by(store: memory.MemoryStore, slots: int = transfer._FAR, *words: records.Body) -> None:
    """Let a session's worker write so many slots, whose archives have gone since, and these words before them."""
    journal = log.SessionLog(store, SESSION, POD)
    journal.newest()
    last = journal.last_generation()
    assert last is not None
    for word in words:
        journal.append(word)
    for number in range(last.number + 1, last.number + 1 + slots):
        proven = 0 if words else last.proven
        journal.append(dataclasses.replace(last, number=number, archive=f"gone-{number}", proven=proven))
    journal.append(records.Release())


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
