"""Reach into the store's directory, and only while it is the one in which this process claimed a session.

A mount may go under a running worker, and the path then names the empty directory below it, another volume, or nothing.
Each call therefore opens the directory, looks for what it wrote there before, and works through that open directory:
nothing can come between the look and the write.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from whatsapp_worker import errors

_OPEN_FILES = pathlib.Path("/proc/self/fd")
"""Linux has a path for each open directory; elsewhere the directory's own path must do."""


class Root:
    """The store's directory; its methods raise OSError, and StoreChanged."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self._anchors: dict[str, tuple[str, bytes]] = {}
        """Name of a file of each session's that this process wrote, and bytes in it that no other file has."""

    def anchor(self, session: str, name: str, mark: bytes) -> None:
        """Work for this session only where ``name`` holds these bytes, from now on."""
        self._anchors[session] = (name, mark)

    @contextlib.contextmanager
    def opened(self, session: str, *, make: bool = False) -> Iterator[pathlib.Path]:
        """Yield a path that stays this very directory's, whatever becomes of the mount.

        ``make`` creates the directory, unless it was there before. Raises FileNotFoundError if there is none.
        """
        anchor = self._anchors.get(session)
        if make and anchor is None:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            if anchor is None:
                raise
            raise self._changed(anchor[0]) from None
        try:
            path = _OPEN_FILES / str(descriptor) if _OPEN_FILES.is_dir() else self.directory
            if anchor is not None:
                self._check(path, *anchor)
            yield path
        finally:
            os.close(descriptor)

    def _check(self, path: pathlib.Path, name: str, mark: bytes) -> None:
        try:
            found = (path / name).read_bytes()
        except FileNotFoundError:
            found = b""
        if mark not in found:
            raise self._changed(name)

    def _changed(self, name: str) -> errors.StoreChanged:
        return errors.StoreChanged(name)
