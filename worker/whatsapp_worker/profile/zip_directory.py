"""Look at a zip's central directory before Python's zipfile, which keeps each entry in memory, reads it whole."""

import pathlib
import struct
from typing import BinaryIO

from whatsapp_worker import errors

LIMIT = 16 << 20
"""Bytes: 65,535 entries with names of 200 bytes are shorter."""
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_LARGE_END = struct.Struct("<4sQ2H2L4Q")
_COMMENT = 0xFFFF


def check(source: pathlib.Path, entries: int) -> None:
    """Raise ArchiveDamaged if the directory is not where it must be, or is longer or fuller than ``entries`` allows.

    What it says of their number is not believed: each entry bears a signature, which is counted.
    """
    with source.open("rb") as stream:
        at, size = _place(stream)
        if size > min(at, LIMIT):
            raise errors.ArchiveDamaged(f"the archive's directory is longer than {min(at, LIMIT)} bytes")
        stream.seek(at - size)
        if stream.read(size).count(b"PK\x01\x02") > entries:
            raise errors.ArchiveDamaged("the archive contains too many entries")


def _place(stream: BinaryIO) -> tuple[int, int]:
    """Return where the directory ends and how long it is, found as zipfile finds it."""
    length = stream.seek(0, 2)
    start = max(0, length - _END.size - _COMMENT)
    stream.seek(start)
    tail = stream.read()
    at = len(tail) - _END.size
    if at < 0 or not tail.startswith(b"PK\x05\x06", at) or not tail.endswith(b"\0\0"):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise errors.ArchiveDamaged("the archive is not a complete zip file (its end is missing)")
    size = _END.unpack_from(tail, at)[5]
    return _large(stream, start + at) or (start + at, size)


def _large(stream: BinaryIO, end: int) -> tuple[int, int] | None:
    """Return the same by the records of a zip above 4 GiB or 65,535 entries, None if there are none."""
    record = end - _LOCATOR.size - _LARGE_END.size
    if record < 0:
        return None
    stream.seek(record)
    found = stream.read(_LARGE_END.size + _LOCATOR.size)
    signature, _, place, _ = _LOCATOR.unpack_from(found, _LARGE_END.size)
    if signature != b"PK\x06\x07":
        return None
    if place != record or not found.startswith(b"PK\x06\x06"):
        # zipfile's versions differ in where they look then, so that another directory could be read than was seen.
        raise errors.ArchiveDamaged("the archive is not a complete zip file (its two ends do not fit)")
    return record, int(_LARGE_END.unpack_from(found)[8])
