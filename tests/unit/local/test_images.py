"""When an image is built anew, and what a build may see of the environment."""

from pathlib import Path

import pytest

from deploy.local.build import image_builder, images
from deploy.local.errors import LocalClusterError

IMAGE = images.Image("sample", ("code",), 1, ("README.md",))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("code/a.py", "code/__pycache__/a.pyc", IMAGE.dockerfile, "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    return tmp_path


@pytest.mark.parametrize("changed", ["code/a.py", IMAGE.dockerfile])
def test_a_change_of_an_input_changes_the_key(repository: Path, changed: str) -> None:
    before = images.key(repository, IMAGE, "base")
    (repository / changed).write_text("2")
    assert images.key(repository, IMAGE, "base") != before


def test_a_new_name_of_a_file_changes_the_key(repository: Path) -> None:
    before = images.key(repository, IMAGE, "base")
    (repository / "code/a.py").rename(repository / "code/b.py")
    assert images.key(repository, IMAGE, "base") != before


def test_a_new_base_changes_the_key(repository: Path) -> None:
    assert images.key(repository, IMAGE, "base") != images.key(repository, IMAGE, "newer base")


@pytest.mark.parametrize("changed", ["code/__pycache__/a.pyc", "README.md"])
def test_what_does_not_change_the_image_does_not_change_the_key(repository: Path, changed: str) -> None:
    before = images.key(repository, IMAGE, "base")
    (repository / changed).write_text("2")
    assert images.key(repository, IMAGE, "base") == before


def test_a_missing_input_is_named(repository: Path) -> None:
    (repository / "code/a.py").unlink()
    missing = images.Image("sample", ("code", "lock"), 1)
    with pytest.raises(LocalClusterError, match="lock is missing"):
        images.key(repository, missing, "base")


def test_pip_settings_of_the_environment_reach_the_build_and_others_do_not() -> None:
    text = image_builder.pip_configuration(
        {"PIP_INDEX_URL": "https://index.example/simple", "PIP_TARGET": "/elsewhere"}
    )
    assert "index-url = https://index.example/simple\n" in text
    assert "elsewhere" not in text
    assert "cert" not in text


def test_pip_trusts_the_bundle_that_the_environment_names(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text("certificates")
    assert image_builder.authorities({"SSL_CERT_FILE": str(bundle)}) == bundle
    assert "cert = " in image_builder.pip_configuration({"SSL_CERT_FILE": str(bundle)})
    assert image_builder.authorities({"SSL_CERT_FILE": str(tmp_path / "absent")}) is None


@pytest.mark.parametrize(("text", "size"), [("135 MB", 135_000_000), ("1.02 GB", 1_020_000_000), ("12 KB", 12_000)])
def test_sizes_are_read_as_buildah_prints_them(text: str, size: int) -> None:
    assert image_builder.size_in_bytes(text) == size
