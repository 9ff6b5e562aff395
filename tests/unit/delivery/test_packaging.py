"""What is built and where packages live."""

import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[3]
DESIGNED = {
    "whatsapp_session",
    "whatsapp_kube",
    "whatsapp_operator",
    "whatsapp_cli",
    "whatsapp_page",
    "whatsapp_worker",
}


@pytest.mark.parametrize("source_root", ["operator", "worker"])
def test_a_source_root_is_no_package(source_root: str) -> None:
    assert not (ROOT / source_root / "__init__.py").exists()


def test_the_standard_librarys_operator_is_not_shadowed() -> None:
    import operator

    assert operator.add(1, 2) == 3


def test_the_wheel_holds_exactly_the_designed_packages_that_exist(tmp_path: Path) -> None:
    existing = {path.parent.name for root in ("operator", "worker") for path in (ROOT / root).glob("*/__init__.py")}
    wheel = next(iter(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" not in name}
    assert existing <= DESIGNED
    assert top == existing


@pytest.mark.parametrize("folder", ["operator", "worker", "tests"])
def test_a_lock_has_hashes_and_no_index_address(folder: str) -> None:
    text = (ROOT / folder / "requirements.lock").read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_each_command_of_the_design_is_installed() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == {"whatsapp-operator", "whatsapp-worker", "kubectl-whatsapp"}
