"""Progress, packages, certificates and configuration of local clusters."""

import dataclasses
import io
import json
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from deploy.local import cache, progress
from deploy.local.build import binaries, debian_packages, oci_archive, versions
from deploy.local.native import command_lines, node_config, pki, storage

LAYOUT = command_lines.Layout("wso", Path("/c"), "10.64.255.254", command_lines.Ports(6443, 2379, 2380, 10257, 10259))
NODE = node_config.Node(
    "wso-node2", 2, Path("/c/nodes/2"), "10.64.2.1", "10.64.2.0/24", "/g", pki.Authority(Path("/p"))
)


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"WSO_CACHE_DIR": "/w", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/w"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/whatsapp-session-operator"),
        ({"HOME": "/h"}, "/h/.cache/whatsapp-session-operator"),
    ],
)
def test_the_cache_is_where_the_environment_says(environ: dict[str, str], root: str) -> None:
    assert cache.locate(environ).root == Path(root)


def test_moving_a_byte_from_one_part_to_the_next_changes_the_digest() -> None:
    assert cache.digest([b"ab", b"c"]) != cache.digest([b"a", b"bc"])


def test_a_step_under_way_can_be_read_by_others_and_then_says_how_long_it_took(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    with progress.step(file, "building", 600):
        step = progress.read(file)
        assert step is not None
        assert step.took is None
        assert step.line(step.started + 65) == "building: 65 s so far, usually 10 min 0 s"
    done = progress.read(file)
    assert done is not None
    assert done.took is not None
    assert not done.failed


def test_a_step_that_fails_says_so(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    with pytest.raises(ValueError, match="no"), progress.step(file, "building", 1):
        raise ValueError("no")
    done = progress.read(file)
    assert done is not None
    assert "failed after" in done.line(time.time())


def test_a_step_whose_process_was_killed_is_not_under_way(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    step = progress.Step("building", 600, time.time(), gone.pid)
    (tmp_path / "progress.json").write_text(json.dumps(dataclasses.asdict(step)))
    assert progress.read(tmp_path / "progress.json") is None


def test_no_progress_is_read_from_a_torn_file(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"what": "bui')
    assert progress.read(tmp_path / "progress.json") is None


def test_every_line_of_the_package_list_names_package_command_and_use() -> None:
    listed = debian_packages.parse(debian_packages.LIST.read_text())
    assert {package.use for package in listed} == {"node", "image", "browser", "javascript"}
    assert len({package.name for package in listed}) == len(listed)


@pytest.mark.parametrize(
    ("text", "version"), [("go1.26.8\n", (1, 26, 8)), ("go1.24", (1, 24, 0)), ("devel", (0,)), ("", (0,))]
)
def test_go_versions_are_compared_by_number(text: str, version: tuple[int, ...]) -> None:
    assert binaries.parse_go_version(text) == version


def test_each_tool_is_pinned_by_module_files() -> None:
    for tool in versions.TOOLS.values():
        assert (tool.sources / "go.mod").exists()
        assert tool.name == "pause" or (tool.sources / "go.sum").exists()


def test_every_version_is_the_one_that_its_module_file_requires() -> None:
    for tool in versions.TOOLS.values():
        text = (tool.sources / "go.mod").read_text()
        assert tool.name == "pause" or tool.version in text


def test_a_server_may_serve_and_a_client_may_not() -> None:
    server = pki.extension_lines(pki.Identity("api", "api", names=("IP:127.0.0.1",)))
    client = pki.extension_lines(pki.Identity("admin", "admin", "system:masters"))
    assert "serverAuth" in server
    assert "subjectAltName=IP:127.0.0.1" in server
    assert "serverAuth" not in client


def test_the_api_server_serves_the_address_that_pods_use() -> None:
    api = command_lines.identities(LAYOUT)[0]
    assert f"IP:{LAYOUT.first_service}" in api.names
    assert f"IP:{LAYOUT.address}" in api.names


def test_a_control_plane_on_the_loopback_announces_no_endpoint() -> None:
    loopback = command_lines.Layout("wso", Path("/c"), "127.0.0.1", LAYOUT.ports)
    assert "--endpoint-reconciler-type=none" in command_lines.apiserver(loopback)
    assert "--bind-address=127.0.0.1" in command_lines.apiserver(loopback)
    assert "--endpoint-reconciler-type=lease" in command_lines.apiserver(LAYOUT)


def test_two_nodes_share_no_port_bridge_or_directory() -> None:
    first = node_config.Node("wso-node1", 1, Path("/c/nodes/1"), "10.64.1.1", "10.64.1.0/24", "/f", NODE.authority)
    ports = [node_config.kubelet(node)[key] for node in (first, NODE) for key in ("port", "healthzPort")]
    assert len(set(ports)) == 4
    assert first.bridge != NODE.bridge
    assert node_config.network(first) != node_config.network(NODE)


def test_nothing_of_a_node_is_outside_its_directory() -> None:
    text = node_config.containerd(NODE, "overlayfs")
    paths = [line.split('"')[1] for line in text.splitlines() if line.startswith(("root", "state", "address", "conf"))]
    assert len(paths) == 4
    assert all(path.startswith("/c/nodes/2/") for path in paths)


def test_the_kubelet_lets_nobody_in_without_a_certificate_or_a_token() -> None:
    config = node_config.kubelet(NODE)
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}


def test_a_volume_stays_on_the_node_that_has_its_directory() -> None:
    volume = storage.volume("v", Path("/c/v"), "wso-node2")
    terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["values"] == ["wso-node2"]
    assert volume["spec"]["storageClassName"] == storage.storage_class()["metadata"]["name"]


def test_only_volumes_of_our_own_are_emptied(tmp_path: Path) -> None:
    ours = storage.volume("n-01", tmp_path / "nodes" / "1" / "volumes" / "01", "n")
    assert storage.is_ours(ours, tmp_path)
    elsewhere = storage.volume("theirs", Path("/srv/data"), "n")
    above = storage.volume("above", tmp_path / ".." / "other", "n")
    network = {"spec": {"storageClassName": storage.CLASS, "nfs": {"path": str(tmp_path / "x")}}}
    other_class = {"spec": {**ours["spec"], "storageClassName": "fast"}}
    assert not [item for item in (elsewhere, above, network, other_class) if storage.is_ours(item, tmp_path)]


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
