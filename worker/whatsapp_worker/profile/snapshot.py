"""Take a consistent copy of a profile: freeze, hard-link, copy, thaw, check.

Source: the persistence protocol, section 2. Calls block; the caller has asked the page for its account before and asks
again afterwards.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whatsapp_worker import errors
from whatsapp_worker.profile import layout

Freeze = Callable[[], contextlib.AbstractContextManager[None]]
"""Stops what writes the profile while its block runs."""


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A random key and value that the page has written to localStorage."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A checked copy of a profile in ``folder``; bytes, seconds."""

    folder: pathlib.Path
    content_digest: str
    checks: tuple[str, ...]
    linked: int = 0
    copied: int = 0
    frozen: float = 0.0


class Staging:
    """Where snapshots of one profile are put: beside it, on the same file system so that hard links work."""

    def __init__(self, root: pathlib.Path, origin: str, digest: layout.ContentDigest | None = None) -> None:
        self.root = root
        self.origin = origin
        self.digest = digest or layout.ContentDigest()
        self._prefix = f".{root.name}.snapshot-"

    def sweep(self) -> None:
        """Remove what killed predecessors left behind."""
        for path in self.root.parent.glob(f"{self._prefix}*"):
            shutil.rmtree(path, ignore_errors=True)

    def live_digest(self) -> str | None:
        """Return the digest of the profile as it is being used, None if it changes under the reading."""
        try:
            return self.digest.of(self.root)
        except (errors.ArchiveDamaged, OSError):
            return None

    @contextlib.contextmanager
    def live(self, freeze: Freeze, sentinel: Sentinel) -> Iterator[Snapshot]:
        """Yield a checked snapshot of a running browser's profile; the copy goes with the block.

        Raises SnapshotFailed when a check fails.
        """
        with self._folder() as folder:
            copy = _Copy(self.root, folder)
            copy.link_ahead()
            with freeze():
                began = time.monotonic()
                copy.finish()
                seconds = time.monotonic() - began
            yield self._checked(folder, sentinel, copy, seconds)

    @contextlib.contextmanager
    def closed(self, sentinel: Sentinel | None) -> Iterator[Snapshot]:
        """Yield a checked snapshot of the profile of a browser that has ended."""
        with self._folder() as folder:
            copy = _Copy(self.root, folder)
            copy.finish()
            yield self._checked(folder, sentinel, copy, 0.0)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[pathlib.Path]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix=self._prefix, dir=self.root.parent))
        try:
            yield folder
        finally:
            # A thread may still archive it for a save that was given up: from one moment to the next it finds nothing.
            gone = folder.rename(folder.with_name(f"{folder.name}.gone"))
            shutil.rmtree(gone, ignore_errors=True)

    def _checked(self, folder: pathlib.Path, sentinel: Sentinel | None, copy: "_Copy", seconds: float) -> Snapshot:
        try:
            layout.drop_dead_tables(layout.check(folder, self.origin))
            if sentinel and not layout.holds_sentinel(folder, sentinel.key, sentinel.value):
                raise errors.SnapshotFailed("the snapshot lacks what the page wrote last")
            digest = self.digest.of(folder)
        except errors.ArchiveDamaged as error:
            raise errors.SnapshotFailed(f"the snapshot is incomplete: {error}") from error
        checks = ("linked", "databases") if sentinel is None else ("linked", "sentinel", "databases")
        return Snapshot(folder, digest, checks, copy.linked, copy.copied, seconds)


class _Copy:
    """Copy a profile's archived part: what is written once by hard link, the rest by bytes."""

    def __init__(self, source: pathlib.Path, target: pathlib.Path) -> None:
        self.source = source
        self.target = target
        self.linked = self.copied = 0
        self._done: set[pathlib.Path] = set()
        self._folders: set[pathlib.Path] = set()

    def link_ahead(self) -> None:
        """Link what is there already, so that little is left for the freeze."""
        for path in layout.files(self.source):
            self._make_parent(path)
            if layout.write_once(path):
                self._link(path)

    def finish(self) -> None:
        """Link and copy everything that is not there yet; the source must not change meanwhile."""
        for path in layout.files(self.source):
            if path in self._done:
                continue
            self._make_parent(path)
            if layout.write_once(path):
                self._link(path)
            else:
                self._copy(path)

    def _make_parent(self, path: pathlib.Path) -> None:
        if path.parent not in self._folders:
            (self.target / path.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders.add(path.parent)

    def _link(self, path: pathlib.Path) -> None:
        try:
            os.link(self.source / path, self.target / path)
        except FileNotFoundError:
            return  # removed by a compaction; if it was live, the check says so
        except OSError:
            self._copy(path)  # a file system without hard links
            return
        self._done.add(path)
        self.linked += (self.target / path).stat().st_size

    def _copy(self, path: pathlib.Path) -> None:
        size = (self.source / path).stat().st_size
        with (self.source / path).open("rb") as source, (self.target / path).open("wb") as target:
            left = size
            while left and (chunk := source.read(min(left, 1 << 20))):
                target.write(chunk)
                left -= len(chunk)
        self._done.add(path)
        self.copied += size - left
