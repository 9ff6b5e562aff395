"""Whose profile lies in the data directory: kept for its own log only, never thrown away for an empty store."""

import dataclasses
import pathlib
from collections.abc import AsyncIterator

import pytest

from scenes.worker import profile_maker
from scenes.worker.saves import save
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import SaveTrigger
from whatsapp_worker import auth, errors
from whatsapp_worker.auth import base
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import records
from whatsapp_worker.stores import memory

SESSION = "RemoteAuth"
ALICE = page_events.Account("4917000000001@c.us")


class Laptop:
    """One data directory, on which one worker after the other starts, with one store or another."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.starts = 0
        self.running: auth.RemoteAuth | None = None

    async def start(self, store: memory.MemoryStore, **context: object) -> auth.RemoteAuth:
        await self.stop()
        self.starts += 1
        self.running = auth.RemoteAuth(store, "", self.root)
        owner = records.Owner(host="h", boot_id="b", pid=1 << 24, start_time=self.starts, data_path=str(self.root))
        known = base.Context(owner=owner, url="https://web.whatsapp.com/", browser_version=lambda: "156.0")
        self.running.setup(dataclasses.replace(known, **context))  # type: ignore[arg-type] # fields of a context
        return self.running

    async def links(self, running: auth.RemoteAuth, content: bytes) -> None:
        """Let an account link in this profile, and save it."""
        await running.connected(ALICE, "156.0")
        await save(running, ALICE, content, str(SaveTrigger.FIRST_LINK))

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.release()
            await self.running.clean_up()
            self.running = None


@pytest.fixture
async def laptop(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Laptop]:
    monkeypatch.setattr(base, "_STORE_RETRY", Backoff(0.001, 0.001))
    place = Laptop(tmp_path)
    yield place
    await place.stop()


async def test_a_store_that_never_held_a_login_costs_no_login(laptop: Laptop) -> None:
    right, wrong = memory.MemoryStore(), memory.MemoryStore()
    first = await laptop.start(right)
    await first.before_browser()
    await laptop.links(first, b"alice's")
    for _ in range(2):
        with pytest.raises(errors.ArchiveMissing, match="holds a login, but RemoteAuth in this store has never held"):
            await (await laptop.start(wrong)).before_browser()
    again = await laptop.start(right)
    prepared = await again.before_browser()
    assert (prepared.known_hash, prepared.restored and prepared.restored.generation) == (ALICE.hash, 0)


async def test_who_wants_to_link_anew_there_may(laptop: Laptop) -> None:
    first = await laptop.start(memory.MemoryStore())
    await first.before_browser()
    await laptop.links(first, b"alice's")
    anew = await laptop.start(memory.MemoryStore(), relink=True)
    assert (await anew.before_browser()).known_hash == ""


async def test_a_profile_of_another_stores_session_is_not_taken_for_this_ones(laptop: Laptop) -> None:
    here, there = memory.MemoryStore(), memory.MemoryStore()
    first = await laptop.start(here)
    await first.before_browser()
    await laptop.links(first, b"alice's")
    second = await laptop.start(there, relink=True)
    await second.before_browser()
    marker = layout.read_marker(second.profile)
    assert marker is not None
    assert marker.account_hash == ""
    back = await laptop.start(here)
    prepared = await back.before_browser()
    assert (prepared.known_hash, prepared.restored and prepared.restored.generation) == (ALICE.hash, 1)
    assert profile_maker.blob(back.profile).read_bytes().startswith(b"alice's")


async def test_a_container_that_starts_again_keeps_its_own(laptop: Laptop) -> None:
    store = memory.MemoryStore()
    first = await laptop.start(store)
    await first.before_browser()
    await laptop.links(first, b"newer than any archive")
    prepared = await (await laptop.start(store)).before_browser()
    assert (prepared.known_hash, prepared.restored and prepared.restored.generation) == (ALICE.hash, 0)
