"""Each kind of manifest, compared whole with the file that was reviewed."""

import pytest
import yaml

from scenes.operator import golden


@pytest.mark.parametrize("name", golden.manifests())
def test_a_manifest_is_as_it_was_reviewed(name: str) -> None:
    made = golden.manifests()[name]
    reviewed = golden.FOLDER.joinpath(f"{name}.yaml").read_text()
    assert made == yaml.safe_load(reviewed), "if that is meant: make golden, and review the difference"
    assert golden.text(made) == reviewed


def test_each_reviewed_file_is_that_of_a_manifest() -> None:
    assert {file.stem for file in golden.FOLDER.iterdir()} == golden.manifests().keys()
