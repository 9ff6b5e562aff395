"""Publishing, fetching and pruning archives on the log."""

import os
import pathlib
import tracemalloc
from collections.abc import Callable, Iterable

import pytest

from scenes.worker import profile_maker
from scenes.worker.archives import OWNER, Place
from whatsapp_worker import errors
from whatsapp_worker.profile import snapshot
from whatsapp_worker.repository import generations, log, records
from whatsapp_worker.stores import filesystem


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


def test_what_is_published_is_restored_as_it_was(place: Place, tmp_path: pathlib.Path) -> None:
    published = place.publish()
    place.kept.fetch(published.generation, tmp_path / "fresh")
    with snapshot.Staging(tmp_path / "fresh", profile_maker.ORIGIN).closed(None) as again:
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
    with pytest.raises(errors.Superseded, match="at the same time"):
        place.publish()


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
    assert len(reads) < 7, reads
    place.store.fail = lambda verb, name: None
    assert place.archives() == [61, 62]


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
    with pytest.raises(errors.StoreUnavailable, match="in the meantime"):
        place.publish()
    assert place.publish().generation.number == 2
    assert place.archives() == [1, 2], "the second attempt's own archive has gone"
    recorded = [record.body for record in place.journal.back(place.journal.head)]
    stored = {entry.name for entry in place.store.list("RemoteAuth/archives/")}
    assert {body.archive for body in recorded if isinstance(body, records.Generation)} == stored


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
    with snapshot.Staging(root, profile_maker.ORIGIN).closed(None) as staged:
        inodes = {path.stat().st_ino for path in staged.folder.rglob("*") if path.is_file()}
        assert {path.stat().st_ino for path in blobs.iterdir()} <= inodes, "linked, not copied"
        size = generations.Generations(store, journal).publish(staged, "hash", "Interval", "156.0").generation.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 35 << 20
    assert peak < 16 << 20, f"{peak >> 20} MiB"
