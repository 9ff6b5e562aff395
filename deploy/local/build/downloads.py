"""Fetch official release files, where they can be reached: minutes of compiling are saved."""

import hashlib
import http.client
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local.errors import LocalClusterError

PATIENCE = 5.0
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Release:
    """A tar archive with programs in the directory `folder`, and its pinned checksum."""

    address: str
    folder: str
    sha512: str


def fetch(release: Release, programs: Sequence[str], target: Path) -> bool:
    """Put the programs into `target`; return False if nobody answers within PATIENCE seconds.

    Raises LocalClusterError when the file is not the one whose checksum is pinned.
    """
    with tempfile.TemporaryFile() as file:
        digest = _download(release.address, file)
        if digest is None:
            return False
        if digest != release.sha512:
            raise LocalClusterError(f"{release.address} has the checksum {digest[:16]}..., not the one that is pinned.")
        file.seek(0)
        _unpack(file, release.folder, programs, target)
    return True


def _download(address: str, file: IO[bytes]) -> str | None:
    total = hashlib.sha512()
    try:
        with urlopen(address, timeout=PATIENCE) as answer:
            while chunk := answer.read(_CHUNK):
                total.update(chunk)
                file.write(chunk)
    except (URLError, TimeoutError, OSError, http.client.HTTPException):
        return None
    return total.hexdigest()


def _unpack(file: IO[bytes], folder: str, programs: Sequence[str], target: Path) -> None:
    wanted = {f"{folder}/{name}": target / name for name in programs}
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            path = wanted.get(member.name)
            source = archive.extractfile(member) if path else None
            if path and source:
                with path.open("wb") as sink:
                    while chunk := source.read(_CHUNK):
                        sink.write(chunk)
                path.chmod(0o755)
    if missing := [name for name in programs if not (target / name).exists()]:
        raise LocalClusterError(f"The release file holds no {', '.join(missing)}.")
