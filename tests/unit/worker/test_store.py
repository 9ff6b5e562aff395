"""What every store must do; each backend passes the same tests."""

import pathlib
import threading

import pytest

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, memory, registry


@pytest.fixture(params=["filesystem", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> stores.Backend:
    return filesystem.FilesystemStore(tmp_path / "store") if request.param == "filesystem" else memory.MemoryStore()


def read(store: stores.Store, name: str) -> bytes:
    return b"".join(store.read(name))


def test_what_is_created_is_read_back(store: stores.Backend) -> None:
    content = bytes(range(256)) * 4096
    store.create("a/log/1.json", [content[:1000], content[1000:]])
    assert read(store, "a/log/1.json") == content


def test_a_name_is_created_once(store: stores.Backend) -> None:
    store.create("a/x", [b"first"])
    with pytest.raises(errors.AlreadyExists):
        store.create("a/x", [b"second"])
    assert read(store, "a/x") == b"first"


def test_of_many_creates_at_once_exactly_one_wins(store: stores.Backend) -> None:
    for number in range(20):
        won: list[int] = []
        start = threading.Barrier(8)

        def race(me: int, name: str, won: list[int], start: threading.Barrier) -> None:
            start.wait()
            try:
                store.create(name, [str(me).encode()])
                won.append(me)
            except errors.AlreadyExists:
                pass

        threads = [threading.Thread(target=race, args=(me, f"a/{number}", won, start)) for me in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert read(store, f"a/{number}") == str(won[0]).encode()


def test_a_missing_name_is_said_before_the_first_chunk(store: stores.Backend) -> None:
    with pytest.raises(errors.NotFound):
        store.read("a/none")


def test_a_folder_lists_its_names_and_sizes(store: stores.Backend) -> None:
    assert list(store.list("a/log/")) == []
    store.create("a/log/2", [b"22"])
    store.create("a/log/1", [b"1"])
    store.create("b/log/1", [b"1"])
    assert list(store.list("a/log/")) == [stores.Entry("a/log/1", 1), stores.Entry("a/log/2", 2)]


def test_deleting_twice_is_no_error(store: stores.Backend) -> None:
    store.create("a/x", [b""])
    store.delete("a/x")
    store.delete("a/x")
    assert list(store.list("a/")) == []


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/.hidden", "", "a\\b", "a/b\0"])
def test_a_name_cannot_leave_the_store(store: stores.Backend, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a store"):
        store.create(name, [b"x"])


def test_a_create_that_fails_half_way_leaves_nothing(tmp_path: pathlib.Path) -> None:
    store = filesystem.FilesystemStore(tmp_path)

    def broken() -> list[bytes]:
        raise OSError(28, "No space left on device")

    class Content:
        def __iter__(self) -> "Content":
            return self

        def __next__(self) -> bytes:
            broken()
            return b""

    with pytest.raises(errors.StoreUnavailable, match="ENOSPC"):
        store.create("a/x", Content())
    assert list((tmp_path / "a").iterdir()) == []


def test_an_unreadable_directory_is_unavailable_and_not_empty(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("no directory")
    store = filesystem.FilesystemStore(tmp_path / "file")
    with pytest.raises(errors.StoreUnavailable):
        store.create("a/x", [b""])
    with pytest.raises(errors.StoreUnavailable):
        list(store.list("a/"))
    with pytest.raises(errors.StoreUnavailable):
        store.read("a/x")


def test_only_the_owner_can_read_an_archive(tmp_path: pathlib.Path) -> None:
    filesystem.FilesystemStore(tmp_path / "s").create("a/x", [b"login"])
    assert (tmp_path / "s" / "a" / "x").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s" / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "ext4"), ("/mnt/share/a", "nfs4"), ("/mnt/sharedother", "ext4"), ("/with space/x", "xfs")],
)
def test_the_file_system_of_a_path_is_found_in_the_mount_table(path: str, kind: str) -> None:
    table = """22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/share rw shared:2 - nfs4 server:/export rw
31 22 0:41 / /with\\040space rw - xfs /dev/vdb rw
"""
    assert filesystem.filesystem_type(pathlib.Path(path), table) == kind


def test_an_address_opens_its_store(tmp_path: pathlib.Path) -> None:
    assert repr(registry.open_store(f"file:{tmp_path}")) == f"FilesystemStore('{tmp_path}')"


@pytest.mark.parametrize("address", ["", "file:", "directory", "ftp:host"])
def test_a_wrong_address_is_answered_with_an_example(address: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="file:DIRECTORY"):
        registry.open_store(address)
