"""Download official release files where they can be reached, which saves minutes of compiling."""

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

TIMEOUT = 5.0
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Release:
    """A tar archive with programs in the directory `folder`, and its pinned checksum."""

    address: str
    folder: str
    sha512: str


def fetch(release: Release, programs: Sequence[str], target: Path) -> bool:
    """Put the programs into `target`; return False if the server does not answer within TIMEOUT seconds.

    Raises LocalClusterError when the file does not have the pinned checksum.
    """
    with tempfile.TemporaryFile() as file:
        digest = _download(release.address, file)
        if digest is None:
            return False
        if digest != release.sha512:
            raise LocalClusterError(
                f"{release.address} has the checksum {digest[:16]}... instead of the pinned one: it was not used."
            )
        file.seek(0)
        _unpack(file, release.folder, programs, target)
    return True


def _download(address: str, file: IO[bytes]) -> str | None:
    total = hashlib.sha512()
    try:
        with urlopen(address, timeout=TIMEOUT) as answer:
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
        raise LocalClusterError(f"The release file does not contain {', '.join(missing)}.")
