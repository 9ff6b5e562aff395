"""The provider `kind`: its command lines, and when it creates, finds, keeps and deletes a cluster."""

import json
from pathlib import Path

import pytest

from deploy.local import cache, kind
from deploy.local.build import oci_archive, versions
from deploy.local.errors import LocalClusterError
from fakes.commands import FakeCommands

CONFIG = Path("/c/kind/wso.kubeconfig")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """Give a machine with docker and kind."""
    monkeypatch.delenv(kind.NODE_IMAGE_VARIABLE, raising=False)
    return FakeCommands({"docker", "kind"}, {"docker"})


@pytest.fixture
def own(engine: FakeCommands, tmp_path: Path) -> kind.Kind:
    """Give the provider on this machine, with an empty cache."""
    return kind.Kind(cache.Cache(tmp_path), engine)


def created(engine: FakeCommands) -> list[list[str]]:
    """Return the command lines that created clusters."""
    return [call for call in engine.calls if call[1:3] == ["create", "cluster"]]


def test_a_cluster_is_created_with_its_own_name_kubeconfig_and_image() -> None:
    assert kind.create_arguments("wso", CONFIG, "node:1") == [
        *("create", "cluster", "--name", "wso", "--kubeconfig", str(CONFIG)),
        *("--image", "node:1", "--config", "-", "--wait", "180s"),
    ]


def test_a_cluster_is_deleted_by_its_name_and_leaves_the_users_kubeconfig_alone() -> None:
    assert kind.delete_arguments("wso", CONFIG) == ["delete", "cluster", "--name", "wso", "--kubeconfig", str(CONFIG)]


def test_an_archive_is_loaded_into_the_named_cluster() -> None:
    assert kind.load_arguments("wso", Path("/i.tar")) == ["load", "image-archive", "/i.tar", "--name", "wso"]


@pytest.mark.parametrize(("running", "state"), [(True, ["--filter", "status=running"]), (False, ["--all"])])
def test_only_containers_of_the_named_cluster_are_listed(running: bool, state: list[str]) -> None:
    label = "label=io.x-k8s.kind.cluster=wso"
    listing = ["podman", "ps", *state, "--filter", label, "--format", "{{.Names}}"]
    assert kind.containers_command("podman", "wso", running=running) == listing


@pytest.mark.parametrize(("nodes", "workers"), [(1, 0), (2, 2), (3, 3)])
def test_more_than_one_node_means_workers_beside_the_control_plane(nodes: int, workers: int) -> None:
    roles = [node["role"] for node in json.loads(kind.configuration(nodes))["nodes"]]
    assert roles == ["control-plane", *["worker"] * workers]


def test_the_nodes_of_a_cluster_are_those_that_take_pods() -> None:
    assert kind.schedulable(["wso-control-plane"]) == ("wso-control-plane",)
    assert kind.schedulable(["wso-worker2", "wso-control-plane", "wso-worker"]) == ("wso-worker", "wso-worker2")


def test_the_node_image_is_pinned_to_the_minor_version_of_the_other_provider() -> None:
    ours = versions.KUBERNETES.rpartition(".")[0]
    assert kind.NODE_IMAGE.startswith(f"docker.io/kindest/node:{ours}.")
    assert "@sha256:" in kind.NODE_IMAGE


def test_the_variable_replaces_the_node_image(
    own: kind.Kind, engine: FakeCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kind.NODE_IMAGE_VARIABLE, "my/node:2")
    own.up("wso", 1)
    (command,) = created(engine)
    assert command[command.index("--image") + 1] == "my/node:2"


@pytest.mark.parametrize("nodes", [1, 2])
def test_up_creates_a_cluster_once_and_then_finds_it(own: kind.Kind, engine: FakeCommands, nodes: int) -> None:
    first = own.up("wso", nodes)
    assert len(first.nodes) == nodes
    assert first.kubeconfig.read_text() == "kubeconfig"
    assert own.up("wso", nodes) == own.find("wso") == first
    assert len(created(engine)) == 1


def test_kind_uses_the_engine_that_answers_not_the_one_that_is_only_installed(tmp_path: Path) -> None:
    machine = FakeCommands({"docker", "podman", "kind"}, {"podman"})
    kind.Kind(cache.Cache(tmp_path), machine).up("wso", 1)
    assert [environment["KIND_EXPERIMENTAL_PROVIDER"] for environment in machine.environments] == ["podman"]


def test_a_cluster_with_another_number_of_nodes_is_kept(own: kind.Kind, engine: FakeCommands) -> None:
    own.up("wso", 1)
    with pytest.raises(LocalClusterError, match=r"has 1 node\(s\): run `down` first"):
        own.up("wso", 2)
    assert engine.clusters["wso"] == {"wso-control-plane": True}


def test_a_cluster_with_a_stopped_node_is_not_found_and_is_created_again(own: kind.Kind, engine: FakeCommands) -> None:
    own.up("wso", 1)
    engine.clusters["wso"]["wso-control-plane"] = False
    assert own.find("wso") is None
    assert own.stopped("wso") == ["wso-control-plane"]
    assert own.up("wso", 1) == own.find("wso")
    assert len(created(engine)) == 2


def test_a_cluster_whose_nodes_stop_at_once_is_not_reported_as_ready(own: kind.Kind, engine: FakeCommands) -> None:
    engine.crashes = True
    with pytest.raises(LocalClusterError, match="wso-control-plane of the cluster wso stopped right after"):
        own.up("wso", 1)


def test_a_cluster_whose_creation_was_killed_is_created_again(own: kind.Kind, engine: FakeCommands) -> None:
    own.up("wso", 1).kubeconfig.unlink()
    assert own.find("wso") is None
    own.up("wso", 1)
    assert len(created(engine)) == 2


def test_a_kind_cluster_that_the_user_created_is_neither_replaced_nor_deleted(
    own: kind.Kind, engine: FakeCommands
) -> None:
    engine.clusters["wso"] = {"wso-control-plane": True}
    with pytest.raises(LocalClusterError, match="not created from this cache: choose another --name"):
        own.up("wso", 1)
    own.down("wso")
    assert own.find("wso") is None
    assert engine.clusters["wso"] == {"wso-control-plane": True}


def test_down_deletes_containers_and_files_of_this_cluster_only(own: kind.Kind, engine: FakeCommands) -> None:
    own.up("wso", 1)
    own.up("other", 1)
    assert own.leaks("wso")
    own.down("wso")
    own.down("wso")
    assert own.leaks("wso") == []
    assert list(engine.clusters) == ["other"]
    assert own.find("other") is not None


def test_a_failed_creation_names_both_ways_out_and_leaves_nothing(own: kind.Kind, engine: FakeCommands) -> None:
    engine.pull_fails = True
    with pytest.raises(LocalClusterError) as error:
        own.up("wso", 1)
    assert "failed to pull image" in str(error.value)
    assert kind.NODE_IMAGE_VARIABLE in str(error.value)
    assert "--provider native" in str(error.value)
    assert own.leaks("wso") == []
    assert not own.has_files("wso"), "the name is free for the other provider"


def test_without_an_engine_the_error_says_what_to_start_or_choose(tmp_path: Path) -> None:
    client_only = kind.Kind(cache.Cache(tmp_path), FakeCommands({"docker", "kind"}))
    for attempt in (lambda: client_only.up("wso", 1), lambda: client_only.prepare(programs=False)):
        with pytest.raises(LocalClusterError, match=r"start docker or podman .* --provider native"):
            attempt()


def test_kind_is_built_only_when_it_is_not_on_the_path(
    own: kind.Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(store: cache.Cache, name: str) -> Path:
        built.append(name)
        return tmp_path / name

    built: list[str] = []
    monkeypatch.setattr(kind.binaries, "program", program)
    own.prepare()
    assert built == []
    kind.Kind(own.store, FakeCommands({"docker"}, {"docker"})).prepare()
    assert built == ["kind"]


def test_an_image_is_imported_unless_the_nodes_have_it(own: kind.Kind, engine: FakeCommands, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci_archive.write(archive, "example.com/image:1", Path("/bin/true"))
    own.up("wso", 1)
    own.import_image("wso", archive)
    assert engine.loaded() == [str(archive)]
    ((name, digest),) = oci_archive.contents(archive).items()
    engine.images = f"REF TYPE DIGEST SIZE\n{name} application/vnd.oci.image.manifest.v1+json {digest} 1.0 MiB\n"
    own.import_image("wso", archive)
    assert engine.loaded() == [str(archive)]


def test_no_image_is_imported_into_a_cluster_that_does_not_exist(own: kind.Kind, tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="run `up --name wso` first"):
        own.import_image("wso", tmp_path / "image.tar")
