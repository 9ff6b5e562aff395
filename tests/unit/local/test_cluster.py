"""What `up` finds, and when it looks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import cache, file_lock
from deploy.local.build import binaries
from deploy.local.errors import LocalClusterError
from deploy.local.native import api_client, leak_check, network, node, node_config, storage
from deploy.local.native.cluster import Native
from deploy.local.provider import Cluster

NOTHING = leak_check.State((), (), (), (), (), (), (), ("kernel/panic = 10",))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Native:
    """Give a provider that would build nothing and find no cluster."""
    monkeypatch.setattr(Native, "prepare", lambda self, *, programs=True: None)
    monkeypatch.setattr(binaries, "directory", lambda store, tool: tmp_path)
    monkeypatch.setattr(storage, "recycle", lambda directory, client: None)
    monkeypatch.setattr(api_client, "administrator", lambda server, authority: None)
    monkeypatch.setattr(Native, "find", lambda self, name: None)
    return Native(cache.Cache(tmp_path))


def made(own: Native, name: str, nodes: int) -> Cluster:
    """Make what another `up` leaves; return the cluster."""
    own.directory(name).mkdir(parents=True)
    (own.directory(name) / "plan.json").write_text(json.dumps({"block": "10.64.0.0/16", "nodes": nodes}))
    return Cluster(name, own.directory(name) / "kubeconfig", ())


@pytest.fixture
def somebody(own: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody else, who holds the lock first, make the cluster."""

    @contextmanager
    def exclusive(directory: Path, name: str) -> Iterator[None]:
        running = made(own, "wso", 1)
        monkeypatch.setattr(Native, "find", lambda self, name: running)
        yield

    monkeypatch.setattr(file_lock, "exclusive", exclusive)
    monkeypatch.setattr(Native, "_clear", lambda self, name: pytest.fail("it was removed"))


@pytest.mark.usefixtures("somebody")
def test_a_cluster_that_somebody_finished_while_we_waited_is_found_and_not_removed(own: Native) -> None:
    assert own.up("wso", 1).name == "wso"


@pytest.mark.usefixtures("somebody")
def test_one_of_another_size_is_left_alone_too(own: Native) -> None:
    with pytest.raises(LocalClusterError, match=r"has 1 node\(s\)"):
        own.up("wso", 2)


def test_an_image_is_imported_into_every_node(own: Native, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr(node, "import_image", lambda one, archive: seen.append((one.name, archive)))
    made(own, "wso", 2)
    own.import_image("wso", tmp_path / "image.tar")
    assert sorted(seen) == [("wso-node1", tmp_path / "image.tar"), ("wso-node2", tmp_path / "image.tar")]


def test_an_import_that_fails_in_one_node_is_told(own: Native, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(one: node_config.Node, archive: Path) -> None:
        if one.number == 2:
            raise LocalClusterError("no space left")

    monkeypatch.setattr(node, "import_image", full)
    made(own, "wso", 2)
    with pytest.raises(LocalClusterError, match="no space left"):
        own.import_image("wso", tmp_path / "image.tar")


def test_kernel_settings_that_another_caches_cluster_changed_are_not_recorded(
    own: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leak_check, "observe", lambda directory, mark, builds: NOTHING)
    for marks, kernel in ([], NOTHING.kernel), (["wso-123456"], ()):
        monkeypatch.setattr(network, "marks", lambda marks=marks: marks)
        own._record_before("wso")
        assert leak_check.State.read(own._before("wso")).kernel == kernel
