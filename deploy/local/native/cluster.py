"""The provider `native`: Kubernetes' own programs as processes of this machine, in namespaces of their own."""

import dataclasses
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deploy.local import cache, file_lock, progress
from deploy.local.build import binaries, debian_packages
from deploy.local.errors import LocalClusterError
from deploy.local.native import (
    addresses,
    api_client,
    cgroups,
    command_lines,
    control_plane,
    leak_check,
    linux_namespaces,
    network,
    node,
    node_config,
    preflight,
    processes,
    storage,
)
from deploy.local.native.addresses import Addresses
from deploy.local.provider import Cluster, check_name

_PORTS = command_lines.Ports(api=6443, etcd=2379, etcd_peer=2380, controllers=10257, scheduler=10259)
_VOLUMES = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from the name, the number of nodes and the addresses of a cluster."""

    name: str
    directory: Path
    addresses: Addresses
    count: int

    @property
    def layout(self) -> command_lines.Layout:
        own = self.addresses
        also = tuple(own.node(number) for number in range(1, self.count + 1))
        return command_lines.Layout(
            self.name, self.directory, own.cluster, _PORTS, own.services, own.first_service, also
        )

    @property
    def nodes(self) -> list[node_config.Node]:
        return [self._node(number) for number in range(1, self.count + 1)]

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.name, self.layout.kubeconfig("admin"), tuple(one.name for one in self.nodes))

    def _node(self, number: int) -> node_config.Node:
        return node_config.Node(
            name=addresses.node(self.name, number),
            number=number,
            directory=self.directory / "nodes" / str(number),
            address=self.addresses.node(number),
            pods=self.addresses.pods(number),
            cgroup=addresses.cgroup(self.directory, number),
            authority=self.layout.authority,
        )


@dataclass(frozen=True, slots=True)
class Native:
    """Clusters with all their files below `<cache>/clusters/<name>`."""

    NAME: ClassVar[str] = "native"
    store: cache.Cache

    def up(self, name: str, nodes: int) -> Cluster:
        """Create the cluster, or return the one that runs, with the volumes of deleted claims available again."""
        if running := self._running(check_name(name), nodes):
            return running
        self.prepare()
        with file_lock.exclusive(self.store.locks, "clusters"):
            # The process that held the lock until now may have created this very cluster.
            if running := self._running(name, nodes):
                return running
            self._clear(name)
            directory = self.directory(name)
            self._record_before(name)
            directory.mkdir(parents=True)
            plan = Plan(name, directory, addresses.choose(name, network.taken()), nodes)
            (directory / "plan.json").write_text(json.dumps({"block": str(plan.addresses.block), "nodes": nodes}))
            with progress.step(self.store.progress, f"starting the cluster {name}", 25):
                self._start(plan)
        return plan.cluster

    def down(self, name: str) -> None:
        """Remove every trace of the cluster."""
        with file_lock.exclusive(self.store.locks, "clusters"):
            self._clear(check_name(name))

    def find(self, name: str) -> Cluster | None:
        """Return the cluster if its start was completed and all its programs run."""
        plan = self.plan(name)
        if plan is None or linux_namespaces.find(plan.directory) is None or not (plan.directory / "complete").exists():
            return None
        return None if self.stopped(name) else plan.cluster

    def stopped(self, name: str) -> list[str]:
        """Return the programs of the cluster that were started and no longer run."""
        records = processes.load(self.directory(name) / "pids")
        return [one.name for one in records if not processes.alive(one)]

    def import_image(self, name: str, archive: Path) -> None:
        """Import the archive into each node, all at once: most of it is one process for each that unpacks."""
        plan = self.plan(name)
        if plan is None:
            raise LocalClusterError(f"There is no cluster {name}: run `up --name {name}` first.")
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda one: node.import_image(one, archive), plan.nodes))

    def prepare(self, *, programs: bool = True) -> None:
        """Check this machine, install Debian packages, and fetch or build the programs of a cluster."""
        preflight.check_user()
        debian_packages.ensure("node")
        preflight.check_node()
        for tool in ("kubernetes", "etcd", "pause") if programs else ():
            binaries.directory(self.store, tool)

    def has_files(self, name: str) -> bool:
        return self.directory(name).exists()

    def leaks(self, name: str) -> list[str]:
        """Return what this machine has more than before the last cluster of this name was created."""
        if not self._before(name).exists():
            raise LocalClusterError(f"No cluster {name} was created from this cache: there is nothing to compare with.")
        after = self._observe(name)
        return leak_check.left_behind(leak_check.State.read(self._before(name)), after, self._others(name))

    def directory(self, name: str) -> Path:
        return self.store.clusters / name

    def _running(self, name: str, nodes: int) -> Cluster | None:
        """Return the cluster if it runs, with the volumes of deleted claims available again."""
        plan = self.plan(name)
        if plan is None or self.find(name) is None:
            return None
        if plan.count != nodes:
            raise LocalClusterError(f"The cluster {name} has {plan.count} node(s): run `down` first.")
        storage.recycle(plan.directory, api_client.administrator(plan.layout.server, plan.layout.authority))
        return plan.cluster

    def _observe(self, name: str) -> leak_check.State:
        return leak_check.observe(self.directory(name), addresses.link(self.directory(name)), self.store.image_storage)

    def _record_before(self, name: str) -> None:
        state = self._observe(name)
        for other in self._neighbours(name)[:1]:
            # A running cluster has already changed the kernel's settings: its own record holds the original values.
            state = dataclasses.replace(state, kernel=leak_check.State.read(self._before(other)).kernel)
        if self._others(name) and not self._neighbours(name):
            # The running cluster belongs to another cache, which alone knows the original values and restores them.
            state = dataclasses.replace(state, kernel=())
        state.write(self._before(name))

    def _before(self, name: str) -> Path:
        return self.store.clusters / f"{name}.before.json"

    def _neighbours(self, name: str) -> list[str]:
        found = [path.parent.name for path in self.store.clusters.glob("*/plan.json")]
        return [other for other in found if other != name and linux_namespaces.find(self.directory(other))]

    def _others(self, name: str) -> list[str]:
        """Return the marks of the other clusters on this machine, those of other caches included."""
        return [mark for mark in network.marks() if mark != addresses.link(self.directory(name))]

    def plan(self, name: str) -> Plan | None:
        """Return what the cluster was created from; None if there is none."""
        try:
            written = json.loads((self.directory(name) / "plan.json").read_text())
        except FileNotFoundError:
            return None
        block = addresses.Network(written["block"])
        return Plan(name, self.directory(name), Addresses(block), written["nodes"])

    def _clear(self, name: str) -> None:
        directory = self.directory(name)
        was_there = directory.exists()
        if was_there:
            linux_namespaces.end(directory)
        mark = addresses.link(directory)
        network.disconnect(directory)
        processes.wait(lambda: not network.exists(directory), 20, lambda: f"the link {mark} to disappear")
        cgroups.remove(f"{mark}-")
        # Only together with a cluster: a setting in an old record may have been changed on purpose since.
        if was_there and self._before(name).exists() and not self._neighbours(name):
            leak_check.restore_kernel_settings(leak_check.State.read(self._before(name)))
        if was_there:
            shutil.rmtree(directory)

    def _start(self, plan: Plan) -> None:
        layout = plan.layout
        control_plane.prepare(layout, [one for each in plan.nodes for one in each.identities()])
        inside = linux_namespaces.create(plan.directory)
        network.connect(plan.addresses, inside)
        programs = binaries.directory(self.store, "kubernetes")
        inside.start("etcd", [str(binaries.program(self.store, "etcd")), *command_lines.etcd(layout)])
        inside.start("kube-apiserver", [str(programs / "kube-apiserver"), *command_lines.apiserver(layout)])
        for one in plan.nodes:
            node.start_runtime(one, inside)
            node.import_pause_image(self.store, one)
        client = api_client.administrator(layout.server, layout.authority)
        self._await(inside, client.ready, "the API server to be ready")
        inside.start(
            "kube-controller-manager", [str(programs / "kube-controller-manager"), *command_lines.controllers(layout)]
        )
        inside.start("kube-scheduler", [str(programs / "kube-scheduler"), *command_lines.scheduler(layout)])
        self._start_nodes(plan, client, inside)
        (plan.directory / "complete").write_text(f"{time.time()}\n")

    def _start_nodes(self, plan: Plan, client: api_client.Api, inside: linux_namespaces.Namespaces) -> None:
        layout = plan.layout
        for one in plan.nodes:
            node.start_kubelet(self.store, one, layout, inside)
            storage.add(one.directory / "volumes", one.name, _VOLUMES, client)
        first = plan.nodes[0]
        node.start_proxy(self.store, first, layout.kubeconfig("proxy"), str(plan.addresses.block), inside)
        for one in plan.nodes:
            self._await(inside, lambda one=one: node.ready(one, client), f"{one.name} to be ready")  # type: ignore[misc]
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._await(inside, lambda: client.get(account) is not None, "the first service account")

    def _await(self, inside: linux_namespaces.Namespaces, done: processes.Predicate, what: str) -> None:
        records = processes.load(inside.directory / "pids")
        dead: list[processes.Record] = []

        def settled() -> bool:
            dead.extend(one for one in records if not processes.alive(one))
            return bool(dead) or done()

        processes.wait(settled, 180, lambda: f"{what}; the logs are in {inside.directory / 'logs'}")
        if dead:
            tail = processes.last_lines(inside.directory / "logs" / f"{dead[0].name}.log", 3)
            raise LocalClusterError(f"{dead[0].name} stopped unexpectedly; its log ends with: {tail}")
