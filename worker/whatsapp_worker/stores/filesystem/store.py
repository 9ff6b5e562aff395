"""Keep a session's log and archives in a directory: a claim mounted into the pod, or a folder of a laptop."""

import contextlib
import datetime
import errno
import os
import pathlib
import re
import secrets
from collections.abc import Iterable, Iterator

from whatsapp_worker import errors, stores
from whatsapp_worker.stores.filesystem import root, wwebjs_copy

NETWORK_VISIBILITY = 60.0
"""Seconds: NFS clients cache directory attributes for up to 60 s (acdirmax)."""
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "zfs", "f2fs", "jfs", "reiserfs", "nilfs2", "vfat", "exfat"}
    | {"ntfs", "ntfs3", "apfs", "hfs", "hfsplus", "ufs", "tmpfs", "ramfs", "rootfs", "overlay", "aufs"}
)
"""Types that one kernel alone writes; what is not among them may be written from elsewhere (NFS, virtiofs, FUSE)."""
_ESCAPE = re.compile(r"\\([0-7]{3})")
"""How the kernel's table writes space, tab, new line and backslash."""
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}")
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_MOUNTS = pathlib.Path("/proc/self/mountinfo")


def filesystem_type(path: pathlib.Path, mountinfo: str) -> str:
    """Return the type of the file system that holds ``path``, "" if the kernel's table does not say."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5:
            continue
        mount = _ESCAPE.sub(lambda found: chr(int(found[1], 8)), fields[4])
        if path.is_relative_to(mount) and len(mount) > best:
            best, kind = len(mount), right.split()[0]
    return kind


def visibility_of(kind: str) -> float:
    """Return the seconds until every node sees a create on a file system of this type, "" for one that is not known."""
    return 0.0 if kind in _LOCAL else NETWORK_VISIBILITY


class FilesystemStore:
    """Store names as files below a directory.

    A name appears by ``link(2)`` of a complete, synced file: rename would overwrite, and O_EXCL alone can leave a torn
    file behind. Only the owner may read what is stored, since an archive is a login. A file system without hard links
    is refused with StoreUnfenced; ``allow_unfenced`` renames there instead.
    """

    def __init__(self, directory: pathlib.Path | str, allow_unfenced: bool = False) -> None:
        self.directory = pathlib.Path(directory).absolute()
        self._root = root.Root(self.directory)
        self._allow_unfenced = allow_unfenced

    def __repr__(self) -> str:
        return f"FilesystemStore({str(self.directory)!r})"

    @property
    def visibility(self) -> float:
        """Seconds until another node sees a create: 0 on a local disk."""
        try:
            kind = filesystem_type(self.directory.resolve(), os.fsdecode(_MOUNTS.read_bytes()))
        except OSError:
            kind = ""
        return visibility_of(kind)

    def anchor(self, session: str, name: str, mark: bytes) -> None:
        """Look for ``name`` at each call for the session."""
        self._root.anchor(session, stores.checked(name), mark)

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Write, sync, link; see the class."""
        try:
            with self._root.opened(_session(name), make=True) as directory:
                self._create(directory / stores.checked(name), name, content)
        except OSError as error:
            raise self._unavailable(error, name) from error

    def _create(self, target: pathlib.Path, name: str, content: Iterable[bytes]) -> None:
        temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}"
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            raise errors.AlreadyExists(name)  # spares the writing; the decision is link(2)'s
        try:
            _write(temporary, content)
            self._link(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(target.parent)

    def _link(self, temporary: pathlib.Path, target: pathlib.Path) -> None:
        try:
            _link(temporary, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if not self._allow_unfenced:
                raise errors.StoreUnfenced(
                    f"the store's file system has no hard links ({error.strerror}), so two workers could run one "
                    "session: use another file system, or accept it with allowUnfenced"
                ) from error
            temporary.rename(target)

    def read(self, name: str) -> Iterator[bytes]:
        """Open now, so that NotFound comes before the first chunk."""
        try:
            with self._root.opened(_session(name)) as directory:
                stream = (directory / stores.checked(name)).open("rb")
        except FileNotFoundError:
            raise errors.NotFound(name) from None
        except OSError as error:
            raise self._unavailable(error, name) from error

        def chunks() -> Iterator[bytes]:
            with stream:
                try:
                    while chunk := stream.read(stores.CHUNK):
                        yield chunk
                except OSError as error:
                    raise self._unavailable(error, name) from error

        return chunks()

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """List one folder; temporary files are no entries."""
        folder = stores.checked(prefix.rstrip("/"))
        try:
            with self._root.opened(_session(folder)) as directory:
                entries = [entry for entry in os.scandir(directory / folder) if not entry.name.startswith(".")]
                files = [entry for entry in entries if entry.is_file()]
                found = [stores.Entry(prefix + entry.name, entry.stat().st_size) for entry in files]
        except FileNotFoundError:
            return iter(())
        except OSError as error:
            raise self._unavailable(error, prefix) from error
        return iter(sorted(found, key=lambda entry: entry.name))

    def delete(self, name: str) -> None:
        """Unlink."""
        try:
            with self._root.opened(_session(name)) as directory:
                (directory / stores.checked(name)).unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error, name) from error

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if nothing is in it."""
        with contextlib.suppress(OSError):
            (self.directory / stores.checked(folder)).rmdir()

    def sweep(self, prefix: str) -> None:
        """Remove temporary files of the session."""
        session = stores.checked(prefix.rstrip("/"))
        try:
            with self._root.opened(session) as directory:
                for path in (*directory.glob(f"{session}/*/.*"), *directory.glob(f".{session}.zip.*")):
                    if _TEMPORARY.fullmatch(path.name):
                        path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error, prefix) from error

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Look at ``<session>.zip``."""
        try:
            with self._root.opened(session) as directory:
                return _copy(directory, session).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error, session) from error

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Copy the bytes beside and rename; ``uploaded`` has no use here."""
        try:
            with self._root.opened(session) as directory:
                return _copy(directory, session).put(directory / stores.checked(name), name, replaces)
        except FileNotFoundError:
            raise errors.NotFound(name) from None
        except OSError as error:
            raise self._unavailable(error, name) from error

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Read ``<session>.zip``."""
        return self.read(f"{session}.zip")

    def delete_copy(self, session: str) -> None:
        """Remove ``<session>.zip``."""
        try:
            with self._root.opened(session) as directory:
                _copy(directory, session).delete()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error, session) from error

    def _unavailable(self, error: OSError, name: str) -> errors.StoreUnavailable:
        code = errno.errorcode.get(error.errno or 0, "unknown error")
        said = f"the store's directory {self.directory} answered {code} for {name}: {error.strerror}"
        if error.errno in _DENIED:
            return errors.StoreDenied(said)
        return errors.StoreFull(said) if error.errno in _FULL else errors.StoreUnavailable(said)


def _session(name: str) -> str:
    """Return the session that a name belongs to."""
    return name.partition("/")[0].removesuffix(".zip")


def _copy(directory: pathlib.Path, session: str) -> wwebjs_copy.CopyFile:
    return wwebjs_copy.CopyFile(directory, stores.checked(session))


def _write(path: pathlib.Path, content: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        for chunk in content:
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())


def _link(temporary: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        # An NFS client that sends the request again gets EEXIST for its own success.
        if temporary.stat().st_nlink != 2:
            raise errors.AlreadyExists(target.name) from None


def _sync_directory(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse; their server syncs by itself
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
