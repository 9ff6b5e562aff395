"""Start a node: its bridge, containerd, kubelet; and kube-proxy, of which the first node runs the only one."""

import json
import subprocess
from pathlib import Path

from deploy.local import cache
from deploy.local.build import binaries, oci_archive
from deploy.local.errors import LocalClusterError
from deploy.local.native import cgroups, network, node_config, processes
from deploy.local.native.api_client import Api
from deploy.local.native.linux_namespaces import Namespaces


def start_runtime(node: node_config.Node, inside: Namespaces) -> None:
    """Start containerd, on a directory that holds the node's configuration."""
    own = node.directory
    (own / "cni").mkdir(parents=True)
    (own / "volume-plugins").mkdir()
    (own / "containerd.toml").write_text(node_config.containerd(node, snapshotter(own)))
    (own / "cni" / "10-local.conflist").write_text(json.dumps(node_config.network(node), indent=1))
    (own / "kubelet.json").write_text(json.dumps(node_config.kubelet(node), indent=1))
    (own / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    inside.start(f"containerd-{node.number}", ["containerd", "--config", str(own / "containerd.toml")])


def snapshotter(directory: Path) -> str:
    """Return how containerd stacks layers: overlays do not stack on an overlay, there it copies."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True, check=True).stdout
    return "native" if kind.strip() in {"overlayfs", "overlay"} else "overlayfs"


def import_image(node: node_config.Node, archive: Path) -> None:
    """Hand an OCI archive to the node's containerd, unless it has that very image already."""
    command = ["ctr", "--address", str(node.socket), "--namespace", "k8s.io", "images"]
    known = subprocess.run([*command, "ls"], capture_output=True, text=True, check=False).stdout
    wanted = oci_archive.contents(archive)
    if wanted and all(_knows(known, name, digest) for name, digest in wanted.items()):
        return
    done = subprocess.run([*command, "import", "--all-platforms", str(archive)], capture_output=True, check=False)
    if done.returncode:
        raise LocalClusterError(f"{archive.name} cannot be imported into {node.name}: {done.stderr.decode().strip()}")


def _knows(listing: str, name: str, digest: str) -> bool:
    return any(line.startswith(f"{name} ") and digest in line.split() for line in listing.splitlines())


def import_pause_image(store: cache.Cache, node: node_config.Node) -> None:
    """Bring in the image of the process that holds each pod's namespaces."""
    archive = node.directory / "pause.tar"
    oci_archive.write(archive, node_config.PAUSE_IMAGE, binaries.program(store, "pause"))
    processes.wait(node.socket.exists, 30, lambda: f"containerd of {node.name}")
    import_image(node, archive)


def start_kubelet(store: cache.Cache, node: node_config.Node, kubeconfig: Path, inside: Namespaces) -> None:
    """Start the kubelet in control groups and on a bridge of its own."""
    cgroups.create(node.cgroup)
    network.bridge(node, inside)
    kubelet = binaries.program(store, "kubelet")
    inside.start(f"kubelet-{node.number}", [str(kubelet), *node_config.kubelet_arguments(node, kubeconfig)])


def start_proxy(store: cache.Cache, node: node_config.Node, kubeconfig: Path, block: str, inside: Namespaces) -> None:
    """Start kube-proxy: nodes share the cluster's network namespace, so one is enough and two would quarrel."""
    config = node.directory / "proxy.json"
    config.write_text(json.dumps(node_config.proxy(node, kubeconfig, block), indent=1))
    inside.start("kube-proxy", [str(binaries.program(store, "kube-proxy")), f"--config={config}"])


def ready(node: node_config.Node, client: Api) -> bool:
    """Return whether the node says that it can run pods."""
    found = client.get(f"/api/v1/nodes/{node.name}")
    conditions = found["status"].get("conditions", []) if found else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
