"""Which archives are kept, which go, and what a store that deletes nothing costs."""

import dataclasses
import pathlib

import pytest

from scenes.worker.archives import OWNER, Place
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


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
