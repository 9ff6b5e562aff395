"""Archives that mean harm by what their databases say: refused in bounded time, and never the end of the worker."""

import dataclasses
import io
import pathlib
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.worker import profile_maker
from scenes.worker.wwebjs_copies import SESSION, Scene
from whatsapp_worker import errors
from whatsapp_worker.profile import archive, layout, leveldb, zip_directory
from whatsapp_worker.repository import wwebjs_import

COMPARATOR = profile_maker.varint(1) + profile_maker.sliced(b"leveldb.BytewiseComparator")


def table_edit(number: int, size: int = 1) -> bytes:
    return (
        COMPARATOR
        + profile_maker.varint(7)
        + b"\0"
        + profile_maker.varint(number)
        + profile_maker.varint(size)
        + profile_maker.sliced(b"a") * 2
    )


def archive_with(root: pathlib.Path, harm: Callable[[pathlib.Path], object]) -> bytes:
    """Return the archive of a profile whose localStorage was changed."""
    made = profile_maker.profile(root)
    (made / "Default" / "Preferences").unlink()
    harm(made / layout.LEVELDB)
    return b"".join(archive.write(made))


def manifest(record: bytes) -> Callable[[pathlib.Path], object]:
    return lambda folder: (folder / "MANIFEST-000001").write_bytes(profile_maker.log_file([record]))


def current(content: bytes) -> Callable[[pathlib.Path], object]:
    return lambda folder: (folder / "CURRENT").write_bytes(content)


HARM: dict[str, tuple[Callable[[pathlib.Path], object], str]] = {
    "CURRENT with a zero byte": (current(b"MANIFEST-\0\n"), "does not name a manifest"),
    "CURRENT with a long name": (current(b"MANIFEST-" + b"1" * 5000 + b"\n"), "does not name a manifest"),
    "CURRENT without a number": (current(b"MANIFEST-\n"), "does not name a manifest"),
    "a table's number of 300 digits": (manifest(table_edit(10**300)), "a number of more than 64 bits"),
    "a table's number of 5000 digits": (manifest(table_edit(10**5000)), "a number of more than 64 bits"),
    "a log's number of 5000 digits": (
        manifest(COMPARATOR + profile_maker.varint(2) + profile_maker.varint(10**5000)),
        "a number of more than 64 bits",
    ),
    "a number without an end": (
        manifest(COMPARATOR + profile_maker.varint(2) + b"\xff" * 900_000),
        "more than 64 bits",
    ),
    "a string of 2^60 bytes": (
        manifest(profile_maker.varint(1) + profile_maker.varint(1 << 60)),
        "ends within a string",
    ),
    "a table of 2^63 bytes": (manifest(table_edit(5, 1 << 63)), "its manifest says"),
    "a table of no bytes": (
        lambda folder: ((folder / "000005.ldb").write_bytes(b""), manifest(table_edit(5, 0))(folder)),
        "does not end as a table does",
    ),
    "a manifest that is a folder": (
        lambda folder: ((folder / "MANIFEST-000001").unlink(), (folder / "MANIFEST-000001").mkdir()),
        "MANIFEST-000001 is missing",
    ),
    "a batch that breaks off": (
        lambda folder: (folder / "000009.log").write_bytes(profile_maker.log_file([b"short"])),
        "shorter than its header",
    ),
    "a batch with a number without an end": (
        lambda folder: (folder / "000009.log").write_bytes(profile_maker.log_file([bytes(12) + b"\xff" * 900_000])),
        "more than 64 bits",
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_foreign_archive_with_a_crafted_database_is_refused(tmp_path: pathlib.Path, harm: str) -> None:
    scene = Scene(tmp_path)
    change, said = HARM[harm]
    scene.foreign(archive_with(tmp_path / "crafted", change))
    told = scene.look()
    assert "holds no login that can be restored" in told
    assert said in told
    assert scene.place.journal.last_number() == 0
    assert list(tmp_path.glob(".import-*")) == []


def test_a_folder_with_the_name_of_a_log_is_no_log(tmp_path: pathlib.Path) -> None:
    scene = Scene(tmp_path)
    scene.foreign(archive_with(tmp_path / "crafted", lambda folder: (folder / "zzz.log").mkdir()))
    assert scene.look() == ""
    assert scene.place.journal.last_number() == 1


def test_a_manifest_that_is_too_long_is_not_read(tmp_path: pathlib.Path) -> None:
    folder = profile_maker.database(tmp_path / "x.leveldb")
    with (folder / "MANIFEST-000001").open("ab") as stream:
        stream.truncate(leveldb.MANIFEST_LIMIT + 1)
    with pytest.raises(errors.ArchiveDamaged, match="is longer than any that Chromium writes"):
        leveldb.check(folder)


def test_a_manifest_with_too_many_tables_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb, "TABLES", 3)
    with pytest.raises(errors.ArchiveDamaged, match="absurdly many"):
        leveldb.read_manifest(profile_maker.log_file([table_edit(number) for number in range(5)]))


def test_a_log_is_not_read_whole(tmp_path: pathlib.Path) -> None:
    made = profile_maker.profile(tmp_path / "p")
    log = made / layout.LEVELDB / "000004.log"
    with log.open("ab") as stream:
        for _ in range(50):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    layout.ContentDigest().of(made)
    assert not layout.holds_sentinel(made, "key", "value")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20


def test_a_record_of_a_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb, "RECORD_LIMIT", 100_000)
    data = profile_maker.log_file([profile_maker.batch(1, [(b"a", b"x" * 100_000)])])
    with pytest.raises(errors.ArchiveDamaged, match="longer than any"):
        list(leveldb.changes(data))


def test_logs_of_a_foreign_archive_that_would_take_minutes_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wwebjs_import, "LOGS_LIMIT", 1000)
    scene = Scene(tmp_path)
    harm = lambda folder: (folder / "000009.log").write_bytes(bytes(1001))  # noqa: E731  reads as its neighbours do
    scene.foreign(archive_with(tmp_path / "crafted", harm))
    assert "logs are longer than any that Chromium writes" in scene.look()


def test_a_foreign_archive_above_the_limit_is_not_downloaded(tmp_path: pathlib.Path) -> None:
    scene = Scene(tmp_path)
    scene.foreign()
    copy, content = scene.place.store.copies[SESSION]
    scene.place.store.copies[SESSION] = (dataclasses.replace(copy, size=wwebjs_import.LIMIT + 1), content)
    calls: list[str] = []
    scene.place.store.fail = lambda verb, name: calls.append(verb)
    assert "longer than 8 GiB" in scene.look()
    assert "read_copy" not in calls


def many(count: int) -> bytes:
    """Return a zip whose directory holds so many entries."""
    entries = [archive.Measured(f"Default/{number:06d}".encode(), 0, 0, 0, 0) for number in range(count)]
    header = archive._local_header(entries[0])
    central = b"".join(archive._central_header(entry, 0) for entry in entries)
    return header + central + archive._END.pack(b"PK\5\6", 0, 0, 1, 1, len(central), len(header), 0)


def refuse_to_build(*_: object) -> None:
    raise AssertionError("the entries were built before they were counted")


@pytest.mark.parametrize("content", [many(70_000), many(2) + b"x" * 8], ids=["absurdly many", "no end"])
def test_a_directory_is_looked_at_before_it_is_built(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    if len(content) > 1000:
        monkeypatch.setattr(zipfile, "ZipFile", refuse_to_build)
    with pytest.raises(errors.ArchiveDamaged):
        archive.extract(tmp_path / "a.zip", tmp_path / "out")


def test_a_directory_that_says_it_is_longer_than_any_is_not_read(tmp_path: pathlib.Path) -> None:
    with (tmp_path / "a.zip").open("wb") as stream:
        stream.truncate(zip_directory.LIMIT + 1)
        stream.seek(0, 2)
        stream.write(archive._END.pack(b"PK\5\6", 0, 0, 1, 1, zip_directory.LIMIT + 1, 0, 0))
    tracemalloc.start()
    with pytest.raises(errors.ArchiveDamaged, match="directory is longer than"):
        archive.extract(tmp_path / "a.zip", tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_an_archive_of_the_large_kind_is_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("Default/a", b"x")
        made.writestr("Default/b", b"y")
    assert b"PK\6\6" in stream.getvalue()
    (tmp_path / "a.zip").write_bytes(stream.getvalue())
    archive.extract(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out" / "Default" / "b").read_bytes() == b"y"
    (tmp_path / "b.zip").write_bytes(stream.getvalue().replace(b"PK\6\6", b"PK\6\5"))
    with pytest.raises(errors.ArchiveDamaged):
        archive.extract(tmp_path / "b.zip", tmp_path / "no")


def test_folders_within_folders_without_end_are_refused_or_extracted(tmp_path: pathlib.Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("Default/" + "a/" * 20_000 + "x", b"")
    (tmp_path / "a.zip").write_bytes(stream.getvalue())
    with pytest.raises(errors.ArchiveDamaged):
        archive.extract(tmp_path / "a.zip", tmp_path / "out")


NUMBERS = st.one_of(st.integers(0, 1 << 70), st.sampled_from([0, 4, 5, 1 << 64, 10**300, 10**5000]))
EDITS = st.lists(
    st.one_of(
        st.just(COMPARATOR),
        st.builds(table_edit, NUMBERS, NUMBERS),
        st.builds(
            lambda tag, number: profile_maker.varint(tag) + profile_maker.varint(number), st.integers(0, 12), NUMBERS
        ),
        st.binary(max_size=40),
    ),
    max_size=5,
).map(b"".join)
LOGS = st.one_of(st.binary(max_size=200), EDITS.map(lambda edits: profile_maker.log_file([bytes(12) + edits])))
CURRENTS = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: f"MANIFEST-{text}\n".encode()),
    st.sampled_from([b"MANIFEST-000001\n", b"MANIFEST-000001\n\n", b"MANIFEST-" + b"9" * 5000 + b"\n"]),
)


@settings(max_examples=80, deadline=5000)
@given(
    st.one_of(st.just(b"MANIFEST-000001\n"), CURRENTS),
    st.one_of(st.binary(max_size=200), st.lists(EDITS, max_size=3).map(profile_maker.log_file)),
    LOGS,
)
def test_whatever_a_database_says_it_is_whole_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, names: bytes, edits: bytes, log: bytes
) -> None:
    root = profile_maker.profile(tmp_path_factory.mktemp("fuzz") / "profile")
    folder = root / layout.LEVELDB
    (folder / "CURRENT").write_bytes(names)
    (folder / "MANIFEST-000001").write_bytes(edits)
    (folder / "000004.log").write_bytes(log)
    try:
        layout.check(root)
        layout.ContentDigest().of(root)
    except errors.ArchiveDamaged:
        pass
    finally:
        shutil.rmtree(root.parent)
