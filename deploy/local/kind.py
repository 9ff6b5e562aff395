"""The provider `kind`: Kubernetes nodes as containers of docker or podman."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from deploy.local import cache, container_engine, file_lock, progress
from deploy.local.build import binaries, oci_archive
from deploy.local.commands import SYSTEM, Commands
from deploy.local.errors import LocalClusterError
from deploy.local.provider import Cluster, check_name

# The minor version of versions.KUBERNETES, so that kubectl fits; the checksum is that of kind's release notes.
NODE_IMAGE = "docker.io/kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
NODE_IMAGE_VARIABLE = "WSO_KIND_NODE_IMAGE"
_LABEL = "io.x-k8s.kind.cluster"  # kind puts it on the containers of its nodes
_ADVICE = (
    f"Read the message above. Without a registry, set {NODE_IMAGE_VARIABLE} to a node image that the engine has, or"
    " choose the other provider, which needs root on Linux: --provider native (WSO_PROVIDER=native)."
)


def configuration(nodes: int) -> str:
    """Return kind's configuration: one node that does everything, or a control plane and as many workers."""
    workers = nodes if nodes > 1 else 0
    roles = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(workers))]
    return json.dumps({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": roles})


def create_arguments(name: str, kubeconfig: Path, image: str) -> list[str]:
    """Return kind's arguments that create a cluster; its configuration is read from standard input."""
    target = ["--name", name, "--kubeconfig", str(kubeconfig)]
    return ["create", "cluster", *target, "--image", image, "--config", "-", "--wait", "180s"]


def delete_arguments(name: str, kubeconfig: Path) -> list[str]:
    """Return kind's arguments that delete a cluster."""
    return ["delete", "cluster", "--name", name, "--kubeconfig", str(kubeconfig)]


def load_arguments(name: str, archive: Path) -> list[str]:
    """Return kind's arguments that import an archive into each node."""
    return ["load", "image-archive", str(archive), "--name", name]


def containers_command(engine: str, name: str, *, running: bool) -> list[str]:
    """Return the engine's command that prints the names of the cluster's nodes, all of them or those that run."""
    state = ["--filter", "status=running"] if running else ["--all"]
    return [engine, "ps", *state, "--filter", f"label={_LABEL}={name}", "--format", "{{.Names}}"]


def schedulable(containers: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes that take pods: the workers, or the control plane if it is alone."""
    workers = [one for one in containers if "-worker" in one]
    return tuple(sorted(workers or containers))


@dataclass(frozen=True)
class Kind:
    """Clusters of kind; `<cache>/kind` holds the kubeconfig of each, and a record that this cache created it."""

    NAME: ClassVar[str] = "kind"
    store: cache.Cache
    commands: Commands = SYSTEM

    def up(self, name: str, nodes: int) -> Cluster:
        """Create the cluster, or return the one that runs; one that stopped is created again."""
        with file_lock.exclusive(self.store.locks, "kind"):
            if running := self.find(check_name(name)):
                if len(running.nodes) != nodes:
                    raise LocalClusterError(f"The cluster {name} has {len(running.nodes)} node(s): run `down` first.")
                return running
            self._delete(name)
            self._record(name).parent.mkdir(parents=True, exist_ok=True)
            self._record(name).touch()
            with progress.step(self.store.progress, f"creating the cluster {name} with kind", 60):
                self._create(name, nodes)
            if found := self.find(name):
                return found
            stopped = ", ".join(self.stopped(name)) or "every node"
        raise LocalClusterError(
            f"{stopped} of the cluster {name} stopped right after its creation: `{self._engine} logs` shows the reason."
        )

    def down(self, name: str) -> None:
        """Delete the cluster and its files; kind's network and the node image stay, for the next cluster."""
        with file_lock.exclusive(self.store.locks, "kind"):
            if self.has_files(check_name(name)):
                self._delete(name)

    def find(self, name: str) -> Cluster | None:
        """Return the cluster if it was created to the end and all its nodes run."""
        if not self.has_files(name) or not self._kubeconfig(name).exists() or self.stopped(name):
            return None
        nodes = schedulable(self._containers(name))
        return Cluster(name, self._kubeconfig(name), nodes) if nodes else None

    def import_image(self, name: str, archive: Path) -> None:
        """Import the archive into each node, unless all have that very image already."""
        nodes = self._containers(name) if self.has_files(name) else []
        if not nodes:
            raise LocalClusterError(f"There is no cluster {name}: run `up --name {name}` first.")
        listing = ["ctr", "--namespace", "k8s.io", "images", "ls"]
        for node in nodes:
            listed = self.commands.output([self._engine, "exec", node, *listing], f"listing the images of {node}")
            if not oci_archive.is_listed(archive, listed):
                self._kind(load_arguments(name, archive), f"importing {archive.name} into {name}")
                return

    def prepare(self, *, programs: bool = True) -> None:
        """Check that a container engine answers; build kind unless it is on PATH."""
        if self._engine and programs:
            self._program()

    def has_files(self, name: str) -> bool:
        return self._record(name).exists()

    def stopped(self, name: str) -> list[str]:
        """Return the nodes whose container does not run."""
        running = self._containers(name, running=True)
        return [node for node in self._containers(name) if node not in running]

    def leaks(self, name: str) -> list[str]:
        """Return the containers and files of the cluster."""
        files = [path for path in (self._record(name), self._kubeconfig(name)) if path.exists()]
        return [*(f"container: {node}" for node in self._containers(name)), *(f"file: {path}" for path in files)]

    def _create(self, name: str, nodes: int) -> None:
        image = os.environ.get(NODE_IMAGE_VARIABLE) or NODE_IMAGE
        arguments = create_arguments(name, self._kubeconfig(name), image)
        try:
            self._kind(arguments, f"creating the cluster {name}", configuration(nodes))
        except LocalClusterError as error:
            self._delete(name)  # kind removed the containers; the name is free for the other provider
            raise LocalClusterError(f"{error}\n{_ADVICE}") from error

    def _delete(self, name: str) -> None:
        """Remove what is there of a cluster of ours; refuse to touch one that another cache or person created."""
        if self._containers(name):
            if not self.has_files(name):
                raise LocalClusterError(
                    f"A kind cluster {name} exists that was not created from this cache: choose another --name, or"
                    f" remove it with `kind delete cluster --name {name}`."
                )
            self._kind(delete_arguments(name, self._kubeconfig(name)), f"deleting the cluster {name}")
        self._kubeconfig(name).unlink(missing_ok=True)
        self._record(name).unlink(missing_ok=True)

    def _containers(self, name: str, *, running: bool = False) -> list[str]:
        command = containers_command(self._engine, name, running=running)
        return self.commands.output(command, f"listing the nodes of {name}").split()

    def _kind(self, arguments: Sequence[str], what: str, stdin: str = "") -> None:
        environment = {"KIND_EXPERIMENTAL_PROVIDER": self._engine}
        self.commands.output([self._program(), *arguments], what, stdin, environment)

    def _program(self) -> str:
        return self.commands.find("kind") or str(binaries.program(self.store, "kind"))

    @cached_property
    def _engine(self) -> str:
        if engine := container_engine.find(self.commands):
            return engine
        raise LocalClusterError(
            "No container engine answers: start docker or podman (`docker info` shows the reason), or choose the other"
            " provider, which needs root on Linux: --provider native (WSO_PROVIDER=native)."
        )

    def _record(self, name: str) -> Path:
        return self.store.kind / f"{name}.created"

    def _kubeconfig(self, name: str) -> Path:
        return self.store.kind / f"{name}.kubeconfig"
