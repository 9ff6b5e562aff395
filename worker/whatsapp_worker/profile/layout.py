"""Know the browser profile on disk: what of it is archived, the marker beside it, stale locks, the content's digest."""

import errno
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from whatsapp_worker import errors
from whatsapp_worker.profile import leveldb

INDEXED_DB = pathlib.PurePath("Default", "IndexedDB")
LOCAL_STORAGE = pathlib.PurePath("Default", "Local Storage")
LEVELDB = LOCAL_STORAGE / "leveldb"
ARCHIVED = (INDEXED_DB, LOCAL_STORAGE)
"""What both directions of the exchange with the JavaScript stores honour; the browser makes the rest anew."""
SKIPPED = frozenset({"LOCK", "LOG", "LOG.old"})
SENTINEL = "__session_snapshot_"
"""Prefix of the key that a snapshot looks for; left-overs are removed when the page starts."""
_BOOKKEEPING = (b"META:", b"METAACCESS:")
"""Chromium's own rows of localStorage: sizes and access times, which every write touches."""
_UNUSABLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP}
)
"""What a person mends; whatever else a file system answers may pass."""
_LOCKS = ("SingletonLock", "SingletonCookie", "SingletonSocket")


def write_once(path: pathlib.PurePath) -> bool:
    """Tell whether Chromium never changes such a file once it is complete."""
    return path.suffix in (".ldb", ".sst") or any(parent.suffix == ".blob" for parent in path.parents)


def files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yield the files to archive, relative to the profile's root; files that vanish meanwhile are left out."""
    for part in ARCHIVED:
        for folder, _, names in os.walk(root / part):
            for name in names:
                if name not in SKIPPED:
                    yield pathlib.Path(folder, name).relative_to(root)


def databases(root: pathlib.Path) -> list[pathlib.Path]:
    """Return the folders of the LevelDBs that are archived."""
    found = [path for path in (root / INDEXED_DB).glob("*.leveldb") if path.is_dir()]
    return sorted([*found, *(path for path in (root / LOCAL_STORAGE).glob("*") if path.is_dir())])


def origin_folder(url: str) -> str:
    """Return the name of the IndexedDB folder of the origin of ``url``."""
    parts = urlsplit(url)
    return f"{parts.scheme}_{parts.hostname}_{parts.port or 0}.indexeddb.leveldb"


def logs(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the write-ahead logs of a database."""
    return [path for path in folder.glob("*.log") if path.is_file()]


def check_layout(root: pathlib.Path, origin: str | None) -> None:
    """Raise ArchiveDamaged unless localStorage and an IndexedDB (of ``origin``, if given) are where they belong.

    A Chromium that keeps them elsewhere (SQLite) would give an archive without a login.
    """
    if not leveldb.is_database(root / LEVELDB):
        raise errors.ArchiveDamaged("the profile holds no localStorage in Default/Local Storage/leveldb")
    wanted = origin or "*.indexeddb.leveldb"
    if not any(leveldb.is_database(path) for path in (root / INDEXED_DB).glob(wanted)):
        raise errors.ArchiveDamaged(f"the profile holds no database {wanted} in Default/IndexedDB")


def check(root: pathlib.Path, origin: str | None = None) -> dict[pathlib.Path, leveldb.Version]:
    """Return each database's live version if layout and databases are whole; raises ArchiveDamaged."""
    check_layout(root, origin)
    return {folder: leveldb.check(folder) for folder in databases(root)}


def drop_dead_tables(versions: dict[pathlib.Path, leveldb.Version]) -> None:
    """Remove tables that no manifest names: half-written or obsolete ones that a snapshot linked."""
    for folder, version in versions.items():
        for path in [*folder.glob("*.ldb"), *folder.glob("*.sst")]:
            if path.stem.isdigit() and int(path.stem) not in version.tables:
                path.unlink()


class ContentDigest:
    """Digest what a profile says, not how: file names, time stamps, sequence numbers and sentinels do not count.

    Hashes of files are kept from one look to the next, by device, inode, size and time of change.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[int, int, int, int], str] = {}
        self._now: dict[tuple[int, int, int, int], str] = {}

    def of(self, root: pathlib.Path) -> str:
        """Return the digest; raises ArchiveDamaged or OSError if the profile changes under the reading."""
        self._before, self._now = self._now or self._before, {}  # what no look needs any more is forgotten
        lines = []
        for folder in databases(root):
            version = leveldb.check(folder)
            where = folder.relative_to(root)
            lines += [f"{where} {self._file(_table(folder, number))}" for number in version.tables]
            lines += [f"{where} {text}" for path in logs(folder) if (text := _log_digest(path))]
        for path in files(root):
            if not any((root / path).is_relative_to(folder) for folder in databases(root)):
                lines.append(f"{path} {self._file(root / path)}")
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def _file(self, path: pathlib.Path) -> str:
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._now:
            with path.open("rb") as stream:
                self._now[key] = self._before.get(key) or hashlib.file_digest(stream, "sha256").hexdigest()
        return self._now[key]


def _table(folder: pathlib.Path, number: int) -> pathlib.Path:
    path = folder / f"{number:06d}.ldb"
    return path if path.exists() else path.with_suffix(".sst")


def _log_digest(path: pathlib.Path) -> str:
    digest, empty = hashlib.sha256(), True
    with path.open("rb") as stream:
        for change in leveldb.changes(stream):
            if change.key.startswith(_BOOKKEEPING) or SENTINEL.encode() in change.key:
                continue
            empty = False
            digest.update(repr((change.key, change.value)).encode())
    return "" if empty else digest.hexdigest()


def holds_sentinel(root: pathlib.Path, key: str, value: str) -> bool:
    """Tell whether a log of localStorage holds the sentinel: what the page wrote before it is then on disk too.

    Keys and values are stored behind a byte 1 for Latin-1 text.
    """
    wanted = b"\x01" + key.encode(), b"\x01" + value.encode()
    for path in logs(root / LEVELDB):
        with path.open("rb") as stream:
            if any(change.key.endswith(wanted[0]) and change.value == wanted[1] for change in leveldb.changes(stream)):
                return True
    return False


@dataclass(frozen=True, slots=True)
class Marker:
    """What the worker knows about the profile beside it; ``complete`` is written last.

    ``slot`` and ``claim`` are the place and the nonce of the claim in whose life it was used: they tell its log from
    another of the same name.
    """

    session: str
    slot: int
    account_hash: str = ""
    generation: int = 0
    complete: bool = False
    pod_uid: str = ""
    """Of the pod that wrote it, "" without Kubernetes."""
    claim: str = ""


def marker_path(profile: pathlib.Path) -> pathlib.Path:
    """Return where the marker of a profile lies."""
    return profile.with_name(profile.name + ".marker.json")


def read_marker(profile: pathlib.Path) -> Marker | None:
    """Return the marker if it is complete and the profile is there."""
    try:
        found = json.loads(marker_path(profile).read_text())
        marker = Marker(**{name: found[name] for name in Marker.__dataclass_fields__ if name in found})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return marker if marker.complete and profile.is_dir() else None


def write_marker(profile: pathlib.Path, marker: Marker) -> None:
    """Replace the marker durably."""
    path = marker_path(profile)
    temporary = path.with_suffix(".new")
    with temporary.open("w") as stream:
        stream.write(json.dumps(asdict(marker)))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def swap_in(fresh: pathlib.Path, profile: pathlib.Path) -> None:
    """Put a fresh folder in the profile's place; the marker goes first, so that a crash leaves rubble, never a mix."""
    marker_path(profile).unlink(missing_ok=True)
    sync_folder(profile.parent)
    shutil.rmtree(profile, ignore_errors=True)
    fresh.rename(profile)
    sync_folder(profile.parent)


def sync_folder(path: pathlib.Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def claim_folder(profile: pathlib.Path) -> BinaryIO:
    """Take the profile for this process until the returned file is closed, or the process ends however it may.

    Raises ConfigurationError when another worker on this machine has it, or when it cannot lie where it should.
    """
    try:
        profile.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stream = profile.with_name(profile.name + ".lock").open("ab")
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise errors.ConfigurationError(
            f"the worker cannot write to its data path {profile.parent}: {error.strerror}; "
            "make it a directory that the worker's user may write to, or set another --data-path"
        ) from None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise errors.ConfigurationError(
            f"another worker uses {profile}; stop it, or give this worker another --data-path or --client-id"
        ) from None
    return stream


def lock_holder(profile: pathlib.Path) -> tuple[str, int] | None:
    """Return (host, pid) of the browser that locked the profile, None if it is not locked."""
    try:
        target = str((profile / _LOCKS[0]).readlink())
    except OSError:
        return None
    host, _, pid = target.rpartition("-")
    return (host, int(pid)) if pid.isdigit() else (target, 0)


def remove_locks(profile: pathlib.Path) -> None:
    """Remove the browser's Singleton* links; the caller knows that their holder is dead."""
    for name in _LOCKS:
        (profile / name).unlink(missing_ok=True)


def reopened(profile: pathlib.Path, session: str) -> Marker | None:
    """Free a whole profile of this session from its last browser's locks and return its marker, None for any other."""
    marker = read_marker(profile)
    if marker is None or marker.session != session:
        return None
    try:
        check(profile)
    except errors.ArchiveDamaged:
        return None
    remove_locks(profile)
    return marker
