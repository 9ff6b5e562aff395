"""Write and read archives: zips that the JavaScript stores' streaming reader takes, and theirs.

Layout: the root is the browser's user data directory, everything lies in ``Default/``. Written with sizes and CRC in
the local headers and without data descriptors, because that reader scans for the descriptor's signature and breaks on
data that contains it. Read by the central directory, since theirs hold zeros in the local headers.
"""

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from whatsapp_worker import errors, stores
from whatsapp_worker.profile import layout, profile_zip, zip_directory

ROOT = "Default"
_IN_MEMORY = 4 << 20
"""Bytes up to which a file is compressed in memory; larger ones are compressed twice: to measure, then to write."""
_LIMIT = (1 << 32) - 1
_ENTRIES = (1 << 16) - 1
_LEVEL = 1
_DOS_EPOCH = (1 << 5 | 1) << 16
"""1980-01-01: time stamps would make equal contents differ."""
_LOCAL = struct.Struct("<4sHHHIIIIHH")
_CENTRAL = struct.Struct("<4sHHHHIIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_UTF8 = 0x800
_DEFLATE, _STORE = 8, 0
_NOT_A_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)
_NO_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ)
"""What the file system says of names that contradict each other, or that it cannot hold."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MODE_FILE = (stat.S_IFREG | 0o600) << 16
_MODE_FOLDER = (stat.S_IFDIR | 0o700) << 16 | 0x10


@dataclass(frozen=True, slots=True)
class Measured:
    """What the headers of one entry say."""

    name: bytes
    method: int
    crc: int
    packed: int
    size: int


def _compressed(path: pathlib.Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield pairs (raw chunk, deflated bytes); the last pair has an empty raw chunk."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    with path.open("rb") as stream:
        while chunk := stream.read(stores.CHUNK):
            yield chunk, compressor.compress(chunk)
    yield b"", compressor.flush()


def _measure(path: pathlib.Path, name: bytes) -> tuple[Measured, list[bytes] | None]:
    crc = packed = size = 0
    kept: list[bytes] | None = []
    for raw, data in _compressed(path):
        crc = zlib.crc32(raw, crc)
        size += len(raw)
        packed += len(data)
        if kept is not None:
            kept.append(data)
            if packed > _IN_MEMORY:
                kept = None
    if size > _LIMIT or packed > _LIMIT:
        raise errors.SnapshotFailed(f"{path.name} is larger than 4 GiB, the limit of an archive")
    return Measured(name, _DEFLATE, crc, packed, size), kept


def _again(path: pathlib.Path, entry: Measured) -> Iterator[bytes]:
    crc = packed = 0
    for raw, data in _compressed(path):
        crc = zlib.crc32(raw, crc)
        packed += len(data)
        yield data
    if (crc, packed) != (entry.crc, entry.packed):
        raise errors.SnapshotFailed(f"{path.name} changed while the worker archived it")


def _local_header(entry: Measured) -> bytes:
    fields = (b"PK\x03\x04", 20, _UTF8, entry.method, _DOS_EPOCH, entry.crc, entry.packed, entry.size)
    return _LOCAL.pack(*fields, len(entry.name), 0) + entry.name


def _central_header(entry: Measured, offset: int) -> bytes:
    mode = _MODE_FOLDER if entry.name.endswith(b"/") else _MODE_FILE
    fields = (b"PK\x01\x02", 3 << 8 | 20, 20, _UTF8, entry.method, _DOS_EPOCH, entry.crc, entry.packed, entry.size)
    return _CENTRAL.pack(*fields, len(entry.name), 0, 0, 0, 0, mode, offset) + entry.name


def _walk(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, bool]]:
    """Yield what is under a folder, and whether it is one, in the order of paths.

    No list of the whole, because profiles may be large. Raises FileNotFoundError if a folder goes meanwhile.
    """
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        yield path, is_folder
        if is_folder:
            yield from _walk(path)


def write(folder: pathlib.Path) -> Iterator[bytes]:
    """Yield the archive of everything under ``folder``, which holds ``Default/``.

    Memory is bounded at any size: one chunk, or one compressed file of at most 4 MiB. The files must not change.
    Raises SnapshotFailed beyond 4 GiB or 65,535 entries: the JavaScript reader knows no zip64; and for a folder that
    is empty or gone.
    """
    offset, directory, count = 0, bytearray(), 0
    if not folder.exists():
        raise errors.SnapshotFailed(f"{folder.name} no longer exists")
    for path, is_folder in _walk(folder):
        name = path.relative_to(folder).as_posix().encode()
        kept: list[bytes] | None
        if is_folder:
            entry, kept = Measured(name + b"/", _STORE, 0, 0, 0), []
        else:
            entry, kept = _measure(path, name)
        count += 1
        if offset > _LIMIT or count > _ENTRIES:
            raise errors.SnapshotFailed("the profile exceeds the limits of an archive (4 GiB, 65,535 files)")
        directory += _central_header(entry, offset)
        header = _local_header(entry)
        yield header
        yield from kept if kept is not None else _again(path, entry)
        offset += len(header) + entry.packed
    if not count:
        raise errors.SnapshotFailed(f"{folder.name} holds nothing to archive")
    yield bytes(directory)
    yield _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)


class Digest:
    """Count and hash a stream while it passes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks unchanged."""
        for chunk in chunks:
            self._hash.update(chunk)
            self.size += len(chunk)
            yield chunk

    @property
    def hex(self) -> str:
        """SHA-256 of what has passed."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold at most; absurd sizes are refused before anything is written."""

    size: int = 32 << 30
    entries: int = _ENTRIES
    ratio: int = 100
    """Bytes that a byte of the archive may unpack to, beyond ``freely``: a profile is no zeros."""
    freely: int = 256 << 20


def extract(source: pathlib.Path, target: pathlib.Path, limits: Limits | None = None, *, foreign: bool = False) -> None:
    """Extract a zip into the new folder ``target``, syncing each file.

    From a ``foreign`` one, which a user may have made of a whole profile, only the login is taken.
    Raises ArchiveDamaged for noise, a wrong CRC, a path outside ``Default/``, a link, or more than ``limits``, DiskFull
    for what the disk has no room for.
    """
    limits = limits or Limits()
    zip_directory.check(source, limits.entries)
    with damage_told(), zipfile.ZipFile(source) as archive:
        entries = profile_zip.select(archive.infolist()) if foreign else archive.infolist()
        most = min(limits.size, max(limits.freely, limits.ratio * source.stat().st_size))
        _check_room(_check_entries(entries, limits.entries, most), target.parent)
        target.mkdir(mode=0o700)
        for entry in entries:
            _extract(archive, entry, target)
        for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
            layout.sync_folder(folder)


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Raise ArchiveDamaged for what zipfile, Python and the file system say of an archive that is none.

    What the disk itself says (full, failing) is not the archive's fault and passes.
    """
    try:
        yield
    except _NOT_A_ZIP as error:
        raise errors.ArchiveDamaged(f"the archive is not a complete zip file ({error})") from error
    except OSError as error:
        if error.errno not in _NO_NAMES:
            raise
        raise errors.ArchiveDamaged(f"the archive is not a complete zip file ({error.strerror})") from error


@contextlib.contextmanager
def room_in(folder: pathlib.Path) -> Iterator[None]:
    """Raise DiskFull where the block finds that the disk of ``folder`` is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise errors.DiskFull(
            f"the worker cannot write the archive to {folder}: {error.strerror}; make room there"
        ) from error


def _check_room(size: int, folder: pathlib.Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise errors.DiskFull(
            f"there is no room for the archive in {folder}: it unpacks to {size / 1e6:.1f} MB, of which "
            f"{(size - free) / 1e6:.1f} MB are missing"
        )


def _check_entries(entries: list[zipfile.ZipInfo], count: int, most: int) -> int:
    """Return the size of all entries together."""
    if not entries:
        raise errors.ArchiveDamaged("the archive is empty")
    if len({entry.filename.rstrip("/") for entry in entries}) != len(entries) or len(entries) > count:
        raise errors.ArchiveDamaged("the archive contains a name twice, or too many names")
    total = sum(entry.file_size for entry in entries)
    if total > most:
        raise errors.ArchiveDamaged(f"the archive unpacks to {total} bytes, more than the limit")
    for entry in entries:
        parts = entry.filename.rstrip("/").split("/")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if parts[0] != ROOT or {"", ".", ".."} & set(parts) or "\\" in entry.filename or "\0" in entry.filename:
            raise errors.ArchiveDamaged("the archive holds a path outside of Default/")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & 1:
            raise errors.ArchiveDamaged("the archive holds a link, a device or an encrypted entry")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise errors.ArchiveDamaged("the archive uses a compression method other than deflate")
    return total


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: pathlib.Path) -> None:
    path = target / entry.filename
    if entry.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with archive.open(entry) as source, path.open("xb") as stream:
        shutil.copyfileobj(source, stream, stores.CHUNK)  # the CRC is compared at the end of the entry
        if stream.tell() != entry.file_size:
            raise errors.ArchiveDamaged(f"an entry has {stream.tell()} bytes, the directory says {entry.file_size}")
        stream.flush()
        os.fsync(stream.fileno())
