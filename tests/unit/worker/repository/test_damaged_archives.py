"""Whatever an archive holds: it is a whole profile in its folder, or refused; nothing escapes, hangs or crashes."""

import functools
import io
import pathlib
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.worker import profile_maker
from scenes.worker.wwebjs_copies import Scene
from whatsapp_worker import errors
from whatsapp_worker.profile import archive, layout
from whatsapp_worker.repository import records, restore


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = profile_maker.profile(tmp_path_factory.mktemp("profile") / "profile")
    (root / "Default" / "Preferences").unlink()
    return b"".join(archive.write(root))


@pytest.fixture(scope="module")
def folder() -> Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        yield pathlib.Path(name)


def tried(content: bytes, folder: pathlib.Path) -> bool:
    """Extract and check as a restore does; returns whether a whole profile is there now."""
    source, target = folder / "deep" / "source.zip", folder / "deep" / "target"
    shutil.rmtree(folder / "deep", ignore_errors=True)
    source.parent.mkdir(parents=True)
    source.write_bytes(content)
    try:
        archive.extract(source, target)
        layout.check(target)
        whole = True
    except errors.ArchiveDamaged:
        whole = False
    assert {path.name for path in folder.iterdir()} == {"deep"}
    assert {path.name for path in source.parent.iterdir()} <= {"source.zip", "target"}
    for path in target.rglob("*"):
        assert not path.is_symlink()
        assert path.is_relative_to(target / "Default") or path == target / "Default"
    return whole


def test_the_whole_one_is_taken(whole: bytes, folder: pathlib.Path) -> None:
    assert tried(whole, folder)


@given(st.binary(max_size=400))
def test_noise_is_refused(folder: pathlib.Path, noise: bytes) -> None:
    assert not tried(noise, folder)


@settings(max_examples=40)
@given(st.data())
def test_a_cut_archive_is_refused(whole: bytes, folder: pathlib.Path, data: st.DataObject) -> None:
    assert not tried(whole[: data.draw(st.integers(0, len(whole) - 1))], folder)


@settings(max_examples=60)
@given(st.data())
def test_flipped_bits_are_refused_or_harmless(whole: bytes, folder: pathlib.Path, data: st.DataObject) -> None:
    changed = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
    tried(bytes(changed), folder)


@settings(max_examples=40)
@given(st.data())
def test_pieces_left_out_repeated_or_overwritten_are_refused_or_harmless(
    whole: bytes, folder: pathlib.Path, data: st.DataObject
) -> None:
    low, high = sorted(data.draw(st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))))
    piece = data.draw(st.sampled_from([b"", whole[low:high] * 2, bytes(high - low), b"PK\x05\x06" + bytes(18)]))
    tried(whole[:low] + piece + whole[high:], folder)


NAMES = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["Default", "..", ".", "", "IndexedDB", "Local Storage", "C:", "x"]), max_size=6).map(
        "/".join
    ),
    st.sampled_from(["/etc/passwd", "Default/../../x", "..\\x", "Default\\..\\..\\x", "Default/\0x", "Default/" * 300]),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=50), st.integers(0, 0xFFFF)), max_size=8))
def test_any_names_and_kinds_stay_in_their_folder(folder: pathlib.Path, entries: list[tuple[str, bytes, int]]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content, mode in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name.encode("utf-8", "replace").decode("utf-8")  # unchecked, as a stranger writes it
            info.external_attr = mode << 16
            try:
                made.writestr(info, content)
            except (UserWarning, ValueError, struct.error):
                return
    tried(stream.getvalue(), folder)


@functools.cache
def zeros(megabytes: int) -> tuple[int, int, bytes]:
    """Return CRC, size and deflated form of so many zeros."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    crc, piece, packed = 0, bytes(1 << 20), b""
    for _ in range(megabytes):
        crc, packed = zlib.crc32(piece, crc), packed + compressor.compress(piece)
    return crc, megabytes << 20, packed + compressor.flush()


def bomb(declared: int | None = None) -> bytes:
    """Return an archive of about a megabyte that unpacks to 300; its headers may say less."""
    crc, size, packed = zeros(300)
    entry = archive.Measured(b"Default/x", 8, crc, len(packed), declared or size)
    header, central = archive._local_header(entry), archive._central_header(entry, 0)
    end = archive._END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(central), len(header) + len(packed), 0)
    return header + packed + central + end


def test_a_bomb_is_refused_before_it_is_unpacked(folder: pathlib.Path) -> None:
    content = bomb()
    assert len(content) < 2_000_000
    assert not tried(content, folder)
    assert not (folder / "deep" / "target").exists()


def test_a_bomb_that_lies_about_its_size_unpacks_to_what_it_said(folder: pathlib.Path) -> None:
    assert not tried(bomb(declared=1000), folder)
    assert sum(path.stat().st_size for path in (folder / "deep").rglob("x")) <= 1000


def restorer(scene: Scene) -> restore.Restorer:
    profile = scene.folder / "data" / "RemoteAuth"
    profile.parent.mkdir()
    made = restore.Restorer(scene.place.kept, restore.Target(profile, lambda: "156.0"))
    made.begin(scene.place.journal.head + 1)
    return made


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "noise", "another session's", "bomb", "path"])
def test_a_damaged_newest_archive_is_said_and_the_previous_one_restored(tmp_path: pathlib.Path, harm: str) -> None:
    scene = Scene(tmp_path)
    scene.save()
    (tmp_path / "profile" / "Default" / "IndexedDB" / "more").write_text("second")
    newest = scene.place.publish().generation
    content = scene.place.store.contents[newest.archive]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("Default/../../escaped", b"x")
    scene.place.store.contents[newest.archive] = {
        "cut": content[: len(content) // 2],
        "flipped": content[:100] + bytes([content[100] ^ 4]) + content[101:],
        "empty": b"",
        "noise": b"\xa5" * len(content),
        "another session's": next(c for n, c in scene.place.store.contents.items() if "/00000001-" in n),
        "bomb": bomb(),
        "path": stream.getvalue(),
    }[harm]
    placed = restorer(scene).place_next()
    assert placed.candidate is not None
    assert placed.candidate.generation.number == 1
    assert [text.partition(":")[0] for text in placed.broken] == ["generation 2"]
    assert not (tmp_path / "escaped").exists()
    layout.check(tmp_path / "data" / "RemoteAuth", profile_maker.ORIGIN)


@pytest.mark.parametrize("harm", ["bomb", "path"])
def test_a_foreign_archive_that_means_harm_is_refused(tmp_path: pathlib.Path, harm: str) -> None:
    scene = Scene(tmp_path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("Default/../../../escaped", b"x")
    scene.foreign(bomb() if harm == "bomb" else stream.getvalue())
    assert "holds no login that can be restored" in scene.look()
    assert not any(isinstance(r.body, records.Generation) for r in scene.place.journal.back(scene.place.journal.head))
    assert {path.name for path in tmp_path.iterdir()} == {"profile"}
