"""A cluster for thousands of sessions: a real control plane, nodes that kwok plays, and workers that are played.

The scheduler gets more requests per second than its default, so that not its limit is measured. The controller
manager keeps its default of 20 requests per second, which bounds how fast the garbage collector deletes.
"""

import functools
import os
import re
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.native import command_lines, control_plane, processes
from functional import conftest as functional
from functional.callers import ApiError, Line, Manifest, wait
from functional.world import World, session_manifest
from whatsapp_kube.requests import Ref, path
from whatsapp_operator import connection

NODES = 10
QPS = ("--kube-api-qps=2000", "--kube-api-burst=4000")
STAGES = Path(__file__).with_name("stages.yaml")
REPOSITORY = Path(__file__).parents[3]
CALLS = re.compile(r'^whatsapp_operator_api_requests_total\{code="(\d+)",kind="(\w+)",verb="(\w+)"\} ([\d.]+)')

PHASE = re.compile(r'^whatsapp_operator_sessions\{phase="Connected"\} ([\d.]+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used since its start: CPU in seconds, memory in MiB, requests by verb and kind."""

    cpu: float
    resident: float
    peak: float
    calls: "Counter[str]"

    @property
    def writes(self) -> int:
        """Return the number of requests that write."""
        return sum(count for call, count in self.calls.items() if not call.startswith(("get ", "list ")))


@dataclass
class Operator:
    """The operator as a process of its own, with the rights of the chart."""

    process: psutil.Process
    port: int

    def cost(self) -> Cost:
        """Return what it has used since its start."""
        times, memory = self.process.cpu_times(), self.process.memory_info()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        calls: Counter[str] = Counter()
        for found in filter(None, map(CALLS.match, lines)):
            calls[f"{found[3]} {found[2]}"] += int(float(found[4]))
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return Cost(times.user + times.system, memory.rss / 2**20, peak / 2**10, calls)

    def connected(self) -> int:
        """Return the number of sessions in the phase Connected, as the operator sees them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            found = PHASE.search(answer.read().decode())
        return 0 if found is None else int(float(found[1]))


@dataclass
class Scale:
    """The cluster, and what the benchmark does to it."""

    world: World
    children: processes.Children
    namespaces: tuple[str, ...]
    _operators: int = field(default=0)

    @contextmanager
    def operator(self) -> Iterator[Operator]:
        """Run the operator, as in a pod, until the block ends."""
        token = self.world.token(functional.OPERATOR_NAMESPACE, functional.OPERATOR_ACCOUNT)
        self._operators += 1
        directory = self.world.plane.directory / f"operator-{self._operators}"
        directory.mkdir()
        (directory / "token").write_text(token)
        (directory / "ca.crt").write_bytes(self.world.plane.api.authority.read_bytes())
        host, _, server_port = self.world.plane.server.removeprefix("https://").rpartition(":")
        pod = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": server_port}
        pod[connection.ACCOUNT_VARIABLE] = str(directory)
        (port,) = control_plane.free_ports(1)
        program = Path(sys.executable).with_name("whatsapp-operator")
        command = ["env", *(f"{name}={value}" for name, value in pod.items()), str(program), "run"]
        command += ["--worker-image", functional.IMAGE, "--health-port", str(port), "--log-level", "warning"]
        name = f"operator-{self._operators}"
        command += ["--max-starting", "100000"]
        self.children.start(name, command)
        process = psutil.Process(self.children.running[name].pid)
        found = Operator(process, port)
        try:
            wait(lambda: _answers(port), lambda: f"the operator to run; {self.children.last_lines(name)}", 60)
            yield found
        finally:
            process.terminate()
            self.children.running.pop(name).wait(60)

    def create(self, manifests: list[Manifest]) -> None:
        """Create objects, eight at a time; a server that is too busy to answer is asked again."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._create, manifests))

    def _create(self, manifest: Manifest) -> None:
        def created() -> bool:
            try:
                self.world.admin.create(manifest)
            except ApiError as error:
                if error.status != 409:
                    raise
            return True

        wait(created, f"{manifest['metadata']['name']} to be created", 600)

    def sessions(self, count: int) -> list[Manifest]:
        """Return the manifests of sessions, as many in each namespace."""
        spec = {"failover": {"leaseDuration": "10m"}}
        return [session_manifest(self._place(number), f"s-{number}", spec) for number in range(count)]

    def pods(self, count: int) -> list[Manifest]:
        """Return the manifests of bare pods, as many in each namespace."""
        return [bare_pod(self._place(number), f"bare-{number}") for number in range(count)]

    def count(self, kind: str) -> int:
        """Return the number of objects of a kind; the server counts only without a selector."""
        return sum(self._count(kind, namespace) for namespace in self.namespaces)

    def items(self, kind: str) -> Iterator[Manifest]:
        """Yield the objects of a kind, a namespace at a time."""
        for namespace in self.namespaces:
            yield from self.world.admin.items(kind, namespace)

    def delete_all(self, kind: str) -> None:
        """Delete the objects of a kind, in as many requests as the server needs time."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda namespace: self._delete_all(kind, namespace), self.namespaces))

    def _delete_all(self, kind: str, namespace: str) -> None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions"}
        while True:
            try:
                with Line(self.world.admin) as line:
                    line.ask("DELETE", path(Ref(kind, namespace, "")), body, "application/json")
            except TimeoutError:
                continue
            return

    def _count(self, kind: str, namespace: str) -> int:
        found = self.world.admin.send("GET", f"{path(Ref(kind, namespace, ''))}?limit=1")
        return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0))

    def _place(self, number: int) -> str:
        return self.namespaces[number % len(self.namespaces)]


def bare_pod(namespace: str, name: str) -> Manifest:
    """Return a pod that meets the standard of the namespace, and nothing else."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    seccomp = {"seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"bench": "bare"}},
        "spec": {"containers": [{"name": "a", "image": "a", "securityContext": security | seccomp}]},
    }


@contextmanager
def cluster(directory: Path, namespaces: int) -> Iterator[Scale]:
    """Run the control plane with the chart installed, kwok's nodes and the played workers until the block ends."""
    store = cache.locate()
    kwok = binaries.program(store, "kwok")
    scheduler = binaries.program(store, "kube-apiserver").with_name("kube-scheduler")
    with functional.installed(directory, functional.INSTALL, controllers=True) as world:
        plane = world.plane
        ports = command_lines.Ports(0, 0, 0, 0, control_plane.free_ports(1)[0])
        layout = command_lines.Layout("local", plane.directory, "127.0.0.1", ports)
        children = processes.Children(directory / "bench-logs")
        try:
            children.start("scheduler", [str(scheduler), *command_lines.scheduler(layout), *QPS])
            play = [f"--kubeconfig={plane.kubeconfig}", f"--config={STAGES}", "--manage-all-nodes=true"]
            children.start("kwok", [str(kwok), *play, "--node-lease-duration-seconds=40"])
            for number in range(NODES):
                node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{number}"}}
                world.admin.send("POST", "/api/v1/nodes", node)
            wait(lambda: _ready(world), "the nodes to be ready", 60)
            files = (plane.api.authority, plane.api.certificate, plane.api.key)
            workers = [sys.executable, "-m", "bench.operator.played_workers", plane.server, *map(str, files)]
            children.start("workers", ["env", f"PYTHONPATH={REPOSITORY / 'tests'}{os.pathsep}{REPOSITORY}", *workers])
            places = tuple(f"scale-{number}" for number in range(namespaces))
            for place in places:
                world.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
            for place in places:
                account = functools.partial(world.admin.get, "ServiceAccount", place, "default")
                wait(account, "the account of pods", 60)
            yield Scale(world, children, places)
        finally:
            children.stop()


def _ready(world: World) -> bool:
    nodes = world.admin.send("GET", "/api/v1/nodes")["items"]
    found = [item for node in nodes for item in node.get("status", {}).get("conditions") or ()]
    return len([item for item in found if item["type"] == "Ready" and item["status"] == "True"]) == NODES


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
