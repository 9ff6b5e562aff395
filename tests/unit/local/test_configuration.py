"""Certificates, command lines, nodes and volumes of native clusters."""

from pathlib import Path

from deploy.local.native import command_lines, node_config, pki, storage

LAYOUT = command_lines.Layout("wso", Path("/c"), "10.64.255.254", command_lines.Ports(6443, 2379, 2380, 10257, 10259))
NODE = node_config.Node(
    "wso-node2", 2, Path("/c/nodes/2"), "10.64.2.1", "10.64.2.0/24", "/g", pki.Authority(Path("/p"))
)


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


def test_the_api_server_serves_the_address_of_each_node_to_its_kubelet() -> None:
    layout = command_lines.Layout("wso", Path("/c"), LAYOUT.address, LAYOUT.ports, also=("10.64.1.1", NODE.address))
    names = command_lines.identities(layout)[0].names
    assert {"IP:10.64.1.1", f"IP:{NODE.address}"} <= set(names)
    assert layout.server_at(NODE.address) == "https://10.64.2.1:6443"


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
    assert node_config.kubelet(first)["podLogsDir"] != node_config.kubelet(NODE)["podLogsDir"]
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
