"""Archives: what we write, what we read, what we refuse."""

import io
import os
import pathlib
import stat
import struct
import tracemalloc
import zipfile

import pytest

from scenes.worker import profile_maker
from whatsapp_worker import errors
from whatsapp_worker.profile import archive, layout


def packed(root: pathlib.Path) -> bytes:
    return b"".join(archive.write(root))


def tree(root: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def written(tmp_path: pathlib.Path, content: bytes) -> pathlib.Path:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    return path


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, content in entries:
            target.writestr(name, content)
    return stream.getvalue()


def test_a_profile_survives_the_way_there_and_back(tmp_path: pathlib.Path) -> None:
    root = profile_maker.profile(tmp_path / "p")
    archive.extract(written(tmp_path, packed(root)), tmp_path / "out")
    assert tree(tmp_path / "out") == tree(root)


def test_sizes_stand_in_the_local_headers_and_no_descriptor_follows(tmp_path: pathlib.Path) -> None:
    # The JavaScript stores' reader is a stream: it breaks on data that contains a descriptor's signature.
    root = profile_maker.profile(tmp_path / "p")
    (root / "Default" / "trap").write_bytes(b"PK\x07\x08" * 10)
    content = packed(root)
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert found.testzip() is None
        for entry in found.infolist():
            _, version, flags, method, _, crc, size, whole, _, _ = struct.unpack_from(
                "<4sHHHIIIIHH", content, entry.header_offset
            )
            assert flags & 0x8 == 0
            assert (crc, size, whole) == (entry.CRC, entry.compress_size, entry.file_size)
            assert method in (0, 8)
            assert version == 20, "no zip64"


def test_the_layout_is_the_one_of_the_javascript_stores(tmp_path: pathlib.Path) -> None:
    content = packed(profile_maker.profile(tmp_path / "p"))
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        names = found.namelist()
    assert names[0] == "Default/"
    assert all(name.startswith("Default/") for name in names)
    assert "Default/Local Storage/leveldb/" in names
    assert f"Default/IndexedDB/{profile_maker.ORIGIN}/CURRENT" in names
    assert content.startswith(b"PK\x03\x04"), "no data before the first entry"


def test_equal_contents_give_equal_archives(tmp_path: pathlib.Path) -> None:
    one, two = profile_maker.profile(tmp_path / "1"), profile_maker.profile(tmp_path / "2")
    os.utime(one / "Default", (1, 1))
    assert packed(one) == packed(two)


def test_memory_stays_small_however_large_a_file_is(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "p"
    (root / "Default").mkdir(parents=True)
    with (root / "Default" / "large").open("wb") as stream:
        for _ in range(24):
            stream.write(os.urandom(1 << 20))
    tracemalloc.start()
    size = sum(len(chunk) for chunk in archive.write(root))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 24 << 20
    assert peak < 12 << 20, f"{peak >> 20} MiB for one file of 24 MiB"


def test_a_file_that_changes_under_the_writing_is_no_archive(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "p"
    (root / "Default").mkdir(parents=True)
    large = root / "Default" / "large"
    large.write_bytes(os.urandom(8 << 20))
    chunks = archive.write(root)
    for _ in range(2):  # the folder's header, the file's header: it has been measured
        next(chunks)
    large.write_bytes(b"other")
    with pytest.raises(errors.SnapshotFailed, match="changed while the worker archived it"):
        list(chunks)


def test_entries_stand_in_the_order_of_their_paths(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "p"
    for name in ("b/z", "b/a/1", "b.d/x", "b-c/y", "a", "ab/c"):
        path = root / "Default" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    stored = zipfile.ZipFile(io.BytesIO(b"".join(archive.write(root)))).namelist()
    assert [name.rstrip("/") for name in stored] == [str(each.relative_to(root)) for each in sorted(root.rglob("*"))]


def test_a_folder_that_is_gone_is_no_empty_archive(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.SnapshotFailed, match="gone no longer exists"):
        list(archive.write(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.SnapshotFailed, match="holds nothing to archive"):
        list(archive.write(tmp_path / "empty"))


def test_their_archives_with_descriptors_are_read(tmp_path: pathlib.Path) -> None:
    class Pipe(io.BytesIO):
        def tell(self) -> int:
            raise OSError("a pipe knows no position")

    stream = Pipe()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("Default/", b"")
        target.writestr("Default/IndexedDB/a", b"content PK\x07\x08 with a signature" * 100)
    content = stream.getvalue()
    assert struct.unpack_from("<H", content, content.index(b"IndexedDB/a") - 32)[0] & 0x8
    archive.extract(written(tmp_path, content), tmp_path / "out")
    assert (tmp_path / "out/Default/IndexedDB/a").read_bytes().startswith(b"content PK")


def link_entry() -> bytes:
    entry = zipfile.ZipInfo("Default/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((entry, b"/etc/passwd"))


def encrypted() -> bytes:
    content = bytearray(zipped(("Default/a", b"x")))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


REFUSED: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "not a complete zip"),
    "noise": (os.urandom(5000), "not a complete zip"),
    "half a zip": (zipped(("Default/a", os.urandom(5000)))[:2500], "not a complete zip"),
    "a zip without entries": (zipped(), "empty"),
    "the JavaScript library's empty zip": (zipped(("Default/", b""), ("Default/IndexedDB/", b"")), ""),
    "a way out": (zipped(("Default/../../x", b"x")), "outside"),
    "an absolute path": (zipped(("/etc/x", b"x")), "outside"),
    "another root": (zipped(("Other/x", b"x")), "outside"),
    "a backslash": (zipped(("Default/a\\..\\b", b"x")), "outside"),
    "a link": (link_entry(), "link"),
    "another method": (zipped(("Default/a", b"x" * 100), method=zipfile.ZIP_BZIP2), "method"),
    "encryption": (encrypted(), "encrypted"),
    "a name twice": (zipped(("Default/a", b"x"), ("Default/a/", b"")), "twice"),
    "a file as a folder": (zipped(("Default/a", b"x"), ("Default/a/b", b"y")), "not a complete zip"),
}


@pytest.mark.parametrize("what", [name for name, (_, said) in REFUSED.items() if said])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_profile_is_refused(tmp_path: pathlib.Path, what: str) -> None:
    content, said = REFUSED[what]
    with pytest.raises(errors.ArchiveDamaged, match=said):
        archive.extract(written(tmp_path, content), tmp_path / "out")
    assert not (tmp_path / "x").exists()


def test_an_archive_that_is_whole_but_holds_no_login_is_refused_by_the_profiles_check(tmp_path: pathlib.Path) -> None:
    archive.extract(written(tmp_path, REFUSED["the JavaScript library's empty zip"][0]), tmp_path / "out")
    with pytest.raises(errors.ArchiveDamaged, match="holds no localStorage"):
        layout.check(tmp_path / "out")


def flipped(content: bytes, at: int) -> bytes:
    data = bytearray(content)
    data[at] ^= 0xFF
    return bytes(data)


def test_a_wrong_byte_in_the_data_is_noticed(tmp_path: pathlib.Path) -> None:
    content = zipped(("Default/a", os.urandom(3000)), method=zipfile.ZIP_STORED)
    with pytest.raises(errors.ArchiveDamaged, match="CRC"):
        archive.extract(written(tmp_path, flipped(content, 500)), tmp_path / "out")


@pytest.mark.parametrize("limits", [archive.Limits(size=50), archive.Limits(entries=1)])
def test_absurd_sizes_are_refused_before_anything_is_written(tmp_path: pathlib.Path, limits: archive.Limits) -> None:
    content = zipped(("Default/a", b"x" * 100), ("Default/b", b""))
    with pytest.raises(errors.ArchiveDamaged, match=r"more than|too many"):
        archive.extract(written(tmp_path, content), tmp_path / "out", limits)
    assert not (tmp_path / "out").exists()
