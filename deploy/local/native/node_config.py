"""The configuration of a node's programs: pure functions of the node."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.native import pki

PAUSE_IMAGE = "docker.io/library/wso-local-pause:1"
CNI_PROGRAMS = "/usr/lib/cni"


@dataclass(frozen=True, slots=True)
class Node:
    """One node: `number` counts from 1, `directory` holds all its files."""

    name: str
    number: int
    directory: Path
    address: str
    pods: str
    cgroup: str
    authority: pki.Authority

    @property
    def socket(self) -> Path:
        return self.directory / "containerd.sock"

    @property
    def logs(self) -> Path:
        """Return where the logs of containers are: a kubelet removes those of pods that it does not know."""
        return self.directory / "pod-logs"

    @property
    def bridge(self) -> str:
        return f"pods{self.number}"

    @property
    def kubelet_port(self) -> int:
        return 10250 + 10 * (self.number - 1)

    @property
    def certificate(self) -> str:
        """Return the name of the kubelet's client certificate in the authority's directory."""
        return f"kubelet-{self.number}"

    @property
    def serving_certificate(self) -> str:
        return f"kubelet-{self.number}-serving"

    def identities(self) -> list[pki.Identity]:
        """Return who the kubelet is to the API server, and who it serves as."""
        serving = pki.Identity(self.serving_certificate, self.name, names=(f"IP:{self.address}", f"DNS:{self.name}"))
        return [pki.Identity(self.certificate, f"system:node:{self.name}", "system:nodes"), serving]


def containerd(node: Node, snapshotter: str) -> str:
    """Return containerd's configuration (TOML)."""
    own = node.directory
    # JSON strings are valid TOML strings: paths are quoted that way.
    return f"""version = 2
root = {json.dumps(str(own / "containerd"))}
state = {json.dumps(str(own / "containerd-state"))}
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
]

[grpc]
address = {json.dumps(str(node.socket))}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Without CAP_SYS_RESOURCE a negative score is refused, and the sandbox fails with it.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
default_runtime_name = "runc"
discard_unpacked_layers = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_PROGRAMS}"
conf_dir = {json.dumps(str(own / "cni"))}
"""


def network(node: Node) -> dict[str, Any]:
    """Return the node's network: a bridge with the node's address, addresses from the node's range."""
    ranges = [[{"subnet": node.pods, "gateway": node.address}]]
    ipam = {
        "type": "host-local",
        "dataDir": str(node.directory / "cni-addresses"),
        "ranges": ranges,
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": node.bridge, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "local", "plugins": [bridge, portmap]}


def kubelet(node: Node) -> dict[str, Any]:
    """Return the kubelet's configuration. Disk thresholds are low: this machine's disk is not the cluster's alone."""
    own = node.authority
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "port": node.kubelet_port,
        "healthzPort": node.kubelet_port - 2,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(own.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(own.certificate_of(node.serving_certificate)),
        "tlsPrivateKeyFile": str(own.key_of(node.serving_certificate)),
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node.cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        # The cluster has no name server: an immediate refusal is better than a timeout.
        "clusterDNS": ["127.0.0.1"],
        "clusterDomain": "cluster.local",
        "resolvConf": str(node.directory / "resolv.conf"),
        "volumePluginDir": str(node.directory / "volume-plugins"),
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "podLogsDir": str(node.logs),
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
    }


def kubelet_arguments(node: Node, kubeconfig: Path) -> list[str]:
    """Return the kubelet's arguments."""
    return [
        f"--config={node.directory / 'kubelet.json'}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={node.directory / 'kubelet'}",
        f"--cert-dir={node.directory / 'kubelet-certificates'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    ]


def proxy(node: Node, kubeconfig: Path, block: str) -> dict[str, Any]:
    """Return kube-proxy's configuration.

    All service traffic is masqueraded: replies between two pods of one bridge would else bypass the
    translation on kernels without br_netfilter. Conntrack limits are left alone: they need
    privileges that a container may lack.
    """
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": block,
        "hostnameOverride": node.name,
        "iptables": {"masqueradeAll": True},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
