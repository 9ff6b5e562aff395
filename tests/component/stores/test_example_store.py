"""A store of somebody else's making: installed as a package of its own, found by its address, held to the contract."""

import importlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from whatsapp_session import worker_config
from whatsapp_worker import auth, errors, stores
from whatsapp_worker.stores import four_verbs, registry, testing

COMMAND = str(pathlib.Path(sys.executable).with_name("whatsapp-worker"))


@pytest.fixture
def package(installed: pathlib.Path) -> ModuleType:
    """The installed package."""
    module = importlib.import_module("whatsapp_store_sqlite")
    assert str(module.__file__).startswith(str(installed))
    return module


class TestSqliteStore(testing.StoreContract):
    """The four primitives."""

    @pytest.fixture
    def store(self, installed: pathlib.Path, tmp_path: pathlib.Path) -> stores.Backend:
        return registry.open_store(f"sqlite:{tmp_path / 'sessions.db'}")


class TestSimpleStore(testing.VerbsContract):
    """The guide's four verbs."""

    @pytest.fixture
    def foreign(self, package: ModuleType, tmp_path: pathlib.Path) -> four_verbs.Verbs:
        made: four_verbs.Verbs = package.open_simple("", {"file": str(tmp_path / "sessions.db")})
        return made


class TestSimpleStoreAsBackend(testing.StoreContract):
    """The four verbs, as the worker uses them."""

    @pytest.fixture
    def store(self, installed: pathlib.Path, tmp_path: pathlib.Path) -> stores.Backend:
        address = f"sqlite-simple:{tmp_path / 'sessions.db'}"
        return registry.open_store(address, stores.Settings(allow_unfenced=True))


def test_a_store_of_four_verbs_needs_consent(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.StoreUnfenced, match="'sqlite-simple' cannot create exclusively"):
        registry.open_store(f"sqlite-simple:{tmp_path / 'x'}")


def test_the_newest_archive_is_in_the_foreign_store_and_comes_back(
    installed: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    address, given = f"sqlite-simple:{tmp_path / 'sessions.db'}", stores.Settings(allow_unfenced=True)
    session, name = testing.SESSION, f"{testing.SESSION}/archives/1.zip"
    first = registry.open_store(address, given)
    assert isinstance(first, four_verbs.UnfencedStore)
    assert first.stat_copy(session) is None
    first.create(name, testing.pieces(testing.content(3_000_000)))
    made = first.put_copy(name, session, testing._NOW, None)
    assert first.stat_copy(session) == made
    second = registry.open_store(address, given)
    assert isinstance(second, four_verbs.UnfencedStore)
    assert list(second.list(f"{session}/")) == [], "the log and the archives are this process' own"
    found = second.stat_copy(session)
    assert found is not None
    assert (found.size, found.source) == (3_000_000, "")
    assert second.stat_copy(session) == found, "the same answer as long as nothing is written"
    assert b"".join(second.read_copy(session)) == testing.content(3_000_000)
    second.delete_copy(session)
    assert second.stat_copy(session) is None


def test_a_store_of_four_verbs_keeps_archives_in_plain_and_refuses_a_key(
    installed: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    store = registry.open_store(f"sqlite-simple:{tmp_path / 'x'}", stores.Settings(allow_unfenced=True))
    (tmp_path / "key").write_bytes(bytes(range(32)))
    auth.RemoteAuth(store)
    with pytest.raises(errors.ConfigurationError, match="no encryption key"):
        auth.RemoteAuth(store, encryption_key_file=tmp_path / "key")


def check(installed: pathlib.Path, config: worker_config.WorkerConfig) -> subprocess.CompletedProcess[str]:
    told: Mapping[str, str] = os.environ | worker_config.to_env(config) | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [COMMAND, "store", "check"], env=told, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("address", "consent", "code", "said"),
    [
        ("sqlite:", False, 0, "create: exclusive"),
        ("sqlite-simple:", False, 3, "StoreUnfenced: the store 'sqlite-simple' cannot create exclusively"),
        ("sqlite-simple:", True, 0, "accepted by allowUnfenced"),
    ],
)
def test_the_command_finds_the_store_by_its_address_and_gives_it_its_options(
    installed: pathlib.Path, tmp_path: pathlib.Path, address: str, consent: bool, code: int, said: str
) -> None:
    options = {"file": str(tmp_path / "sessions.db")}
    done = check(installed, worker_config.WorkerConfig(store=address, store_options=options, allow_unfenced=consent))
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_a_package_that_cannot_be_loaded_is_wrong_settings(installed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "broken-1.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (broken / "entry_points.txt").write_text("[whatsapp_worker.stores]\nbroken = no_such_module:open_store\n")
    done = check(tmp_path, worker_config.WorkerConfig(store="broken:x"))
    assert done.returncode == 2
    assert "the package of the store 'broken' cannot be loaded: ModuleNotFoundError" in done.stderr
