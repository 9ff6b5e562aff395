"""The cache directory: programs, images and clusters, outside the repository."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "whatsapp-session-operator"


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache directory; every member is a path below it, and may not exist yet."""

    root: Path

    @property
    def binaries(self) -> Path:
        return self.root / "bin"

    @property
    def clusters(self) -> Path:
        return self.root / "clusters"

    @property
    def kind(self) -> Path:
        return self.root / "kind"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def image_storage(self) -> Path:
        return self.root / "containers"

    @property
    def progress(self) -> Path:
        return self.root / "progress.json"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    def go_environment(self) -> dict[str, str]:
        """Return the variables that keep Go's own caches in this directory."""
        return {"GOMODCACHE": str(self.root / "go-mod"), "GOCACHE": str(self.root / "go-build")}


def locate(environ: Mapping[str, str] | None = None) -> Cache:
    """Return the cache that WSO_CACHE_DIR, XDG_CACHE_HOME or HOME names, in this order."""
    variables = os.environ if environ is None else environ
    if explicit := variables.get("WSO_CACHE_DIR"):
        return Cache(Path(explicit).absolute())
    if xdg := variables.get("XDG_CACHE_HOME"):
        return Cache(Path(xdg).absolute() / NAME)
    return Cache(Path(variables.get("HOME") or Path.home()) / ".cache" / NAME)


def digest(parts: Iterable[bytes]) -> str:
    """Return 12 hexadecimal digits that change when any part changes (lengths are included)."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()[:12]
