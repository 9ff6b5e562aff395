"""A cluster of two nodes: stores and simulator on the first, sessions on the second, an operator on each.

What is on the first outlives the second's loss.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo import installation
from deploy.demo.console import wait_for
from deploy.demo.kubectl import Kubectl
from deploy.local import cache, file_lock
from deploy.local.build import binaries, images
from deploy.local.native.cluster import Native
from e2e import node_processes, store_servers
from e2e.local_cluster import LocalCluster
from e2e.node_faults import Faults
from e2e.store_servers import StoreServers
from e2e.world import Session, World
from simulator import client

_NAMES = ("wso-two", "wso-two2")
FAILOVER = {"failover": {"leaseDuration": "30s"}}
"""The shortest that is allowed."""


@dataclass(frozen=True, slots=True)
class TwoNodes:
    """The cluster, and what its nodes are called."""

    local: LocalCluster
    world: World
    servers: StoreServers
    faults: Faults

    @property
    def kubectl(self) -> Kubectl:
        return self.local.kubectl

    @property
    def first(self) -> str:
        return self.local.cluster.nodes[0]

    @property
    def second(self) -> str:
        return self.local.cluster.nodes[1]

    @contextmanager
    def closed(self, node: str) -> Iterator[None]:
        """Let no new pod come to a node."""
        with closed(self.kubectl, node):
            yield

    @contextmanager
    def session(self, namespace: str, spec: Mapping[str, Any] = FAILOVER) -> Iterator[Session]:
        """Make a session with a bucket of its own."""
        self.servers.bucket(namespace)
        stored = {"store": self.servers.s3(namespace), "secrets_of_store": self.servers.secrets(namespace)}
        with self.world.session(namespace, spec=spec, **stored) as session:  # type: ignore[arg-type] # two kinds
            yield session

    def leader(self) -> str:
        """Return who leads, by the Lease; "" if nobody does."""
        found = self.kubectl.get("lease", installation.RELEASE, installation.NAMESPACE) or {}
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    def operator(self, identity: str) -> int:
        """Return the main process of the operator that is called so."""
        pod = self.kubectl.get("pod", identity.partition("_")[0], installation.NAMESPACE) or {}
        return node_processes.main_process(str(pod["metadata"]["uid"]), "whatsapp-operator")

    def follower(self, before: str, timeout: float) -> str:
        """Wait until another than ``before`` leads; return who."""

        def other() -> str | None:
            now = self.leader()
            return now if now not in ("", before) else None

        return wait_for(f"another operator than {before} to lead", other, timeout)

    def browsers(self) -> node_processes.Browsers:
        """Return a watch of all browsers on the nodes."""
        return node_processes.Browsers([one.cgroup for one in self.faults.plan.nodes])

    @property
    def logs(self) -> list[Path]:
        """Return where the kubelets keep the logs of containers."""
        return [one.logs for one in self.faults.plan.nodes]


@contextmanager
def closed(kubectl: Kubectl, node: str) -> Iterator[None]:
    """Let no new pod come to a node."""
    kubectl.run("cordon", node)
    try:
        yield
    finally:
        kubectl.run("uncordon", node)


@contextmanager
def running(scratch: Path) -> Iterator[TwoNodes]:
    """Create the cluster with two operators, and remove it at the end."""
    own = Native(cache.locate())
    with ExitStack() as stack:
        name = next(one for one in _NAMES if stack.enter_context(file_lock.attempt(own.store.locks, f"run-{one}")))
        stack.callback(own.down, name)
        cluster = own.up(name, 2)
        kubectl = Kubectl(binaries.program(own.store, "kubectl"), cluster.kubeconfig)
        local = LocalCluster(own.store, own, cluster, kubectl)
        archives = images.build(own.store)
        local.import_archives(archives)
        with closed(kubectl, cluster.nodes[1]):
            servers = store_servers.deploy(local, scratch)
            simulator = stack.enter_context(installation.simulator(kubectl))
        helm = binaries.program(own.store, "helm")
        installation.install_chart(helm, kubectl, simulator, archives, {"replicas": 2})
        # By the service's address, not through the API server, which goes away in these tests.
        phones = client.Admin(f"http://{simulator.service_ip}")
        yield TwoNodes(local, World(kubectl, phones), servers, Faults.of(own, name))
