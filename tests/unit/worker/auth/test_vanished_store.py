"""A store that goes away under a running session: nothing is written there, nothing ends, and it goes on afterwards."""

import asyncio
import hashlib
import pathlib
import shutil
from collections.abc import Callable

import pytest

from scenes.worker.machine_story import ALICE
from scenes.worker.saves import save
from whatsapp_session.conditions import Reason
from whatsapp_worker import auth, errors
from whatsapp_worker.auth import base
from whatsapp_worker.core import events
from whatsapp_worker.repository import records
from whatsapp_worker.stores import memory

SESSION = "RemoteAuth"
Way = Callable[[pathlib.Path, pathlib.Path], None]


def set_up(strategy: auth.Auth, root: pathlib.Path, host: str = "h") -> None:
    owner = records.Owner(host=host, boot_id="b", pid=7, data_path=str(root))
    strategy.setup(base.Context(owner, "https://web.whatsapp.com/", lambda: "156.0"))


async def other_worker(store: pathlib.Path, root: pathlib.Path) -> None:
    """Let another worker link and save a session of the same name in an empty store."""
    theirs = auth.RemoteAuth(f"file:{store}", "", root)
    set_up(theirs, root, "other")
    await theirs.before_browser()
    await theirs.connected(ALICE, "156.0")
    await save(theirs, ALICE, b"theirs")
    await theirs.clean_up()


def content(root: pathlib.Path) -> dict[str, str]:
    """Return every path below a directory, with its digest."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def deleted(store: pathlib.Path, before: pathlib.Path) -> None:
    """Leave nothing, not even the directory."""


def emptied(store: pathlib.Path, before: pathlib.Path) -> None:
    """Leave an empty directory: below a mount point, a new volume, one that somebody made again."""
    store.mkdir()


def rewound(store: pathlib.Path, before: pathlib.Path) -> None:
    """Put an old backup in its place, which ends before the last save."""
    shutil.copytree(before, store)


def a_file(store: pathlib.Path, before: pathlib.Path) -> None:
    """Put a file in its place."""
    store.write_text("no directory")


@pytest.mark.parametrize("way", [deleted, emptied, rewound, a_file], ids=lambda way: way.__name__)
async def test_nothing_is_written_where_the_store_was_and_saves_go_on_when_it_is_back(
    tmp_path: pathlib.Path, way: Way
) -> None:
    store, aside, backup = tmp_path / "store", tmp_path / "aside", tmp_path / "backup"
    mine = auth.RemoteAuth(f"file:{store}", "", tmp_path / "data")
    set_up(mine, tmp_path / "data")
    await mine.before_browser()
    await mine.connected(ALICE, "156.0")
    await save(mine, ALICE, b"one")
    shutil.copytree(store, backup)
    await save(mine, ALICE, b"two")
    store.rename(aside)
    way(store, backup)
    before = content(tmp_path)
    for number in range(2):
        with pytest.raises(errors.StoreUnavailable):
            await save(mine, ALICE, b"three %d" % number)
        with pytest.raises(errors.StoreUnavailable):
            await mine.still_owner()
    changed = {path for path, digest in content(tmp_path).items() if before.get(path) != digest}
    assert not [path for path in changed if not path.startswith("data/")], "nothing but the profile was written"
    if store.exists():
        shutil.rmtree(store) if store.is_dir() else store.unlink()
    aside.rename(store)
    saved = await save(mine, ALICE, b"four")
    assert saved is not None
    assert saved.generation == 3
    assert await mine.still_owner()
    await mine.release()
    await mine.clean_up()


async def test_a_different_store_with_a_session_of_that_name_is_no_word_about_ours(tmp_path: pathlib.Path) -> None:
    store, aside = tmp_path / "store", tmp_path / "aside"
    mine = auth.RemoteAuth(f"file:{store}", "", tmp_path / "data")
    set_up(mine, tmp_path / "data")
    await mine.before_browser()
    await mine.connected(ALICE, "156.0")
    store.rename(aside)
    await other_worker(store, tmp_path / "theirs")
    before = content(store)
    with pytest.raises(errors.StoreUnavailable):
        await save(mine, ALICE, b"one")
    with pytest.raises(errors.StoreUnavailable):
        await mine.still_owner()
    with pytest.raises(errors.StoreUnavailable):
        await mine.release()
    assert content(store) == before
    await mine.clean_up()


async def test_an_unchanged_login_does_not_count_as_saved_in_a_store_that_has_gone(tmp_path: pathlib.Path) -> None:
    store = memory.MemoryStore()
    mine = auth.RemoteAuth(store, "", tmp_path)
    set_up(mine, tmp_path)
    await mine.before_browser()
    await mine.connected(ALICE, "156.0")
    await save(mine, ALICE, b"one")
    whole, store.contents = store.contents, {}
    with pytest.raises(errors.StoreChanged):
        await save(mine, ALICE, b"one")
    store.contents = whole
    saved = await save(mine, ALICE, b"one")
    assert saved is not None
    assert not saved.changed
    await mine.clean_up()


@pytest.mark.parametrize("keeps", [0, 1], ids=["emptied", "restored from an old backup"])
async def test_a_bucket_or_database_that_contradicts_what_was_written_gets_nothing(
    tmp_path: pathlib.Path, keeps: int
) -> None:
    store = memory.MemoryStore()
    mine = auth.RemoteAuth(store, "", tmp_path)
    set_up(mine, tmp_path)
    await mine.before_browser()
    await mine.connected(ALICE, "156.0")
    await save(mine, ALICE, b"one")
    whole, copies = dict(store.contents), dict(store.copies)
    log = sorted(name for name in whole if "/log/" in name)
    left = {name: whole[name] for name in log[:keeps]}
    store.contents, store.copies = dict(left), {}
    with pytest.raises(errors.StoreChanged, match="no longer holds"):
        await save(mine, ALICE, b"two")
    with pytest.raises(errors.StoreChanged):
        await mine.still_owner()
    assert (store.contents, store.copies) == (left, {})
    store.contents, store.copies = whole, copies
    saved = await save(mine, ALICE, b"two")
    assert saved is not None
    assert saved.generation == 2
    await mine.clean_up()


async def test_a_container_that_starts_again_waits_for_the_store_in_which_its_pod_has_claimed(
    tmp_path: pathlib.Path,
) -> None:
    store, aside, data = tmp_path / "store", tmp_path / "aside", tmp_path / "data"
    told: asyncio.Queue[tuple[Reason, str]] = asyncio.Queue()

    def container(start_time: float) -> auth.RemoteAuth:
        owner = records.Owner("cluster", "bots", "session", "pod-1", "pod", "boot", 7, start_time)
        made = auth.RemoteAuth(f"file:{store}", "", data)
        report = lambda *problem: told.put_nowait(problem)  # noqa: E731  a sentence of one word
        made.setup(base.Context(owner, "https://web.whatsapp.com/", lambda: "156.0", report_problem=report))
        return made

    first = container(1.0)
    await first.before_browser()
    await first.connected(ALICE, "156.0")
    await save(first, ALICE, b"one")
    await first.clean_up()
    store.rename(aside)
    store.mkdir()
    second = container(2.0)
    starting = asyncio.create_task(second.before_browser())
    reason, message = await asyncio.wait_for(told.get(), 60)
    assert (reason, "unmounted, emptied or replaced" in message) == (Reason.STORE_UNAVAILABLE, True)
    assert content(store) == {}, "nothing is written below a mount point"
    store.rmdir()
    aside.rename(store)
    prepared = await starting
    assert prepared.known_hash == ALICE.hash
    await second.clean_up()


async def test_an_empty_store_is_a_legitimate_first_start(tmp_path: pathlib.Path) -> None:
    (tmp_path / "store").mkdir()
    mine = auth.RemoteAuth(f"file:{tmp_path / 'store'}", "", tmp_path / "data")
    set_up(mine, tmp_path / "data")
    assert await mine.before_browser() == events.ProfileReady()
    await mine.clean_up()


async def test_localauth_writes_nothing_where_its_data_path_was(tmp_path: pathlib.Path) -> None:
    data, aside = tmp_path / "data", tmp_path / "aside"
    mine = auth.LocalAuth("", data)
    set_up(mine, data)
    await mine.before_browser()
    await mine.connected(ALICE, "156.0")
    await mine.before_launch()
    data.rename(aside)
    data.mkdir()
    with pytest.raises(errors.StoreUnavailable):
        await mine.connected(ALICE, "156.0")
    with pytest.raises(errors.StoreUnavailable):
        await mine.still_owner()
    with pytest.raises(errors.StoreUnavailable):
        await mine.restore_previous()
    assert list(data.iterdir()) == []
    data.rmdir()
    aside.rename(data)
    await mine.connected(ALICE, "156.0")
    assert await mine.still_owner()
    await mine.clean_up()
