"""Which provider is used, and which names a cluster may have."""

from pathlib import Path

import pytest

from deploy.local import cache
from deploy.local.errors import LocalClusterError
from deploy.local.provider import check_name
from deploy.local.provider_choice import choose, requested
from fakes.commands import FakeCommands

DOCKER = FakeCommands({"docker", "kind"}, {"docker"})
PODMAN = FakeCommands({"docker", "podman"}, {"podman"})
CLIENT_ONLY = FakeCommands({"docker", "kind"})
NOTHING = FakeCommands()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> cache.Cache:
    """Give an empty cache; the environment names no provider."""
    monkeypatch.delenv("WSO_PROVIDER", raising=False)
    return cache.Cache(tmp_path)


@pytest.mark.parametrize(
    ("commands", "provider"),
    [(DOCKER, "kind"), (PODMAN, "kind"), (CLIENT_ONLY, "native"), (NOTHING, "native")],
    ids=["docker answers", "podman answers", "a client without an engine", "nothing installed"],
)
def test_a_container_engine_that_answers_chooses_kind(
    store: cache.Cache, commands: FakeCommands, provider: str
) -> None:
    assert provider == choose(store, "wso", commands=commands).NAME


@pytest.mark.parametrize(
    ("option", "variable", "provider"),
    [("native", "", "native"), (None, "native", "native"), ("native", "kind", "native"), (None, "", "kind")],
)
def test_the_option_comes_before_the_variable_and_both_before_the_engine(
    store: cache.Cache, monkeypatch: pytest.MonkeyPatch, option: str | None, variable: str, provider: str
) -> None:
    monkeypatch.setenv("WSO_PROVIDER", variable)
    assert provider == choose(store, "wso", option, DOCKER).NAME


def test_kind_can_be_requested_before_its_engine_is_started(store: cache.Cache) -> None:
    assert choose(store, "wso", "kind", NOTHING).NAME == "kind"


def test_a_cluster_keeps_its_provider_when_an_engine_is_started_or_stopped(store: cache.Cache) -> None:
    choose(store, "made-with-kind", "kind", DOCKER).up("made-with-kind", 1)
    (store.clusters / "made-natively").mkdir(parents=True)
    assert choose(store, "made-with-kind", commands=NOTHING).NAME == "kind"
    assert choose(store, "made-natively", commands=DOCKER).NAME == "native"


def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LocalClusterError, match="--provider to kind or native"):
        requested(None, {"WSO_PROVIDER": "minikube"})


@pytest.mark.parametrize("name", ["wso", "a", "wso-test-gw0"])
def test_a_short_lower_case_name_is_accepted(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "../x", "a" * 21, "a b"])
def test_a_name_that_could_leave_its_directory_is_refused(name: str) -> None:
    with pytest.raises(LocalClusterError, match="not a valid cluster name"):
        check_name(name)
