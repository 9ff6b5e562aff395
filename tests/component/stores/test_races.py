"""Eight writers with new and old claims on one session: one wins, the others hear of it, and nothing is torn."""

from __future__ import annotations

import concurrent.futures
import functools
import pathlib
import random
from collections.abc import Callable

import pytest

from component.stores.conftest import MakePlace
from component.stores.writing import SESSION, Writer, owner
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import memory, registry

WRITERS = 8
KINDS = ("memory", "filesystem", "s3", "mongodb")
ROUNDS = (4, pytest.param(100, marks=pytest.mark.soak))


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Run all at the same time; returns their results or Superseded."""
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work) for work in works]
    return [outcome(one) for one in running]


def outcome(one: concurrent.futures.Future[object]) -> object:
    try:
        return one.result()
    except errors.Superseded as error:
        return error


@pytest.fixture
def writers(make_place: MakePlace, request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> list[Writer]:
    """Return writers that have one place in common, each with connections of its own."""
    if request.param == "memory":
        shared = memory.MemoryStore()
        return [Writer(shared, number, tmp_path) for number in range(WRITERS)]
    place = make_place(request.param)
    opened = [registry.open_store(place.address, place.settings) for _ in range(WRITERS)]
    return [Writer(store, number, tmp_path) for number, store in enumerate(opened)]


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("writers", KINDS, indirect=True)
def test_each_round_has_exactly_one_winner_and_it_is_the_newest_claims(
    writers: list[Writer], rounds: int, chance: random.Random
) -> None:
    reader = Writer(writers[0].store, WRITERS, writers[0].folder)
    for number in range(rounds):
        claiming = chance.sample(writers, chance.randint(1, WRITERS))
        at_once([writer.claim for writer in claiming])
        newest = max(writers, key=lambda writer: writer.journal.head)
        said = at_once(
            [functools.partial(writer.publish, f"{number} by {writer.number}".encode()) for writer in writers]
        )
        won = [writer for writer, result in zip(writers, said, strict=True) if isinstance(result, records.Generation)]
        assert won == [newest], f"round {number}: {said}"
        reader.journal.newest()
        generation, content = reader.restore()
        assert (generation.number, content) == (number + 1, f"{number} by {newest.number}".encode())
        reader.copy_matches(generation)
    assert reader.orphans() == [], "those that lost took their archives away"


@pytest.mark.parametrize("writers", KINDS, indirect=True)
def test_without_any_order_nobody_publishes_past_anothers_claim_and_the_copy_never_leads(
    writers: list[Writer], chance: random.Random
) -> None:
    def live(writer: Writer, plan: list[str]) -> None:
        for number, step in enumerate(plan):
            if step == "claim":
                writer.claim()
            else:
                try:
                    writer.publish(f"{number} by {writer.number}".encode())
                except errors.Superseded:
                    continue

    plans = [["claim", *chance.choices(["claim", "publish", "publish"], k=6)] for _ in writers]
    at_once([functools.partial(live, writer, plan) for writer, plan in zip(writers, plans, strict=True)])
    last = Writer(writers[0].store, WRITERS, writers[0].folder)
    last.claim()
    claimer: records.Owner | None = None
    found = list(log_of(last))
    for record in found:
        match record.body:
            case records.Claim():
                claimer = record.owner
            case _:
                assert record.owner == claimer, f"slot {record.slot} was published past another's claim"
    made = [record.body for record in found if isinstance(record.body, records.Generation)]
    assert [generation.number for generation in made] == list(range(1, len(made) + 1))
    last.kept.sweep()
    assert last.orphans() == []
    generation = last.publish(b"the last")
    assert last.restore() == (generation, b"the last")
    last.copy_matches(generation)


def log_of(writer: Writer) -> list[records.Record]:
    """Return the whole log, oldest first, read by somebody new."""
    journal = log.SessionLog(writer.store, SESSION, owner(99))
    journal.newest()
    return list(journal.back(journal.head))[::-1]
