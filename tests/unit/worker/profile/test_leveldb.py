"""LevelDB's files: what is whole passes, what is not is named."""

import pathlib
from collections.abc import Callable

import pytest

from scenes.worker import profile_maker
from whatsapp_worker import errors
from whatsapp_worker.profile import leveldb

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return profile_maker.database(
        tmp_path / "x.leveldb", {5: b"five" * 100, 7: b"seven"}, [(b"k", b"v"), (b"gone", None)]
    )


def test_the_checksum_is_that_of_the_format() -> None:
    # RFC 3720 B.4: 32 bytes of zeros; LevelDB rotates by 15 bits and adds a constant.
    crc = 0x8A9136AA
    assert leveldb.masked_crc32c(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_live_tables_are_those_added_and_not_removed(folder: pathlib.Path) -> None:
    version = leveldb.check(folder)
    assert sorted(version.tables) == [5, 7]
    assert version.log_number == 4


def test_changes_are_read_across_blocks(tmp_path: pathlib.Path) -> None:
    changes: list[profile_maker.Change] = [(b"a", b"x" * 100_000), (b"b", None), (b"c", b"y" * 40_000)]
    data = profile_maker.log_file([profile_maker.batch(1, changes[:1]), profile_maker.batch(2, changes[1:])])
    assert [(change.key, change.value) for change in leveldb.changes(data)] == changes


def test_a_torn_tail_of_a_log_is_what_leveldb_ignores_too() -> None:
    data = profile_maker.log_file(
        [profile_maker.batch(1, [(b"a", b"x")]), profile_maker.batch(2, [(b"b", b"y" * 50_000)])]
    )
    assert [change.key for change in leveldb.changes(data[:-1])] == [b"a"]
    assert list(leveldb.changes(data[:3])) == []


def test_a_wrong_byte_in_a_manifest_is_noticed(folder: pathlib.Path) -> None:
    manifest = folder / "MANIFEST-000001"
    data = bytearray(manifest.read_bytes())
    data[20] ^= 1
    manifest.write_bytes(data)
    with pytest.raises(errors.ArchiveDamaged, match="checksum"):
        leveldb.check(folder)


DAMAGE: dict[str, tuple[Callable[[pathlib.Path], object], str]] = {
    "no CURRENT": (lambda folder: (folder / "CURRENT").unlink(), "CURRENT is missing"),
    "empty CURRENT": (lambda folder: (folder / "CURRENT").write_text(""), "does not name a manifest"),
    "CURRENT leads away": (
        lambda folder: (folder / "CURRENT").write_text("MANIFEST-../x\n"),
        "does not name a manifest",
    ),
    "no manifest": (lambda folder: (folder / "MANIFEST-000001").unlink(), "MANIFEST-000001 is missing"),
    "empty manifest": (lambda folder: (folder / "MANIFEST-000001").write_bytes(b""), "holds no whole record"),
    "no table": (lambda folder: (folder / "000007.ldb").unlink(), "000007.ldb is missing"),
    "short table": (lambda folder: (folder / "000007.ldb").write_bytes(b"x"), "has 1 bytes, its manifest says"),
    "noise for a table": (
        lambda folder: (folder / "000007.ldb").write_bytes(bytes((folder / "000007.ldb").stat().st_size)),
        "does not end as a table does",
    ),
    "no log": (lambda folder: (folder / "000004.log").unlink(), "000004.log is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_database_that_is_not_whole_is_refused_by_the_file(folder: pathlib.Path, damage: str) -> None:
    harm, said = DAMAGE[damage]
    harm(folder)
    with pytest.raises(errors.ArchiveDamaged, match=said):
        leveldb.check(folder)


def test_an_unknown_edit_is_refused_and_not_guessed() -> None:
    with pytest.raises(errors.ArchiveDamaged, match="unknown kind 99"):
        leveldb.read_manifest(profile_maker.log_file([profile_maker.varint(99)]))


@pytest.mark.parametrize(
    "edit", [b"\x07\x00\xff", profile_maker.varint(1) + profile_maker.varint(50) + b"short", b"\x80"]
)
def test_an_edit_that_ends_early_is_refused(edit: bytes) -> None:
    with pytest.raises(errors.ArchiveDamaged, match="ends within"):
        leveldb.read_manifest(profile_maker.log_file([edit]))
