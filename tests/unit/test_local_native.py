"""What `up` finds, and when it looks."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import api, binaries, cache, links, locking, native, storage, trace
from deploy.local.errors import LocalClusterError
from deploy.local.provider import Cluster

NOTHING = trace.State((), (), (), (), (), (), (), ("kernel/panic = 10",))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> native.Native:
    """Give a provider that would build nothing and find no cluster."""
    monkeypatch.setattr(native, "prerequisites", lambda: None)
    monkeypatch.setattr(binaries, "directory", lambda store, tool: tmp_path)
    monkeypatch.setattr(storage, "recycle", lambda directory, client: None)
    monkeypatch.setattr(api, "administrator", lambda server, authority: None)
    monkeypatch.setattr(native.Native, "find", lambda self, name: None)
    return native.Native(cache.Cache(tmp_path))


def made(own: native.Native, name: str, nodes: int) -> Cluster:
    """Make what another `up` leaves; return the cluster."""
    own.directory(name).mkdir(parents=True)
    (own.directory(name) / "plan.json").write_text(json.dumps({"block": "10.64.0.0/16", "nodes": nodes}))
    return Cluster(name, own.directory(name) / "kubeconfig", ())


@pytest.fixture
def somebody(own: native.Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody else, who holds the lock first, make the cluster."""

    @contextmanager
    def exclusive(directory: Path, name: str) -> Iterator[None]:
        cluster = made(own, "wso", 1)
        monkeypatch.setattr(native.Native, "find", lambda self, name: cluster)
        yield

    monkeypatch.setattr(locking, "exclusive", exclusive)
    monkeypatch.setattr(native.Native, "_clear", lambda self, name: pytest.fail("it was removed"))


@pytest.mark.usefixtures("somebody")
def test_a_cluster_that_somebody_finished_while_we_waited_is_found_and_not_removed(own: native.Native) -> None:
    assert own.up("wso", 1).name == "wso"


@pytest.mark.usefixtures("somebody")
def test_one_of_another_size_is_left_alone_too(own: native.Native) -> None:
    with pytest.raises(LocalClusterError, match=r"runs with 1 node\(s\)"):
        own.up("wso", 2)


def test_kernel_settings_that_a_cluster_of_another_cache_has_changed_are_not_recorded_as_the_machines(
    own: native.Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "observe", lambda directory, mark, builds: NOTHING)
    for marks, kernel in ([], NOTHING.kernel), (["wso-123456"], ()):
        monkeypatch.setattr(links, "marks", lambda marks=marks: marks)
        own._record_before("wso")
        assert trace.State.read(own._before("wso")).kernel == kernel
