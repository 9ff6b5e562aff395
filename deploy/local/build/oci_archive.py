"""OCI archives: list the images in one; write an image of one static program without a builder."""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

_NAME = "org.opencontainers.image.ref.name"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(target: Path, name: str, program: Path) -> None:
    """Write to `target` the image `name` (repository:tag) that runs the program as /<its file name>."""
    layer_tar = _tar({program.name: program.read_bytes()}, mode=0o755)
    layer = gzip.compress(layer_tar, mtime=0)
    config = _json(
        {
            "architecture": _ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer_tar)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
        }
    )
    entry = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
    entry["annotations"] = {"io.containerd.image.name": name, _NAME: name}
    files = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, config, manifest)}
    files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    files["index.json"] = _json({"schemaVersion": 2, "manifests": [entry]})
    target.write_bytes(_tar(files, mode=0o644))


def contents(archive: Path) -> dict[str, str]:
    """Return the digest of each image in the archive by its name; empty for an archive of another format."""
    with tarfile.open(archive) as opened:
        try:
            index = opened.extractfile("index.json")
        except KeyError:
            return {}
        entries = json.load(index)["manifests"] if index else []
    named = [entry for entry in entries if _NAME in entry.get("annotations", {})]
    return {entry["annotations"][_NAME]: entry["digest"] for entry in named}


def is_listed(archive: Path, listing: str) -> bool:
    """Return whether `ctr images ls` printed every image of the archive, by name and digest."""
    lines = [line.split() for line in listing.splitlines()]
    wanted = contents(archive)
    return bool(wanted) and all(
        any(words[:1] == [name] and digest in words for words in lines) for name, digest in wanted.items()
    )


def renamed(source: Path, target: Path, name: str) -> None:
    """Copy an archive of one image and give the image another name (repository:tag)."""
    with tarfile.open(source) as opened, tarfile.open(target, "w") as made:
        for entry in opened:
            content = opened.extractfile(entry)
            if entry.name == "index.json" and content is not None:
                index = json.load(content)
                (image,) = index["manifests"]
                image["annotations"] = {"io.containerd.image.name": name, _NAME: name}
                blob = _json(index)
                entry.size, content = len(blob), io.BytesIO(blob)
            made.addfile(entry, content)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
