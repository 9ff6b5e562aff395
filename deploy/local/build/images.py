"""The product's images: the files that each is built from, and OCI archives of them in the cache."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache, file_lock, progress
from deploy.local.build import image_builder
from deploy.local.errors import LocalClusterError

REPOSITORY = Path(__file__).parents[3]
TAG = "dev"
_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "node_modules"}
_PRODUCT = ("operator", "worker", "pyproject.toml", "LICENSE", "NOTICE", "deploy/images/build-requirements.lock")


@dataclass(frozen=True, slots=True)
class Image:
    """An image: `inputs` are what its Dockerfile copies, `usually` is the seconds of a cold build.

    `unhashed` inputs are copied too, but the image is not rebuilt when they change.
    """

    name: str
    inputs: tuple[str, ...]
    usually: float
    unhashed: tuple[str, ...] = ()

    @property
    def repository(self) -> str:
        return f"whatsapp-session-{self.name}"

    @property
    def reference(self) -> str:
        """Return the full name, as containerd expands a short one."""
        return f"docker.io/library/{self.repository}:{TAG}"

    @property
    def dockerfile(self) -> str:
        return f"deploy/images/{self.name}.Dockerfile"


IMAGES = {
    image.name: image
    for image in (
        Image("simulator", ("tests/simulator",), 45),
        Image("operator", _PRODUCT, 60, ("README.md",)),
        Image("worker", _PRODUCT, 150, ("README.md",)),
    )
}


@dataclass(frozen=True, slots=True)
class Built:
    """An image that is ready: `archive` holds it, `built` tells whether it was built just now."""

    image: Image
    archive: Path
    built: bool


def files(repository: Path, inputs: Iterable[str]) -> list[Path]:
    """Return the files of the inputs, relative to the repository, sorted, without the caches of tools."""
    found = []
    for name in inputs:
        path = repository / name
        if not path.exists():
            raise LocalClusterError(f"{name} is missing in {repository}, and the images are built from it: restore it.")
        found += [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    relative = (path.relative_to(repository) for path in found)
    return sorted(path for path in relative if not _IGNORED & set(path.parts))


def key(repository: Path, image: Image, base: str) -> str:
    """Return a digest of what the image is built from: its files' names, modes and contents, and its base."""
    parts = [base.encode()]
    for path in files(repository, (*image.inputs, image.dockerfile)):
        whole = repository / path
        parts += [str(path).encode(), oct(whole.stat().st_mode & 0o111).encode(), whole.read_bytes()]
    return cache.digest(parts)


def ensure(store: cache.Cache, names: Iterable[str]) -> list[Built]:
    """Build the images that the cache does not hold; return all of them."""
    with file_lock.exclusive(store.locks, "images"):
        builder = image_builder.choose(store)
        base = builder.base()
        return [_ensure(store, builder, IMAGES[name], base) for name in names]


def build(store: cache.Cache, names: Iterable[str] = tuple(IMAGES)) -> list[Path]:
    """Build the images that the cache does not hold; return the paths of all archives."""
    return [one.archive for one in ensure(store, names)]


def _ensure(store: cache.Cache, builder: image_builder.ImageBuilder, image: Image, base: str) -> Built:
    # The key is computed from the copy: files in the repository may change during the build.
    with _context(image) as context:
        archive = store.images / f"{image.repository}-{key(context, image, base)}.tar"
        if archive.exists():
            archive.touch()  # the two newest are kept
            return Built(image, archive, built=False)
        store.images.mkdir(parents=True, exist_ok=True)
        with progress.step(store.progress, f"building the image {image.repository}", image.usually):
            builder.build(context, image.dockerfile, image.reference)
            temporary = archive.with_suffix(".partial")
            temporary.unlink(missing_ok=True)
            builder.export(image.reference, temporary)
            temporary.rename(archive)
    _remove_old(store, image)
    return Built(image, archive, built=True)


@contextmanager
def _context(image: Image) -> Iterator[Path]:
    """Give a directory with the image's inputs and nothing else, and with constant times."""
    with tempfile.TemporaryDirectory(prefix="wso-image-") as scratch:
        context = Path(scratch)
        for path in files(REPOSITORY, (*image.inputs, *image.unhashed, image.dockerfile)):
            target = context / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / path, target)
            target.chmod(0o755 if os.access(REPOSITORY / path, os.X_OK) else 0o644)
        for each in [*context.rglob("*"), context]:
            os.utime(each, (0, 0))
        yield context


def _remove_old(store: cache.Cache, image: Image) -> None:
    archives = sorted(store.images.glob(f"{image.repository}-*.tar"), key=lambda path: path.stat().st_mtime)
    for old in archives[:-2]:
        old.unlink()


def sizes(store: cache.Cache, built: Iterable[Built]) -> dict[str, int]:
    """Return the unpacked bytes of the images and of their base, by name."""
    references = [image_builder.BASE_REFERENCE, *(one.image.reference for one in built)]
    return image_builder.choose(store).sizes(references)


def push(store: cache.Cache, names: Iterable[str], registry: str) -> list[str]:
    """Build the images if needed and copy them to the registry; return their names there."""
    targets = []
    for one in ensure(store, names):
        target = f"{registry.rstrip('/')}/{one.image.repository}:{TAG}"
        image_builder.choose(store).push(one.image.reference, target)
        targets.append(target)
    return targets
