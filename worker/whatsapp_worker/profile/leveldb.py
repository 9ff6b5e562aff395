"""Read as much of LevelDB's files as it takes to tell whether a database is whole, and what its log says.

Formats: github.com/google/leveldb doc/log_format.md, doc/table_format.md and db/version_edit.cc. A missing table makes
Chromium "repair" the database by dropping data, which a zip's checksum cannot see.
"""

import io
import pathlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import google_crc32c

from whatsapp_worker import errors

MANIFEST_LIMIT = 32 << 20
"""Bytes: a manifest is begun anew at each start beyond 2 MB, and grows by some hundred bytes a flush."""
RECORD_LIMIT = 32 << 20
"""Bytes of one record of a log: larger values are files of their own, and localStorage has 10 MB at most."""
TABLES = 100_000
"""Live tables: each has about 2 MB."""
_MANIFEST = re.compile(rb"(MANIFEST-[0-9]{1,20})\n")
_BLOCK = 32768
_HEADER = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TABLE_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_TABLE_FOOTER = 48
_MASK_DELTA = 0xA282EAD8


def masked_crc32c(data: bytes) -> int:
    """Return LevelDB's masked CRC-32C of ``data``."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def log_records(data: bytes | BinaryIO, *, verify: bool) -> Iterator[bytes]:
    """Yield the whole records of a log file, read block by block; a torn tail ends it, as it does for LevelDB.

    With ``verify`` each fragment's checksum is compared; raises ArchiveDamaged.
    """
    parts = bytearray()
    for kind, fragment in _fragments(io.BytesIO(data) if isinstance(data, bytes) else data, verify):
        if kind in (_FULL, _FIRST):
            parts.clear()
        parts += fragment
        if len(parts) > RECORD_LIMIT:
            raise errors.ArchiveDamaged("a log's record is longer than any that Chromium writes")
        if kind in (_FULL, _LAST):
            yield bytes(parts)
            parts.clear()


def _fragments(stream: BinaryIO, verify: bool) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each piece; none reaches over its block."""
    start = 0
    while block := stream.read(_BLOCK):
        position = 0
        while position + _HEADER <= len(block):
            crc, length, kind = struct.unpack_from("<IHB", block, position)
            fragment = block[position + _HEADER : position + _HEADER + length]
            if verify and position + _HEADER + length > _BLOCK:
                raise errors.ArchiveDamaged(f"a log record at byte {start + position} reaches over its block")
            if len(fragment) < length or (kind == 0 and length == 0):
                return
            if verify and masked_crc32c(bytes([kind]) + fragment) != crc:
                raise errors.ArchiveDamaged(f"checksum of a log record at byte {start + position} is wrong")
            position += _HEADER + length
            yield kind, fragment
        start += len(block)


class _Cursor:
    """Walk over the varints and slices of one record."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def ended(self) -> bool:
        return self.position >= len(self.data)

    def varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            if self.ended:
                raise errors.ArchiveDamaged("a record ends within a number")
            byte = self.data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            value = 1 << 64
        if value >> 64:
            raise errors.ArchiveDamaged("a record holds a number of more than 64 bits")
        return value

    def slice(self) -> bytes:
        length = self.varint()
        if self.position + length > len(self.data):
            raise errors.ArchiveDamaged("a record ends within a string")
        self.position += length
        return self.data[self.position - length : self.position]


@dataclass(slots=True)
class Version:
    """The live files that a manifest names: tables by number with their sizes, and the write-ahead log's number."""

    tables: dict[int, int] = field(default_factory=dict)
    log_number: int = 0
    comparator: str = ""


def read_manifest(data: bytes) -> Version:
    """Replay a manifest's version edits; raises ArchiveDamaged if a record is not readable."""
    version = Version()
    for record in log_records(data, verify=True):
        _apply(version, _Cursor(record))
    return version


def _apply(version: Version, edit: _Cursor) -> None:
    while not edit.ended:
        match edit.varint():
            case 1:
                version.comparator = edit.slice().decode("ascii", "replace")
            case 2:
                version.log_number = edit.varint()
            case 3 | 4 | 9:  # next file, last sequence, previous log
                edit.varint()
            case 5:  # compaction pointer: level, key
                edit.varint()
                edit.slice()
            case 6:  # deleted file: level, number
                edit.varint()
                version.tables.pop(edit.varint(), None)
            case 7:  # new file: level, number, size, smallest, largest
                edit.varint()
                number = edit.varint()
                version.tables[number] = edit.varint()
                if len(version.tables) > TABLES:
                    raise errors.ArchiveDamaged("a manifest names absurdly many tables")
                edit.slice()
                edit.slice()
            case tag:
                raise errors.ArchiveDamaged(f"a manifest holds an edit of the unknown kind {tag}")


@dataclass(frozen=True, slots=True)
class Change:
    """One put or delete (``value`` None) of a write-ahead log."""

    key: bytes
    value: bytes | None


def changes(data: bytes | BinaryIO) -> Iterator[Change]:
    """Yield the puts and deletes of a write-ahead log in order."""
    for record in log_records(data, verify=False):
        if len(record) < 12:
            raise errors.ArchiveDamaged("a write batch is shorter than its header")
        batch = _Cursor(record, 12)
        while not batch.ended:
            put = batch.varint() == 1
            key = batch.slice()
            yield Change(key, batch.slice() if put else None)


def is_database(folder: pathlib.Path) -> bool:
    """Tell whether a folder looks like a LevelDB."""
    return (folder / "CURRENT").is_file()


def check(folder: pathlib.Path) -> Version:
    """Return the live version if the database is whole: CURRENT -> MANIFEST -> each live table with its size.

    Raises ArchiveDamaged that names the first file that is not.
    """
    where = folder.name
    current = _MANIFEST.fullmatch(_read(folder, "CURRENT"))
    if not current:
        raise errors.ArchiveDamaged(f"{where}/CURRENT does not name a manifest")
    name = current[1].decode()
    version = read_manifest(_read(folder, name))
    if not version.comparator:
        raise errors.ArchiveDamaged(f"{where}/{name} holds no whole record")
    for number, size in sorted(version.tables.items()):
        _check_table(folder, number, size)
    if version.log_number and not (folder / f"{version.log_number:06d}.log").is_file():
        raise errors.ArchiveDamaged(f"{where}/{version.log_number:06d}.log is missing")
    return version


def _read(folder: pathlib.Path, name: str) -> bytes:
    try:
        if (folder / name).stat().st_size > MANIFEST_LIMIT:
            raise errors.ArchiveDamaged(f"{folder.name}/{name} is longer than any that Chromium writes")
        return (folder / name).read_bytes()
    except OSError:
        raise errors.ArchiveDamaged(f"{folder.name}/{name} is missing") from None


def _check_table(folder: pathlib.Path, number: int, size: int) -> None:
    for suffix in ("ldb", "sst"):
        path = folder / f"{number:06d}.{suffix}"
        if not path.is_file():
            continue
        found = path.stat().st_size
        if found != size:
            raise errors.ArchiveDamaged(f"{folder.name}/{path.name} has {found} bytes, its manifest says {size}")
        with path.open("rb") as stream:
            stream.seek(-min(size, _TABLE_FOOTER), 2)
            if not stream.read().endswith(_TABLE_MAGIC):
                raise errors.ArchiveDamaged(f"{folder.name}/{path.name} does not end as a table does")
        return
    raise errors.ArchiveDamaged(f"{folder.name}/{number:06d}.ldb is missing")
