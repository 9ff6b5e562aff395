"""Prove that a store keeps what the worker relies on: contract tests for stores of anybody's making.

With pytest, subclass and give a fixture::

    import pytest
    from whatsapp_worker.stores import testing

    pytest.register_assert_rewrite("whatsapp_worker.stores.testing")  # optional: richer messages

    class TestMyStore(testing.StoreContract):
        @pytest.fixture
        def store(self):
            yield MyStore(...)  # empty, and new for each test

``CopiesContract`` is for stores that also keep the JavaScript stores' copy, ``VerbsContract`` for those that know the
guide's four verbs only. Nothing here imports pytest: each test is a method that takes the store (or the verbs and a
directory) and raises AssertionError.
"""

import contextlib
import datetime
import pathlib
import random
import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import four_verbs, probe

_NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_SIZES = (0, 1, 255, 256 << 10, (256 << 10) + 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, (17 << 20) + 5)
"""Around the borders at which our own backends change their ways."""
SESSION = "RemoteAuth-contract"


class WithCopies(stores.Backend, stores.Copies, Protocol):
    """A store that also keeps copies."""


@contextlib.contextmanager
def raises(kind: type[Exception]) -> Iterator[None]:
    """Expect an error of the tree."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


def content(size: int, seed: int = 1) -> bytes:
    """Return noise that is the same at each call."""
    return random.Random(seed).randbytes(size)  # noqa: S311  test data, no secret


def pieces(whole: bytes, size: int = 100_003) -> list[bytes]:
    """Cut content as an archive comes: in chunks of no special size."""
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def read(store: stores.Store, name: str) -> bytes:
    """Return the whole content."""
    return b"".join(store.read(name))


class StoreContract:
    """What the four primitives promise; a subclass gives the fixture ``store``."""

    ROUNDS = 10
    """Races for one name."""
    WRITERS = 8
    MANY = 1100
    """Names in one folder: more than a page of a listing."""

    def test_what_is_created_is_read_back(self, store: stores.Backend) -> None:
        for size in _SIZES:
            whole = content(size)
            store.create(f"a/archives/{size}", pieces(whole))
            assert read(store, f"a/archives/{size}") == whole, f"content of {size} bytes"

    def test_chunks_of_any_size_are_taken(self, store: stores.Backend) -> None:
        whole = content(9 << 20)
        store.create("a/one-chunk", iter([whole]))
        store.create("a/empty-chunks", [b"", whole[:5], b"", whole[5:], b""])
        assert read(store, "a/one-chunk") == whole
        assert read(store, "a/empty-chunks") == whole

    def test_a_name_is_created_once(self, store: stores.Backend) -> None:
        for size in (10, 9 << 20):
            first, second = content(size, 1), content(size, 2)
            store.create(f"a/x{size}", pieces(first))
            with raises(errors.AlreadyExists):
                store.create(f"a/x{size}", pieces(second))
            assert read(store, f"a/x{size}") == first

    def test_of_many_creates_at_once_exactly_one_wins(self, store: stores.Backend) -> None:
        for number in range(self.ROUNDS):
            won = probe.race(store, f"a/log/{number}", [str(me).encode() for me in range(self.WRITERS)])
            assert len(won) == 1, f"round {number}: {len(won)} writers won"
            assert read(store, f"a/log/{number}") == str(won[0]).encode()

    def test_a_missing_name_is_said_before_the_first_chunk(self, store: stores.Backend) -> None:
        with raises(errors.NotFound):
            store.read("a/none")

    def test_a_folder_lists_its_names_and_sizes_in_order(self, store: stores.Backend) -> None:
        assert list(store.list("a/log/")) == []
        for name in ("a/log/2", "a/log/1", "a/logs/1", "a/lo", "b/log/1"):
            store.create(name, [name.encode()])
        assert list(store.list("a/log/")) == [stores.Entry("a/log/1", 7), stores.Entry("a/log/2", 7)]

    def test_a_long_folder_is_listed_whole(self, store: stores.Backend) -> None:
        names = [f"a/log/{number:012d}.json" for number in range(self.MANY)]
        for name in names:
            store.create(name, [b"{}"])
        assert [entry.name for entry in store.list("a/log/")] == names

    def test_what_is_deleted_is_gone_and_deleting_twice_is_no_error(self, store: stores.Backend) -> None:
        for size in (1, 9 << 20):
            store.create(f"a/x{size}", pieces(content(size)))
            store.delete(f"a/x{size}")
            store.delete(f"a/x{size}")
            with raises(errors.NotFound):
                store.read(f"a/x{size}")
        assert list(store.list("a/")) == []

    def test_a_name_cannot_leave_the_store(self, store: stores.Backend) -> None:
        for name in ("../x", "a/../../x", "/etc/passwd", "a//b", "a/.hidden", "", "a\\b", "a/b\0"):
            with raises(ValueError):
                store.create(name, [b"x"])

    def test_a_create_whose_content_fails_leaves_nothing(self, store: stores.Backend) -> None:
        for size in (10, 9 << 20, 20 << 20):
            with raises(ZeroDivisionError):
                store.create("a/archives/broken", _broken(size))
            with raises(errors.NotFound):
                store.read("a/archives/broken")
            assert list(store.list("a/archives/")) == []
        store.create("a/archives/broken", [b"whole"])
        assert read(store, "a/archives/broken") == b"whole"

    def test_a_reading_that_is_given_up_harms_nobody(self, store: stores.Backend) -> None:
        whole = content(9 << 20)
        store.create("a/x", pieces(whole))
        for _ in range(3):
            next(iter(store.read("a/x")))
        assert read(store, "a/x") == whole

    def test_a_sweep_leaves_what_is_finished(self, store: stores.Backend) -> None:
        sweeper = stores.capabilities(store).sweeper
        if sweeper is None:
            return
        for name, size in (("a/log/1", 10), ("a/archives/1", 9 << 20), ("b/log/1", 10)):
            store.create(name, pieces(content(size)))
        sweeper.sweep("a/")
        assert read(store, "a/archives/1") == content(9 << 20)
        assert [entry.name for entry in store.list("a/log/")] == ["a/log/1"]
        assert read(store, "b/log/1") == content(10)

    def test_the_visibility_bound_is_a_number_of_seconds(self, store: stores.Backend) -> None:
        assert 0 <= store.visibility < 3600


def _broken(size: int) -> Iterable[bytes]:
    yield from pieces(content(size))
    raise ZeroDivisionError


class CopiesContract:
    """What the copy for the JavaScript stores promises; a subclass gives the fixture ``store``."""

    def test_there_is_no_copy_at_first(self, store: WithCopies) -> None:
        assert store.stat_copy(SESSION) is None
        with raises(errors.NotFound):
            store.read_copy(SESSION)
        store.delete_copy(SESSION)

    def test_a_copy_has_the_archives_content_and_says_whose_it_is(self, store: WithCopies) -> None:
        for number, size in enumerate((100, 9 << 20, 300_000)):
            name = f"{SESSION}/archives/{number}.zip"
            store.create(name, pieces(content(size, number)))
            made = store.put_copy(name, SESSION, _NOW, store.stat_copy(SESSION))
            assert (made.size, made.source) == (size, name)
            assert store.stat_copy(SESSION) == made
            assert b"".join(store.read_copy(SESSION)) == content(size, number)

    def test_a_copy_replaces_only_what_was_seen(self, store: WithCopies) -> None:
        one, two = f"{SESSION}/archives/1.zip", f"{SESSION}/archives/2.zip"
        store.create(one, [b"one"])
        store.create(two, [b"two"])
        first = store.put_copy(one, SESSION, _NOW, None)
        with raises(errors.CopyChanged):
            store.put_copy(two, SESSION, _NOW, None)
        assert b"".join(store.read_copy(SESSION)) == b"one"
        second = store.put_copy(two, SESSION, _NOW, first)
        assert second.version != first.version
        with raises(errors.CopyChanged):
            store.put_copy(one, SESSION, _NOW, first)
        assert b"".join(store.read_copy(SESSION)) == b"two"

    def test_of_many_that_replace_one_copy_the_last_seen_is_whole(self, store: WithCopies) -> None:
        names = [f"{SESSION}/archives/{number}.zip" for number in range(4)]
        for number, name in enumerate(names):
            store.create(name, [content(300_000, number)])
        seen = store.put_copy(names[0], SESSION, _NOW, None)
        put: list[str] = []

        def replace(name: str) -> None:
            with contextlib.suppress(errors.CopyChanged):
                put.append(store.put_copy(name, SESSION, _NOW, seen).source)

        threads = [threading.Thread(target=replace, args=(name,)) for name in names[1:]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = store.stat_copy(SESSION)
        assert left is not None
        assert left.source in put, f"{left.source} stands there, {put} were told that theirs does"
        assert b"".join(store.read_copy(SESSION)) == content(300_000, names.index(left.source))

    def test_there_is_no_copy_of_an_archive_that_is_not_there(self, store: WithCopies) -> None:
        with raises(errors.NotFound):
            store.put_copy(f"{SESSION}/archives/none.zip", SESSION, _NOW, None)
        assert store.stat_copy(SESSION) is None

    def test_copy_and_archive_live_apart(self, store: WithCopies) -> None:
        name = f"{SESSION}/archives/1.zip"
        store.create(name, [content(300_000)])
        store.put_copy(name, SESSION, _NOW, None)
        store.delete(name)
        assert b"".join(store.read_copy(SESSION)) == content(300_000)
        store.create(name, [b"again"])
        store.delete_copy(SESSION)
        store.delete_copy(SESSION)
        assert store.stat_copy(SESSION) is None
        assert read(store, name) == b"again"

    def test_sessions_do_not_share_a_copy(self, store: WithCopies) -> None:
        store.create(f"{SESSION}/archives/1.zip", [b"mine"])
        store.put_copy(f"{SESSION}/archives/1.zip", SESSION, _NOW, None)
        assert store.stat_copy(f"{SESSION}-2") is None
        store.delete_copy(f"{SESSION}-2")
        assert store.stat_copy(SESSION) is not None


class VerbsContract:
    """What the guide's four verbs promise; a subclass gives the fixtures ``foreign`` and ``tmp_path``."""

    def test_a_session_is_saved_extracted_and_deleted(self, foreign: four_verbs.Verbs, tmp_path: pathlib.Path) -> None:
        assert not foreign.session_exists(SESSION)
        for number in (1, 2):
            (tmp_path / f"{number}.zip").write_bytes(content(1_000_000, number))
            foreign.save(SESSION, tmp_path / f"{number}.zip")
            assert foreign.session_exists(SESSION)
            foreign.extract(SESSION, tmp_path / f"out{number}.zip")
            assert (tmp_path / f"out{number}.zip").read_bytes() == content(1_000_000, number)
        assert not foreign.session_exists(f"{SESSION}-2")
        foreign.delete(SESSION)
        foreign.delete(SESSION)
        assert not foreign.session_exists(SESSION)

    def test_what_was_not_saved_cannot_be_extracted(self, foreign: four_verbs.Verbs, tmp_path: pathlib.Path) -> None:
        with raises(Exception):
            foreign.extract(SESSION, tmp_path / "none.zip")
