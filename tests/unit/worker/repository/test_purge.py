"""Deleting what a store keeps of a session: nothing is left, nobody is harmed, and a crash anywhere is repaired."""

import datetime

import pytest

from whatsapp_worker import errors
from whatsapp_worker.repository import fencing, generations, log, purge, records
from whatsapp_worker.stores import memory

SESSION = "RemoteAuth-support"
WORKER = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p1", host="wa-support")
PURGER = records.Owner(cluster="c", namespace="n", session_uid="s", pod_uid="p2", host="wp-support")
OTHER = records.Owner(cluster="c2", namespace="n", session_uid="t", pod_uid="p3", host="wa-support")
NOTHING = fencing.ClaimEvidence()
UPLOADED = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def saved(journal: log.SessionLog, store: memory.MemoryStore, number: int) -> None:
    """Save one archive."""
    name = journal.archive_name(number)
    store.create(name, [b"archive"])
    body = records.Generation(number, name, "d", 7, "c", "156", "0.1", "h", "Interval", "t")
    journal.append(body)


def lived(owner: records.Owner = WORKER, *, released: bool = True) -> memory.MemoryStore:
    """Return a store in which a session has saved twice, and of which a JavaScript store has a copy."""
    store = memory.MemoryStore()
    journal = log.SessionLog(store, SESSION, owner)
    journal.append(records.Claim(60))
    saved(journal, store, 1)
    saved(journal, store, 2)
    store.write_copy(SESSION, b"archive", UPLOADED)
    if released:
        journal.append(records.Release())
    return store


def purge_session(
    store: memory.MemoryStore,
    owner: records.Owner = PURGER,
    known: fencing.ClaimEvidence = NOTHING,
    waits: list[float] | None = None,
) -> purge.Purged:
    """Purge as somebody."""
    slept = [] if waits is None else waits
    return purge.purge(store, log.SessionLog(store, SESSION, owner), known, slept.append)


def kinds(store: memory.MemoryStore) -> list[str]:
    """Return what the log holds, oldest first."""
    journal = log.SessionLog(store, SESSION, PURGER)
    journal.newest()
    return [type(record.body).__name__ for record in journal.back(journal.head)][::-1]


def left(store: memory.MemoryStore) -> list[str]:
    """Return what is there besides the log."""
    return [*(name for name in store.contents if "/log/" not in name), *store.copies]


def test_archives_and_copy_go_and_the_log_says_so() -> None:
    store = lived()
    assert purge_session(store) == purge.Purged(archives=2, copy=True)
    assert left(store) == []
    assert kinds(store) == ["Claim", "Generation", "Generation", "Release", "Claim", "Purge", "Release"]


def test_another_session_in_the_store_is_not_touched() -> None:
    store = lived()
    store.create("RemoteAuth-support-2/archives/00000001-a.zip", [b"other"])
    store.write_copy("RemoteAuth-support-2", b"other", UPLOADED)
    purge_session(store)
    assert left(store) == ["RemoteAuth-support-2/archives/00000001-a.zip", "RemoteAuth-support-2"]


def test_what_was_purged_is_neither_restored_nor_missed_and_numbers_go_on() -> None:
    store = lived()
    purge_session(store)
    journal = log.SessionLog(store, SESSION, OTHER)
    assert not fencing.must_wait(journal.newest(), OTHER, NOTHING)
    claim = journal.append(records.Claim(60))
    kept = generations.Generations(store, journal)
    assert kept.next_candidate(claim.slot) is None
    assert journal.last_number() == 2


def test_a_second_purge_writes_nothing() -> None:
    store = lived()
    purge_session(store)
    before = dict(store.contents)
    assert purge_session(store) == purge.Purged()
    assert store.contents == before


def test_a_session_that_never_lived_gets_no_log() -> None:
    store = memory.MemoryStore()
    assert purge_session(store) == purge.Purged()
    assert store.contents == {}


def test_a_copy_without_a_log_goes_too() -> None:
    store = memory.MemoryStore()
    store.write_copy(SESSION, b"of a JavaScript store", UPLOADED)
    assert purge_session(store) == purge.Purged(archives=0, copy=True)
    assert left(store) == []


def test_a_session_that_another_owner_holds_is_refused_and_untouched() -> None:
    store = lived(OTHER, released=False)
    before = dict(store.contents)
    with pytest.raises(errors.SessionInUse, match="in use by pod wa-support"):
        purge_session(store)
    assert store.contents == before
    assert purge_session(store, known=fencing.ClaimEvidence(take_over=True)).archives == 2


def test_a_stray_writer_is_fenced_and_what_it_leaves_is_deleted_too() -> None:
    store = lived(released=False)
    stray = log.SessionLog(store, SESSION, WORKER)
    stray.newest()
    waits: list[float] = []

    def upload(seconds: float) -> None:
        waits.append(seconds)
        store.create(stray.archive_name(3), [b"late"])
        with pytest.raises(errors.Superseded):
            stray.append(records.Release())

    purge.purge(store, log.SessionLog(store, SESSION, PURGER), NOTHING, upload)
    assert waits == [62.0]
    assert left(store) == []


def test_nobody_else_may_follow_while_archives_are_being_deleted() -> None:
    store = lived()
    seen: list[str] = []

    def try_to_follow(verb: str, name: str) -> None:
        if verb == "delete":
            head = log.SessionLog(store, SESSION, OTHER).newest()
            with pytest.raises(errors.SessionInUse):
                fencing.must_wait(head, OTHER, NOTHING)
            seen.append(name)

    store.fail = try_to_follow
    purge_session(store)
    assert len(seen) == 2


class Sweeping(memory.MemoryStore):
    """A store that has something to sweep."""

    def sweep(self, prefix: str) -> None:
        self.fail("sweep", prefix)


@pytest.mark.parametrize("at", ["list", "delete", "stat_copy", "delete_copy"])
def test_what_a_later_owner_has_brought_is_not_among_what_is_deleted(at: str) -> None:
    store = Sweeping()
    store.contents, store.copies = lived().contents, lived().copies
    other, seen = log.SessionLog(store, SESSION, OTHER), list[str]()

    def take_over(verb: str, name: str) -> None:
        seen.append(verb)
        if verb != at or other.head or "/log/" in name or seen.count("create") < 2:  # claim and purge
            return
        other.newest()
        other.append(records.Claim(60))
        if at != "delete_copy":  # who asked to delete it before that claim is a minute ahead of the other's first save
            saved(other, store, 3)
            store.write_copy(SESSION, b"the other's", UPLOADED)

    store.fail = take_over
    with pytest.raises(errors.Superseded):
        purge_session(store)
    assert "sweep" not in seen
    if at != "delete_copy":
        assert f"{SESSION}/archives/00000003" in "".join(left(store))
        assert store.copies[SESSION][1] == b"the other's"


def test_a_purge_that_is_killed_at_any_call_is_finished_by_the_next() -> None:
    calls: list[str] = []
    store = lived()
    store.fail = lambda verb, name: calls.append(verb)
    purge_session(store)
    for fatal in range(len(calls)):
        store, seen = lived(), list[str]()

        def die(verb: str, name: str, fatal: int = fatal, seen: list[str] = seen) -> None:
            seen.append(verb)
            if len(seen) > fatal:
                raise KeyboardInterrupt

        store.fail = die
        with pytest.raises(KeyboardInterrupt):
            purge_session(store)
        store.fail = lambda verb, name: None
        purge_session(store)
        assert left(store) == [], f"killed at {calls[fatal]} ({fatal})"
        assert kinds(store)[-1] == "Release"
        assert kinds(store).count("Purge") == 1
