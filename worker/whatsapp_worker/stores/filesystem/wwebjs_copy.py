"""Keep the JavaScript stores' copy ``<session>.zip`` in a directory."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import pathlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from whatsapp_worker import errors, stores

_AT_ONCE = 1 << 30
_BY_HAND = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""The file system leaves the copying to us."""


@dataclass(frozen=True, slots=True)
class CopyFile:
    """The copy of one session.

    A copy of the bytes, shared by the file system where it can (reflinks), and never a hard link: a writer that opens
    the copy in place would write into our archive. Which archive a copy was made from stands in a file beside it, with
    the inode, size and time of the last two copies, so that a crash between the two files leaves a true entry.
    """

    directory: pathlib.Path
    session: str

    @property
    def path(self) -> pathlib.Path:
        return self.directory / f"{self.session}.zip"

    @property
    def _sources(self) -> pathlib.Path:
        return self.directory / f".{self.session}.zip.sources"

    def stat(self) -> stores.Copy | None:
        """Describe what stands there."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        version = _version(found)
        source = next((name for seen, name in self._known() if seen == version), "")
        modified = datetime.datetime.fromtimestamp(found.st_mtime, datetime.UTC)
        return stores.Copy(found.st_size, modified, version, source)

    def put(self, archive: pathlib.Path, name: str, replaces: stores.Copy | None) -> stores.Copy:
        """Copy, sync, compare under a lock, rename."""
        temporary = self.directory / f".{self.path.name}.{secrets.token_hex(8)}"
        try:
            _copy(archive, temporary)
            with self._locked():
                if self.stat() != replaces:
                    raise errors.CopyChanged(f"the copy of {self.session} was written by another program")
                self._remember(_version(temporary.stat()), name)
                temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        made = self.stat()
        if made is None or made.source != name:
            raise errors.CopyChanged(f"the copy of {self.session} was written by another program at the same time")
        return made

    def delete(self) -> None:
        """Remove the copy and what is known of it."""
        for path in (self.path, self._sources, self._lock):
            path.unlink(missing_ok=True)

    @property
    def _lock(self) -> pathlib.Path:
        return self.directory / f".{self.session}.zip.lock"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.open("w") as handle:
            with contextlib.suppress(OSError):  # a file system without locks: the log above has fenced our own writers
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _known(self) -> list[tuple[str, str]]:
        try:
            return [(str(version), str(name)) for version, name in json.loads(self._sources.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []

    def _remember(self, version: str, name: str) -> None:
        temporary = self.directory / f".{self.path.name}.{secrets.token_hex(8)}"
        try:
            temporary.write_text(json.dumps([*self._known()[-1:], (version, name)]))
            temporary.replace(self._sources)
        finally:
            temporary.unlink(missing_ok=True)


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        opened = source.open("rb")
    except FileNotFoundError:
        raise errors.NotFound(source.name) from None
    with opened as reading, target.open("xb") as writing:
        target.chmod(0o600)
        try:
            while os.copy_file_range(reading.fileno(), writing.fileno(), _AT_ONCE):
                pass
        except OSError as error:
            if error.errno not in _BY_HAND:
                raise
            while chunk := reading.read(stores.CHUNK):
                writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
