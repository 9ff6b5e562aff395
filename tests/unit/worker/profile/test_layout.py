"""The profile on disk: layout, content digest, sentinel, marker, locks, snapshots of a closed profile."""

import os
import pathlib
import shutil

import pytest

from scenes.worker import profile_maker
from whatsapp_worker import errors
from whatsapp_worker.profile import archive, layout, snapshot


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return profile_maker.profile(tmp_path / "profile")


def digest(root: pathlib.Path) -> str:
    return layout.ContentDigest().of(root)


def test_only_the_login_is_archived(root: pathlib.Path) -> None:
    names = {path.as_posix() for path in layout.files(root)}
    assert "Default/Preferences" not in names
    assert not {name for name in names if name.endswith(("LOCK", "LOG"))}
    assert f"Default/IndexedDB/{profile_maker.ORIGIN}/000005.ldb" in names


def test_another_layout_is_refused(root: pathlib.Path) -> None:
    layout.check(root, profile_maker.ORIGIN)
    with pytest.raises(errors.ArchiveDamaged, match="no database https_example"):
        layout.check(root, "https_example.org_0.indexeddb.leveldb")
    shutil.rmtree(root / layout.LEVELDB)
    (root / layout.LOCAL_STORAGE / "local_storage.sqlite").write_bytes(b"SQLite format 3")
    with pytest.raises(errors.ArchiveDamaged, match="no localStorage"):
        layout.check(root, profile_maker.ORIGIN)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("https://web.whatsapp.com/", profile_maker.ORIGIN),
        ("http://127.0.0.1:8080/x", "http_127.0.0.1_8080.indexeddb.leveldb"),
    ],
)
def test_an_origin_has_its_folder(url: str, folder: str) -> None:
    assert layout.origin_folder(url) == folder


def test_the_content_digest_ignores_names_times_sequence_numbers_and_sentinels(
    root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    before = digest(root)
    other = profile_maker.profile(tmp_path / "other")
    database = other / layout.LEVELDB
    shutil.rmtree(database)
    changes: list[profile_maker.Change] = [
        (profile_maker.storage_key("half"), b"\1login"),
        (profile_maker.storage_key(layout.SENTINEL + "1"), b"\1x"),
        (profile_maker.storage_key(layout.SENTINEL + "1"), None),
        (b"META:https://web.whatsapp.com", b"\x08\x01"),
    ]
    profile_maker.database(database, {8: b"local"}, changes, log=9)
    os.utime(database, (1, 1))
    assert digest(other) == before


@pytest.mark.parametrize("what", ["a table", "a log", "a blob"])
def test_the_content_digest_sees_each_change(root: pathlib.Path, what: str) -> None:
    cache = layout.ContentDigest()
    before = cache.of(root)
    match what:
        case "a table":
            profile_maker.database(
                root / layout.INDEXED_DB / profile_maker.ORIGIN, {5: b"indexed", 6: b"mire"}, [(b"k", b"v")]
            )
        case "a log":
            profile_maker.database(
                root / layout.LEVELDB, {5: b"local"}, [(profile_maker.storage_key("half"), b"\1other")]
            )
        case _:
            blob = next(path for path in root.rglob("1") if path.is_file())
            blob.unlink()
            blob.write_bytes(b"bleb" * 1000)
    assert cache.of(root) != before


def test_a_sentinel_counts_only_with_its_value(root: pathlib.Path) -> None:
    key = layout.SENTINEL + "abc"
    profile_maker.database(root / layout.LEVELDB, {5: b"local"}, [(profile_maker.storage_key(key), b"\1right")])
    assert layout.holds_sentinel(root, key, "right")
    assert not layout.holds_sentinel(root, key, "wrong")
    assert not layout.holds_sentinel(root, key + "d", "right")


def test_a_marker_counts_only_when_it_is_complete_and_its_profile_is_there(root: pathlib.Path) -> None:
    assert layout.read_marker(root) is None
    layout.write_marker(root, layout.Marker("RemoteAuth", 3, "hash", 2))
    assert layout.read_marker(root) is None
    complete = layout.Marker("RemoteAuth", 3, "hash", 2, complete=True)
    layout.write_marker(root, complete)
    assert layout.read_marker(root) == complete
    layout.marker_path(root).write_text("{")
    assert layout.read_marker(root) is None
    layout.write_marker(root, complete)
    shutil.rmtree(root)
    assert layout.read_marker(root) is None


def test_a_swap_removes_the_marker_of_the_old_profile_first(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    layout.write_marker(root, layout.Marker("RemoteAuth", 1, complete=True))
    fresh = profile_maker.profile(tmp_path / "fresh")
    (fresh / "Default" / "new").write_text("")
    layout.swap_in(fresh, root)
    assert (root / "Default" / "new").exists()
    assert layout.read_marker(root) is None


def test_the_holder_of_a_lock_is_read_from_its_link(root: pathlib.Path) -> None:
    assert layout.lock_holder(root) is None
    (root / "SingletonLock").symlink_to("wa-old-pod-1234")
    assert layout.lock_holder(root) == ("wa-old-pod", 1234)
    layout.remove_locks(root)
    assert layout.lock_holder(root) is None


def test_a_snapshot_of_a_closed_profile_holds_the_login_and_leaves_no_trace(root: pathlib.Path) -> None:
    dead = root / layout.INDEXED_DB / profile_maker.ORIGIN / "000002.ldb"
    dead.write_bytes(b"half written or obsolete")
    snapshotter = snapshot.Staging(root, profile_maker.ORIGIN)
    with snapshotter.closed(None) as staged:
        assert layout.check(staged.folder, profile_maker.ORIGIN)
        assert not (staged.folder / dead.relative_to(root)).exists()
        assert staged.content_digest == digest(root)
        assert staged.linked > 0
        assert staged.copied > 0
    assert [path.name for path in root.parent.iterdir()] == ["profile"]


def test_a_snapshot_without_its_sentinel_is_refused(root: pathlib.Path) -> None:
    mark = snapshot.Sentinel(layout.SENTINEL + "x", "y")
    with (
        pytest.raises(errors.SnapshotFailed, match="lacks what the page wrote last"),
        snapshot.Staging(root, profile_maker.ORIGIN).closed(mark),
    ):
        pass


def test_a_snapshot_with_a_missing_table_is_refused(root: pathlib.Path) -> None:
    (root / layout.INDEXED_DB / profile_maker.ORIGIN / "000006.ldb").unlink()
    with (
        pytest.raises(errors.SnapshotFailed, match=r"incomplete: .*000006\.ldb is missing"),
        snapshot.Staging(root, profile_maker.ORIGIN).closed(None),
    ):
        pass


def test_the_digest_remembers_no_more_files_than_there_are(root: pathlib.Path) -> None:
    digest, sizes = layout.ContentDigest(), []
    for number in range(20):
        (root / "Default" / "Preferences").write_text("x" * number)
        digest.of(root)
        sizes.append(len(digest._before) + len(digest._now))
    assert sizes[-1] == sizes[1]


def test_a_snapshot_that_was_given_up_cannot_be_archived_in_part(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, whole_when_removed = shutil.rmtree, []

    def watched(path: pathlib.Path, ignore_errors: bool) -> None:
        whole_when_removed.append(staged.folder.exists())
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(snapshot.shutil, "rmtree", watched)
    with snapshot.Staging(root, profile_maker.ORIGIN).closed(None) as staged:
        begun = archive.write(staged.folder)
        next(begun)
    with pytest.raises(FileNotFoundError):
        list(begun)
    with pytest.raises(errors.SnapshotFailed):
        list(archive.write(staged.folder))
    assert [path.name for path in root.parent.glob(".*")] == []
    assert whole_when_removed == [False], "it is gone at once, not file by file"


def test_what_a_killed_worker_left_behind_is_swept(root: pathlib.Path) -> None:
    (root.parent / ".profile.snapshot-abc").mkdir()
    snapshot.Staging(root, profile_maker.ORIGIN).sweep()
    assert not (root.parent / ".profile.snapshot-abc").exists()
