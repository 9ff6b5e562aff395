"""Stores without a server: the contract, and what is special in each."""

import datetime
import errno
import os
import pathlib

import pytest

from whatsapp_session import worker_config
from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, memory, probe, registry, testing

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Kinds:
    """Give each test an empty store of each kind that needs no server."""

    @pytest.fixture(params=["filesystem", "memory"])
    def store(self, request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> stores.Backend:
        kind: str = request.param
        return filesystem.FilesystemStore(tmp_path / "store") if kind == "filesystem" else memory.MemoryStore()


class TestStores(Kinds, testing.StoreContract):
    """The four primitives."""


class TestCopies(Kinds, testing.CopiesContract):
    """The copy for the JavaScript stores."""


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

    with pytest.raises(errors.StoreFull, match="ENOSPC"):
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
    [
        ("/", "ext4"),
        ("/mnt/share/a", "nfs4"),
        ("/mnt/sharedother", "ext4"),
        ("/with space/x", "xfs"),
        ("/mnt/données/a", "nfs4"),
        ("/back\\slash", "nfs"),
    ],
)
def test_the_file_system_of_a_path_is_found_in_the_mount_table(path: str, kind: str) -> None:
    table = """22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/share rw shared:2 - nfs4 server:/export rw
31 22 0:41 / /with\\040space rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/données rw - nfs4 server:/other rw
33 22 0:43 / /back\\134slash rw - nfs server:/third rw
"""
    assert filesystem.filesystem_type(pathlib.Path(path), table) == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "apfs", "hfs"])
def test_a_create_on_a_local_disk_is_seen_at_once(kind: str) -> None:
    assert filesystem.visibility_of(kind) == 0


@pytest.mark.parametrize(
    "kind", ["nfs4", "cifs", "smb3", "ceph", "fuse.s3fs", "9p", "virtiofs", "wekafs", "unheard", ""]
)
def test_a_create_anywhere_else_may_be_seen_late(kind: str) -> None:
    assert filesystem.visibility_of(kind) == 60


def test_a_directory_that_denies_access_says_so(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(errors.StoreDenied, match="EROFS for a/x: Read-only file system"):
        filesystem.FilesystemStore(tmp_path).create("a/x", [b"x"])


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ENOTDIR])
def test_a_mount_that_has_gone_bad_is_unavailable_and_never_empty(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    store = filesystem.FilesystemStore(tmp_path)
    store.create("a/x", [b"x"])
    monkeypatch.setattr(os, "open", broken)
    calls = (
        lambda: store.create("a/y", [b"y"]),
        lambda: b"".join(store.read("a/x")),
        lambda: list(store.list("a/")),
        lambda: store.delete("a/x"),
        lambda: store.stat_copy("a"),
    )
    for call in calls:
        with pytest.raises(errors.StoreUnavailable, match=errno.errorcode[code]):
            call()


def test_a_file_system_without_links_is_unfenced_and_needs_consent(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(errors.StoreUnfenced, match="no hard links"):
        filesystem.FilesystemStore(tmp_path).create("a/x", [b"x"])
    store = filesystem.FilesystemStore(tmp_path, allow_unfenced=True)
    store.create("a/x", [b"x"])
    assert b"".join(store.read("a/x")) == b"x"


def test_a_sweep_removes_temporary_files_of_its_session_only(tmp_path: pathlib.Path) -> None:
    store = filesystem.FilesystemStore(tmp_path)
    store.create("RemoteAuth-a/archives/1.zip", [b"x"])
    store.create("RemoteAuth-b/archives/1.zip", [b"x"])
    store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    left = [
        tmp_path / "RemoteAuth-a/archives/.2.zip.0123456789abcdef",
        tmp_path / ".RemoteAuth-a.zip.0123456789abcdef",
        tmp_path / "RemoteAuth-b/archives/.2.zip.0123456789abcdef",
    ]
    for path in left:
        path.write_bytes(b"half")
    store.sweep("RemoteAuth-a/")
    assert [path.exists() for path in left] == [False, False, True]
    found = store.stat_copy("RemoteAuth-a")
    assert found is not None
    assert found.source == "RemoteAuth-a/archives/1.zip"


def test_a_copy_that_is_written_in_place_does_not_touch_the_archive(tmp_path: pathlib.Path) -> None:
    store = filesystem.FilesystemStore(tmp_path)
    store.create("RemoteAuth-a/archives/1.zip", [b"ours"])
    store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    with (tmp_path / "RemoteAuth-a.zip").open("r+b") as stream:
        stream.write(b"theirs, which is longer")
    assert b"".join(store.read("RemoteAuth-a/archives/1.zip")) == b"ours"
    found = store.stat_copy("RemoteAuth-a")
    assert found is not None
    assert found.source == ""


def test_an_address_opens_its_store(tmp_path: pathlib.Path) -> None:
    assert repr(registry.open_store(f"file:{tmp_path}")) == f"FilesystemStore('{tmp_path}')"
    opened = repr(registry.open_store("s3:bucket/some/path?region=eu-central-1"))
    assert opened == "S3Store(bucket='bucket', remote_data_path='some/path')"
    assert repr(registry.open_store("mongodb:sessions")) == "MongoStore(database='sessions')"


def test_the_environment_of_a_worker_says_where_secrets_are() -> None:
    config = worker_config.WorkerConfig(store_secrets="/secrets", store_options={"a": "b"}, allow_unfenced=True)
    assert registry.settings(config) == stores.Settings(pathlib.Path("/secrets"), {"a": "b"}, True)
    assert registry.settings(worker_config.WorkerConfig()) == stores.Settings()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "is empty: it must look like file:DIRECTORY"),
        ("file:", "names nothing after file: it must look like file:DIRECTORY"),
        ("file://sessions", "it must look like file:DIRECTORY"),
        ("directory", "does not name the kind of store"),
        ("/var/sessions", "does not name the kind of store"),
        ("./a:b", "does not name the kind of store"),
        ("ftp:host", "'ftp' are not known; use .* or install the package"),
        ("mongo:sessions", "did you mean mongodb:DATABASE"),
        ("https://s3.example.com/bucket", "is the address of a server; write s3:BUCKET"),
        ("mongodb://host/db", "name the database, mongodb:DATABASE"),
        ("s3:", "names nothing after s3: it must look like s3:BUCKET"),
        ("s3://bucket/path", "it must look like s3:BUCKET"),
        ("s3:/path", "names no bucket"),
        ("s3:b", "has 3 to 63 characters"),
        ("s3:-bucket", "beginning with a letter or digit"),
        ("s3:arn:aws:s3:::bucket", "may not contain ':'"),
        ("s3:bucket/../x", "may not contain"),
        ("s3:bucket?regoin=x", "the options are region, endpoint"),
        ("s3:bucket?region", "must be NAME=VALUE pairs"),
        ("s3:bucket?forcePathStyle=yes", "true or false"),
        ("s3:bucket?sse=DES", "AES256 or aws:kms"),
        ("s3:bucket?kmsKeyId=x", "needs sse=aws:kms"),
        ("s3:bucket?endpoint=x", "the endpoint has no scheme: it must look like https://s3.example.com"),
        ("s3:bucket?endpoint=ftp://x", "the endpoint must begin with https:// or http://"),
        ("s3:bucket?endpoint=https://", "the endpoint names no host"),
        ("s3:bucket?endpoint=https://[x", "the endpoint has brackets"),
        ("s3:bucket?endpoint=https://x:70000", "the endpoint must have a port"),
        ("s3:bucket?endpoint=https://x y", "the endpoint holds blanks"),
        ("s3:bucket?endpoint=https://a_b", "the endpoint has a host with other characters"),
        ("s3:bucket?endpoint=https://x/%3Fa=b", "the endpoint may not contain"),
        ("s3:bucket?endpoint=https://a@x", "may not hold a user or password"),
        ("s3:bucket?endpoint=https://a%40x", "the endpoint may not hold a user or password"),
        ("mongodb:a.b", "mongodb:DATABASE"),
        ("mongodb:local", "keeps the databases local and config for itself"),
    ],
)
def test_a_wrong_address_is_answered_with_how_to_mend_it(address: str, said: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=said):
        registry.open_store(address)


@pytest.mark.parametrize(
    "address",
    [
        "mongodb://user:pass-word@host/db",
        "mongodb+srv://user:pass-word@host/db",
        "s3:bucket?endpoint=https://user:pass-word@host",
        "s3:bucket?endpoint=user:pass-word@host",
        "s3:bucket?endpoint=user:pass-word%40host",
        "s3:bucket?endpoint=https%3A%2F%2Fuser:pass-word%40host",
        "s3:KEY:pass-word@bucket",
        "s3:KEY:pass-word",
        "s3:KEY/pass-word@bucket",
        "s3:bucket?sse=pass-word",
        "s3:bucket?pass-word=x",
        "s3:bucket?forcePathStyle=pass-word",
        "s3:bucket/../pass-word",
        "s3://KEY:pass-word/bucket",
        "mongodb:user:pass-word@host/db",
        "mongodb:user:pass-word",
        "mongo:user:pass-word@host/db",
        "user:pass-word@host",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        registry.open_store(address)
    assert "pass-word" not in str(caught.value)


def test_a_check_that_breaks_off_leaves_nothing_behind() -> None:
    store, creates = memory.MemoryStore(), iter(range(100))

    def fail(verb: str, name: str) -> None:
        if verb == "create" and next(creates) == probe.WRITERS + 1:
            raise errors.StoreUnavailable("silence")

    store.fail = fail
    with pytest.raises(errors.StoreUnavailable, match="silence"):
        probe.check(store, lambda line: None)
    assert not store.contents
