"""Publishing, fetching and pruning archives on the log."""

import dataclasses
import os
import pathlib
import tracemalloc
from collections.abc import Callable, Iterable

import pytest

from scenes.worker import profile_maker
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption, snapshot
from whatsapp_worker.repository import generations, log, records
from whatsapp_worker.stores import filesystem, memory

OWNER = records.Owner(host="h", data_path="/d")


class Place:
    def __init__(self, root: pathlib.Path, keep: int = 2, keys: encryption.Keys | None = None) -> None:
        self.store = memory.MemoryStore()
        self.root = profile_maker.profile(root / "profile")
        self.journal = log.SessionLog(self.store, "RemoteAuth", OWNER)
        self.keep = keep
        self.use(keys)
        self.journal.append(records.Claim(60))

    def use(self, keys: encryption.Keys | None) -> None:
        """Go on as a new process would, with these keys."""
        self.kept = generations.Generations(self.store, self.journal, self.keep, keys)

    def publish(self, proven: int = 0, account: str = "hash") -> generations.Published:
        about = generations.About(account, "Interval", "156.0", "0.1", proven)
        with snapshot.Snapshotter(self.root, profile_maker.ORIGIN).closed(None) as staged:
            return self.kept.publish(staged, about)

    def archives(self) -> list[int]:
        return [int(entry.name.split("/")[-1].split("-")[0]) for entry in self.store.list("RemoteAuth/archives/")]


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


def test_what_is_published_is_restored_as_it_was(place: Place, tmp_path: pathlib.Path) -> None:
    published = place.publish()
    place.kept.fetch(published.generation, tmp_path / "fresh")
    with snapshot.Snapshotter(tmp_path / "fresh", profile_maker.ORIGIN).closed(None) as again:
        assert again.content_digest == published.generation.content_digest
    assert published.generation.checks == ("linked", "databases")


def test_a_publish_after_anothers_claim_is_refused_and_its_archive_removed(place: Place) -> None:
    other = log.SessionLog(place.store, "RemoteAuth", OWNER)
    other.newest()
    other.append(records.Claim(60))
    with pytest.raises(errors.Superseded):
        place.publish()
    assert place.archives() == []


def test_a_claim_that_follows_at_once_takes_the_word_back(place: Place) -> None:
    other = log.SessionLog(place.store, "RemoteAuth", OWNER)

    def claim(verb: str, name: str) -> None:
        if verb == "create" and "/log/" in name:
            place.store.after = lambda verb, name: None
            other.newest()
            other.append(records.Claim(60))

    place.store.after = claim
    with pytest.raises(errors.Superseded, match="followed at once"):
        place.publish()


def test_the_newest_and_the_newest_proven_are_kept(place: Place) -> None:
    for _ in range(3):
        place.publish()
    assert place.archives() == [2, 3]
    place.publish(proven=2)
    place.publish(proven=2)
    assert place.archives() == [2, 4, 5], "2 is the newest that a restore has brought to Connected"


def test_the_newest_proven_is_kept_by_who_has_not_seen_the_proof(place: Place) -> None:
    for proven in (0, 0, 2, 2):
        place.publish(proven)
    place.use(None)
    for _ in range(4):
        place.publish()
    assert place.archives() == [2, 7, 8], "no restore has proven a newer one"
    place.publish(proven=7)
    place.publish()
    assert place.archives() == [7, 9, 10]


@pytest.mark.parametrize("word", [records.Logout("hash"), records.Purge()], ids=["logout", "purge"])
def test_a_proof_ends_with_its_link(place: Place, word: records.Body) -> None:
    for proven in (0, 0, 2):
        place.publish(proven)
    place.journal.append(word)
    assert [place.publish().generation.proven for _ in range(3)] == [0, 0, 0]
    assert place.archives() == [5, 6]


def test_a_proof_of_another_account_is_not_taken_over(place: Place) -> None:
    for proven in (0, 1):
        place.publish(proven, account="first")
    assert place.publish(account="second").generation.proven == 0


def test_a_publish_reads_a_log_of_years_only_as_far_as_there_are_archives(place: Place) -> None:
    for _ in range(60):
        place.publish()
    again = generations.Generations(place.store, place.journal, keep=2)
    reads: list[str] = []
    place.store.fail = lambda verb, name: reads.append(name) if verb == "read" else None
    place.kept = again
    place.publish()
    assert len(reads) < 12, reads
    reads.clear()
    place.publish()
    assert len(reads) < 5, reads
    place.store.fail = lambda verb, name: None
    assert place.archives() == [61, 62]


def test_a_generation_that_was_proven_long_ago_is_found_without_reading_all_since(place: Place) -> None:
    first = place.publish().generation
    for number in range(2, 2001):  # their archives have gone
        place.journal.append(dataclasses.replace(first, number=number, archive=f"gone-{number}", proven=1))
    reads: list[str] = []
    place.use(None)
    place.store.fail = lambda verb, name: reads.append(name) if verb == "read" else None
    place.publish(proven=1)
    place.kept.sweep()
    place.store.fail = lambda verb, name: None
    assert place.archives() == [1, 2001]
    assert len(reads) < 100, len(reads)


def test_archives_of_a_link_that_the_phone_removed_go_when_the_same_account_has_saved_anew(place: Place) -> None:
    place.publish()
    place.publish()
    place.journal.append(records.Logout("hash"))
    place.publish()
    assert place.archives() == [2, 3]
    place.publish()
    assert place.archives() == [3, 4]


def test_slots_are_never_deleted(place: Place) -> None:
    for _ in range(5):
        place.publish()
    assert len(list(place.store.list("RemoteAuth/log/"))) == 6


def test_another_accounts_archive_is_no_fallback(place: Place) -> None:
    place.publish(account="first")
    second = place.publish(account="second")
    assert place.kept.next_candidate(place.journal.head + 1) == second
    assert place.kept.next_candidate(second.slot) is None, "a link is asked for, and not somebody else's login used"


def test_another_accounts_archives_stay(place: Place) -> None:
    place.publish(account="first")
    for _ in range(4):
        place.publish(account="second")
    assert place.archives() == [1, 4, 5]


def test_the_store_failing_half_way_leaves_the_log_as_it_was(place: Place) -> None:
    def fail(verb: str, name: str) -> None:
        if verb == "create" and "/archives/" in name:
            raise errors.StoreUnavailable("full")

    place.store.fail = fail
    with pytest.raises(errors.StoreUnavailable):
        place.publish()
    assert place.journal.head == 1
    place.store.fail = lambda verb, name: None
    assert place.publish().generation.number == 1


@pytest.mark.parametrize("harm", ["cut", "longer", "other"])
def test_an_archive_that_is_not_what_was_saved_is_refused(place: Place, tmp_path: pathlib.Path, harm: str) -> None:
    generation = place.publish().generation
    content = place.store.contents[generation.archive]
    changed = {"cut": content[:-1], "longer": content + b"x", "other": b"x" * len(content)}[harm]
    place.store.contents[generation.archive] = changed
    with pytest.raises(errors.ArchiveDamaged, match="digest differs"):
        place.kept.fetch(generation, tmp_path / "fresh")
    assert [path.name for path in tmp_path.iterdir()] == ["profile"], "no rubble"


def walked(place: Place) -> list[int]:
    """Return the numbers of the candidates in the order in which a restore tries them."""
    numbers, below = [], place.journal.head + 1
    while (found := place.kept.next_candidate(below)) is not None:
        numbers.append(found.generation.number)
        below = found.slot
    return numbers


def test_only_what_retention_keeps_is_a_candidate(place: Place) -> None:
    for _ in range(3):
        place.publish()
    place.publish(proven=2)
    for _ in range(3):
        place.publish(proven=2)
    assert walked(place) == [7, 6, 2]


def test_candidates_come_newest_first_and_end_at_a_logout(place: Place) -> None:
    place.publish()
    place.journal.append(records.Logout("hash"))
    place.publish()
    place.publish()
    assert walked(place) == [3, 2]


def test_an_archive_whose_record_landed_unseen_is_kept_and_numbered_on(place: Place) -> None:
    def after(verb: str, name: str) -> None:
        if "/log/" not in name:
            return

        def fail(verb: str, name: str) -> None:
            place.store.fail = lambda verb, name: None
            raise errors.StoreUnavailable("down")

        place.store.after, place.store.fail = (lambda verb, name: None), fail
        raise errors.StoreUnavailable("lost")

    place.store.after = after
    with pytest.raises(errors.StoreUnavailable):
        place.publish()
    assert place.publish().generation.number == 2
    assert place.archives() == [1, 2]


def test_an_archive_whose_record_was_never_written_goes_with_the_next_publish(place: Place) -> None:
    def fail(verb: str, name: str) -> None:
        if verb == "create" and "/log/" in name:
            raise errors.StoreUnavailable("down")

    place.store.fail = fail
    with pytest.raises(errors.StoreUnavailable):
        place.publish()
    assert place.archives() == [1]
    place.store.fail = lambda verb, name: None
    place.publish()
    assert len(place.archives()) == 1


def test_what_a_killed_predecessor_uploaded_without_a_record_is_swept_at_the_claim(place: Place) -> None:
    place.publish()
    place.store.create("RemoteAuth/archives/00000002-orphan.zip", [b"x"])
    place.kept.sweep()
    assert place.archives() == [1]


def test_uploads_are_not_swept_once_a_later_claim_stands(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[str] = []
    monkeypatch.setattr(place.store, "sweep", swept.append, raising=False)
    place.store.create("RemoteAuth/archives/00000009-left.zip", [b"x"])
    other = log.SessionLog(place.store, "RemoteAuth", OWNER)
    other.newest()

    def claim(verb: str, name: str) -> None:
        if verb == "delete":
            other.append(records.Claim(60))

    place.store.fail = claim
    with pytest.raises(errors.Superseded):
        place.kept.sweep()
    assert swept == []


def hold_back_the_next_record(place: Place) -> Callable[[], None]:
    """Let the next record's request be late, its writer told nothing; returns what lets it arrive."""
    create, held = place.store.create, dict[str, bytes]()

    def late(name: str, content: Iterable[bytes]) -> None:
        if "/log/" not in name:
            return create(name, content)
        held[name] = b"".join(content)
        place.store.create = create  # type: ignore[method-assign] # once
        raise errors.StoreUnavailable("no answer in time")

    place.store.create = late  # type: ignore[method-assign] # the fake has no delay of its own
    return lambda: place.store.contents.update(held)


@pytest.mark.parametrize("part", ["/archives/", "/log/"], ids=["during the upload", "just before the next record"])
def test_a_record_that_lands_late_keeps_its_number_and_its_archive(place: Place, part: str) -> None:
    land = hold_back_the_next_record(place)
    with pytest.raises(errors.StoreUnavailable):
        place.publish()

    def landing(verb: str, name: str) -> None:
        if verb == "create" and part in name:
            place.store.fail = lambda verb, name: None
            land()

    place.store.fail = landing
    with pytest.raises(errors.StoreUnavailable, match="has landed meanwhile"):
        place.publish()
    assert place.publish().generation.number == 2
    assert place.archives() == [1, 2], "the second attempt's own archive has gone"
    recorded = [record.body for record in place.journal.back(place.journal.head)]
    stored = {entry.name for entry in place.store.list("RemoteAuth/archives/")}
    assert {body.archive for body in recorded if isinstance(body, records.Generation)} == stored


def test_no_archive_of_a_number_that_stands_twice_in_an_old_log_is_an_orphan(place: Place) -> None:
    first = place.publish().generation
    again = dataclasses.replace(first, archive="RemoteAuth/archives/00000001-again.zip", proven=1)
    place.store.create(again.archive, [b"x"])
    place.journal.append(again)
    for number in range(2, 40):
        place.journal.append(dataclasses.replace(first, number=number, archive=f"gone-{number}"))
    place.kept.sweep()
    assert place.archives() == [1, 1]


def deny_deletes(place: Place, part: str = "") -> None:
    def refuse(verb: str, name: str) -> None:
        if verb == "delete" and part in name:
            raise errors.StoreDenied("may not delete")

    place.store.fail = refuse


def test_a_save_counts_though_nothing_can_be_deleted_and_says_so_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    deny_deletes(place)
    for number in range(1, 7):
        assert place.publish().generation.number == number
    assert len(caplog.records) == 1
    assert "may not delete" in caplog.text
    place.store.fail = lambda verb, name: None
    place.publish()
    assert place.archives() == [6, 7], "tried again at the next save"


def test_one_archive_that_cannot_be_deleted_does_not_keep_the_others(place: Place) -> None:
    first = place.publish().generation
    deny_deletes(place, first.archive)
    for _ in range(4):
        place.publish()
    assert place.archives() == [1, 4, 5]


def test_a_store_that_falls_silent_behind_the_record_costs_the_tidying_only(place: Place) -> None:
    def after(verb: str, name: str) -> None:
        def fail(verb: str, name: str) -> None:
            if verb in ("list", "delete"):
                raise errors.StoreUnavailable("down")

        if "/log/" in name:
            place.store.fail = fail

    place.store.after = after
    for _ in range(3):
        place.publish()
    place.store.after = place.store.fail = lambda verb, name: None
    place.publish()
    assert place.archives() == [3, 4]


def test_a_writer_that_was_superseded_hears_that_though_its_archive_cannot_be_deleted(place: Place) -> None:
    other = log.SessionLog(place.store, "RemoteAuth", OWNER)
    other.newest()
    other.append(records.Claim(60))
    deny_deletes(place)
    with pytest.raises(errors.Superseded):
        place.publish()


def test_publishing_a_large_profile_takes_little_memory_and_no_second_copy(tmp_path: pathlib.Path) -> None:
    root = profile_maker.profile(tmp_path / "profile")
    blobs = next(path for path in root.rglob("*.indexeddb.blob")) / "1" / "01"
    blobs.mkdir()
    for number in range(7):
        (blobs / str(number)).write_bytes(os.urandom(5 << 20))
    store = filesystem.FilesystemStore(tmp_path / "store")
    journal = log.SessionLog(store, "RemoteAuth", OWNER)
    journal.append(records.Claim(60))
    tracemalloc.start()
    with snapshot.Snapshotter(root, profile_maker.ORIGIN).closed(None) as staged:
        inodes = {path.stat().st_ino for path in staged.folder.rglob("*") if path.is_file()}
        assert {path.stat().st_ino for path in blobs.iterdir()} <= inodes, "linked, not copied"
        about = generations.About("hash", "Interval", "156.0", "0.1")
        size = generations.Generations(store, journal).publish(staged, about).generation.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 35 << 20
    assert peak < 16 << 20, f"{peak >> 20} MiB"
