"""The command lines of the control plane's programs: pure functions of a layout."""

from dataclasses import dataclass
from pathlib import Path

from deploy.local.native import pki


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the control plane."""

    api: int
    etcd: int
    etcd_peer: int
    controllers: int
    scheduler: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A control plane's directory, address, ports and range of service addresses."""

    name: str
    directory: Path
    address: str
    ports: Ports
    services: str = "10.96.0.0/24"
    first_service: str = "10.96.0.1"
    also: tuple[str, ...] = ()
    """Further addresses at which the API server serves: those of the nodes."""

    @property
    def server(self) -> str:
        return self.server_at(self.address)

    def server_at(self, address: str) -> str:
        """Return the API server's URL at one of its addresses."""
        return f"https://{address}:{self.ports.api}"

    @property
    def authority(self) -> pki.Authority:
        return pki.Authority(self.directory / "pki")

    @property
    def nodes_reach_it(self) -> bool:
        """Return whether nodes can reach the address: one on the loopback serves this machine's processes only."""
        return not self.address.startswith("127.")

    def kubeconfig(self, file: str) -> Path:
        return self.directory / f"{file}.kubeconfig"


CLIENTS = (
    pki.Identity("admin", "admin", "system:masters"),
    pki.Identity("controllers", "system:kube-controller-manager"),
    pki.Identity("scheduler", "system:kube-scheduler"),
    pki.Identity("proxy", "system:kube-proxy"),
    pki.Identity("kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
)


def identities(layout: Layout) -> list[pki.Identity]:
    """Return who needs a certificate: the API server and its clients; nodes are added by the caller."""
    names = [
        f"IP:{address}" for address in dict.fromkeys((layout.address, "127.0.0.1", layout.first_service, *layout.also))
    ]
    names += ["DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"]
    return [pki.Identity("api", "kube-apiserver", names=tuple(names)), *CLIENTS]


def etcd(layout: Layout) -> list[str]:
    """Return etcd's arguments. No fsync: a local cluster may lose its data in a power cut."""
    client = f"http://127.0.0.1:{layout.ports.etcd}"
    peer = f"http://127.0.0.1:{layout.ports.etcd_peer}"
    return [
        "--name=local",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(layout: Layout) -> list[str]:
    """Return the API server's arguments."""
    own = layout.authority
    reconciler = "lease" if layout.nodes_reach_it else "none"  # a loopback address is no valid endpoint
    return [
        f"--etcd-servers=http://127.0.0.1:{layout.ports.etcd}",
        f"--bind-address={'0.0.0.0' if layout.nodes_reach_it else layout.address}",
        f"--advertise-address={layout.address}",
        f"--secure-port={layout.ports.api}",
        f"--endpoint-reconciler-type={reconciler}",
        f"--service-cluster-ip-range={layout.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--cert-dir={layout.directory / 'pki'}",
        f"--client-ca-file={own.certificate}",
        f"--tls-cert-file={own.certificate_of('api')}",
        f"--tls-private-key-file={own.key_of('api')}",
        f"--kubelet-certificate-authority={own.certificate}",
        f"--kubelet-client-certificate={own.certificate_of('kubelet-client')}",
        f"--kubelet-client-key={own.key_of('kubelet-client')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={own.accounts_public_key}",
        f"--service-account-signing-key-file={own.accounts_key}",
    ]


def controllers(layout: Layout) -> list[str]:
    """Return the controller manager's arguments."""
    own = layout.authority
    return [
        *_served(layout, "controllers", layout.ports.controllers),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={own.accounts_key}",
        f"--root-ca-file={own.certificate}",
        f"--cluster-signing-cert-file={own.certificate}",
        f"--cluster-signing-key-file={own.key}",
        f"--flex-volume-plugin-dir={layout.directory / 'volume-plugins'}",  # its default is made in /usr
    ]


def scheduler(layout: Layout) -> list[str]:
    """Return the scheduler's arguments."""
    return _served(layout, "scheduler", layout.ports.scheduler)


def _served(layout: Layout, file: str, port: int) -> list[str]:
    config = layout.kubeconfig(file)
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={layout.directory / 'pki' / file}",
        "--leader-elect=false",
    ]
