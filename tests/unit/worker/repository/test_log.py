"""The numbered log: one winner a slot, unknown outcomes settled by nonce, holes refused."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import memory

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def ids(prefix: str = "n") -> log.Ids:
    numbers = itertools.count(1)
    return log.Ids(MOMENT.timestamp, lambda: f"{prefix}{next(numbers)}")


def journal(store: memory.MemoryStore, who: str = "a") -> log.SessionLog:
    return log.SessionLog(store, "RemoteAuth", records.Owner(host=who, data_path="/d"), ids(who))


def generation(number: int) -> records.Generation:
    return records.Generation(
        number, f"RemoteAuth/archives/{number}.zip", "d", 1, "c", "156", "0.1", "h", "Interval", "t"
    )


def test_a_record_is_written_as_the_protocol_says() -> None:
    store = memory.MemoryStore()
    journal(store).append(records.Claim(60))
    assert json.loads(store.contents["RemoteAuth/log/000000000001.json"]) == {
        "formatVersion": 1,
        "slot": 1,
        "kind": "claim",
        "time": "2026-01-02T03:04:05.678Z",
        "nonce": "a1",
        "owner": {"host": "a", "dataPath": "/d"},
        "claim": {"pollSeconds": 60, "takeover": "", "waitSeconds": 0.0},
    }


def test_records_come_back_as_they_were_written() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    bodies: list[records.Body] = [
        records.Claim(60),
        generation(1),
        records.Logout("h"),
        records.Release(),
        records.Purge(),
    ]
    written = [writer.append(body) for body in bodies]
    assert list(journal(store).back(5)) == written[::-1]


def test_the_head_is_found_even_when_the_listing_lags() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    for _ in range(3):
        writer.append(records.Release())
    listing = list(store.list("RemoteAuth/log/"))[:2]
    store.list = lambda prefix: iter(listing)  # type: ignore[method-assign] # a store that lists late
    reader = journal(store)
    head = reader.newest()
    assert head is not None
    assert (head.slot, reader.head) == (3, 3)


def test_a_stale_writer_is_superseded_and_changes_nothing() -> None:
    store = memory.MemoryStore()
    old, new = journal(store, "old"), journal(store, "new")
    old.append(records.Claim(60))
    new.newest()
    new.append(records.Claim(60))
    with pytest.raises(errors.Superseded, match="slot 2 of RemoteAuth was taken by process 0 on host new"):
        old.append(generation(1))
    assert len(store.contents) == 2


def lost_answer(store: memory.MemoryStore, error: Callable[[], Exception]) -> None:
    def after(verb: str, name: str) -> None:
        store.after = lambda verb, name: None
        raise error()

    store.after = after


@pytest.mark.parametrize("error", [errors.StoreUnavailable, errors.AlreadyExists])
def test_a_create_that_succeeded_without_an_answer_is_recognised_by_its_nonce(error: type[Exception]) -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    lost_answer(store, lambda: error("lost"))
    record = writer.append(records.Claim(60))
    assert (record.slot, writer.head) == (1, 1)


def test_a_create_that_never_arrived_is_unavailable_and_can_be_repeated() -> None:
    store = memory.MemoryStore()
    writer = journal(store)

    def fail(verb: str, name: str) -> None:
        if verb == "create":
            raise errors.StoreUnavailable("down")

    store.fail = fail
    with pytest.raises(errors.StoreUnavailable, match="could not write"):
        writer.append(records.Claim(60))
    store.fail = lambda verb, name: None
    assert writer.append(records.Claim(60)).slot == 1


def silence_after_create(store: memory.MemoryStore) -> None:
    """Let the next create succeed without an answer, and the look at its slot fail too."""

    def after(verb: str, name: str) -> None:
        def fail(verb: str, name: str) -> None:
            store.fail = lambda verb, name: None
            raise errors.StoreUnavailable("down")

        store.after, store.fail = (lambda verb, name: None), fail
        raise errors.StoreUnavailable("lost")

    store.after = after


def test_a_record_that_landed_unseen_does_not_make_its_writer_fence_itself() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    silence_after_create(store)
    with pytest.raises(errors.StoreUnavailable):
        writer.append(records.Claim(60))
    assert writer.append(generation(1)).slot == 2
    assert [type(record.body).__name__ for record in journal(store).back(2)] == ["Generation", "Claim"]


def test_the_previous_owner_is_seen_behind_a_claim_of_ours_that_landed_unseen() -> None:
    store = memory.MemoryStore()
    journal(store, "other").append(records.Claim(60))
    mine = journal(store, "me")
    mine.newest()
    silence_after_create(store)
    with pytest.raises(errors.StoreUnavailable):
        mine.append(records.Claim(60))
    mine.newest()
    assert mine.head == 2
    previous = mine.previous()
    assert previous is not None
    assert previous.owner.host == "other"


def test_a_hole_in_the_log_is_refused() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    for _ in range(3):
        writer.append(records.Release())
    store.delete("RemoteAuth/log/000000000002.json")
    with pytest.raises(errors.LogBroken, match=r"000000000002\.json is missing"):
        list(journal(store).back(3))


def test_a_record_of_a_newer_format_is_refused_by_name() -> None:
    store = memory.MemoryStore()
    document = {"formatVersion": 2, "slot": 1, "kind": "claim", "time": "t", "nonce": "n", "owner": {}}
    store.create("RemoteAuth/log/000000000001.json", [json.dumps(document).encode()])
    with pytest.raises(errors.LogBroken, match="which this worker does not know"):
        journal(store).newest()


@pytest.mark.parametrize("text", [b"", b"{}", b"null", b'{"formatVersion":1,"slot":1,"kind":"poem"}', b"\xff"])
def test_noise_in_a_slot_is_refused(text: bytes) -> None:
    store = memory.MemoryStore()
    store.create("RemoteAuth/log/000000000001.json", [text])
    with pytest.raises(errors.LogBroken, match="is not a record of this log"):
        journal(store).newest()


def test_unknown_fields_are_kept() -> None:
    store = memory.MemoryStore()
    document = {
        "formatVersion": 1,
        "slot": 1,
        "kind": "claim",
        "time": "t",
        "nonce": "n",
        "owner": {"host": "h", "colour": "blue"},
        "claim": {"pollSeconds": 30, "mood": 1},
        "extra": [1],
    }
    store.create("RemoteAuth/log/000000000001.json", [json.dumps(document).encode()])
    record = journal(store).newest()
    assert record is not None
    assert record.raw == document
    assert record.body == records.Claim(30)


def test_numbers_go_on_after_a_logout() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    for body in (generation(1), generation(2), records.Logout("h"), records.Claim(60), generation(3)):
        writer.append(body)
    assert writer.last_number() == 3


def test_a_number_that_a_look_has_found_taken_is_not_given_again() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    silence_after_create(store)
    with pytest.raises(errors.StoreUnavailable):
        writer.append(generation(1))
    assert writer.still_head(), "what landed unseen is our own"
    with pytest.raises(errors.StoreUnavailable, match="an earlier attempt wrote generation 1"):
        writer.append(generation(1))
    assert writer.append(generation(2)).slot == 2


def test_only_the_newest_slot_is_the_head() -> None:
    store = memory.MemoryStore()
    old, new = journal(store, "old"), journal(store, "new")
    old.append(records.Claim(60))
    assert old.still_head()
    new.newest()
    new.append(records.Claim(60))
    assert not old.still_head()


def test_nothing_follows_a_release_that_landed_unseen() -> None:
    store = memory.MemoryStore()
    writer = journal(store)
    writer.append(records.Claim(60))
    silence_after_create(store)
    with pytest.raises(errors.StoreUnavailable):
        writer.conclude(records.Release())
    with pytest.raises(errors.Released):
        writer.append(generation(1))
