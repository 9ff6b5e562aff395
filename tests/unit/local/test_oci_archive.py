"""OCI archives without an image builder."""

import io
import json
import tarfile
from pathlib import Path

from deploy.local.build import oci_archive


def test_an_archive_holds_the_program_under_the_name_that_its_entry_point_has(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"program")
    oci_archive.write(tmp_path / "image.tar", "example.com/pause:1", program)
    with tarfile.open(tmp_path / "image.tar") as archive:

        def blob(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

        def at(descriptor: dict[str, str]) -> bytes:
            return blob("blobs/sha256/" + descriptor["digest"].removeprefix("sha256:"))

        entry = json.loads(blob("index.json"))["manifests"][0]
        manifest = json.loads(at(entry))
        config = json.loads(at(manifest["config"]))
        with tarfile.open(fileobj=io.BytesIO(at(manifest["layers"][0]))) as layer:
            names = layer.getnames()
    assert entry["annotations"]["io.containerd.image.name"] == "example.com/pause:1"
    assert oci_archive.contents(tmp_path / "image.tar") == {"example.com/pause:1": entry["digest"]}
    oci_archive.renamed(tmp_path / "image.tar", tmp_path / "other.tar", "example.com/pause:2")
    assert oci_archive.contents(tmp_path / "other.tar") == {"example.com/pause:2": entry["digest"]}
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert names == ["pause"]
