"""Start a node: its bridge, containerd and kubelet; and kube-proxy, once for all nodes."""

import json
import subprocess
from pathlib import Path

from deploy.local import cache
from deploy.local.build import binaries, oci_archive
from deploy.local.commands import SYSTEM
from deploy.local.native import cgroups, command_lines, kubeconfig, network, node_config, processes
from deploy.local.native.api_client import Api
from deploy.local.native.linux_namespaces import Namespaces


def start_runtime(node: node_config.Node, inside: Namespaces) -> None:
    """Write the node's configuration and start containerd."""
    own = node.directory
    (own / "cni").mkdir(parents=True)
    (own / "volume-plugins").mkdir()
    (own / "containerd.toml").write_text(node_config.containerd(node, snapshotter(own)))
    (own / "cni" / "10-local.conflist").write_text(json.dumps(node_config.network(node), indent=1))
    (own / "kubelet.json").write_text(json.dumps(node_config.kubelet(node), indent=1))
    (own / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    inside.start(f"containerd-{node.number}", ["containerd", "--config", str(own / "containerd.toml")])


def snapshotter(directory: Path) -> str:
    """Return containerd's snapshotter: on an overlay file system it must copy, because overlays cannot be nested."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True).stdout
    return "native" if kind.strip() in {"overlayfs", "overlay"} else "overlayfs"


def import_image(node: node_config.Node, archive: Path) -> None:
    """Import an OCI archive into the node's containerd, unless it has that very image already."""
    command = ["ctr", "--address", str(node.socket), "--namespace", "k8s.io", "images"]
    if not oci_archive.is_listed(archive, SYSTEM.output([*command, "ls"], f"listing the images of {node.name}")):
        importing = [*command, "import", "--all-platforms", str(archive)]
        SYSTEM.output(importing, f"importing {archive.name} into {node.name}")


def import_pause_image(store: cache.Cache, node: node_config.Node) -> None:
    """Import the image of the process that holds each pod's namespaces."""
    archive = node.directory / "pause.tar"
    oci_archive.write(archive, node_config.PAUSE_IMAGE, binaries.program(store, "pause"))
    processes.wait(node.socket.exists, 30, lambda: f"containerd of {node.name}")
    import_image(node, archive)


def start_kubelet(store: cache.Cache, node: node_config.Node, layout: command_lines.Layout, inside: Namespaces) -> None:
    """Start the kubelet in control groups and on a bridge of its own.

    It calls the API server at the bridge's address, so that a firewall rule can cut off one node alone.
    """
    file = layout.kubeconfig(node.certificate)
    server = layout.server_at(node.address)
    kubeconfig.write(file, kubeconfig.content(layout.name, server, node.authority, node.certificate))
    cgroups.create(node.cgroup)
    network.bridge(node, inside)
    kubelet = binaries.program(store, "kubelet")
    inside.start(f"kubelet-{node.number}", [str(kubelet), *node_config.kubelet_arguments(node, file)])


def start_proxy(store: cache.Cache, node: node_config.Node, file: Path, block: str, inside: Namespaces) -> None:
    """Start kube-proxy: nodes share the cluster's network namespace, so one serves all and two would conflict."""
    config = node.directory / "proxy.json"
    config.write_text(json.dumps(node_config.proxy(node, file, block), indent=1))
    inside.start("kube-proxy", [str(binaries.program(store, "kube-proxy")), f"--config={config}"])


def ready(node: node_config.Node, client: Api) -> bool:
    """Return whether the node reports that it can run pods."""
    found = client.get(f"/api/v1/nodes/{node.name}")
    conditions = found["status"].get("conditions", []) if found else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
