"""Faults of a native cluster's nodes and networks: programs that stand still or are gone, addresses out of reach."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deploy.local.build import binaries
from deploy.local.native import command_lines, linux_namespaces, node_config, processes
from deploy.local.native.cluster import Native, Plan

API_SERVER = "kube-apiserver"


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one cluster; each lasts as long as its block."""

    own: Native
    plan: Plan
    inside: linux_namespaces.Namespaces

    @staticmethod
    def of(own: Native, name: str) -> "Faults":
        """Return the faults of a cluster that runs."""
        plan, inside = own.plan(name), linux_namespaces.find(own.directory(name))
        assert plan is not None
        assert inside is not None
        return Faults(own, plan, inside)

    def node(self, name: str) -> node_config.Node:
        """Return a node by its name."""
        return next(one for one in self.plan.nodes if one.name == name)

    @contextmanager
    def kubelet_stopped(self, node: str) -> Iterator[None]:
        """Let a node's kubelet stand still; its pods go on."""
        record = self._program(f"kubelet-{self.node(node).number}")
        os.kill(record.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if processes.alive(record):
                os.kill(record.pid, signal.SIGCONT)

    @contextmanager
    def node_cut(self, node: str) -> Iterator[None]:
        """Let nothing pass between a node, kubelet and pods, and the API server; other ways stay open."""
        one, api = self.node(node), self.plan.layout
        port = str(api.ports.api)
        with ExitStack() as rules:
            for target in (api.first_service, api.address):
                rules.enter_context(self.cut(one.pods, target))
            # The kubelet is a process of the cluster's own network: its address for the API server tells it apart.
            for number in (port, str(one.kubelet_port)):
                rules.enter_context(self._rule("OUTPUT", "-d", one.address, "-p", "tcp", "--dport", number))
            yield

    @contextmanager
    def cut(self, source: str, target: str) -> Iterator[None]:
        """Drop what pods of ``source`` (an address or a range) send to ``target``: they wait, nothing refuses them."""
        with self._rule("PREROUTING", "-s", source, "-d", target):
            yield

    @contextmanager
    def no_api_server(self) -> Iterator[None]:
        """Kill the API server; another starts on the same data.

        Not by SIGTERM: it would take itself out of its service, which kube-proxy learns again half a minute late.
        """
        record = self._program(API_SERVER)
        os.kill(record.pid, signal.SIGKILL)
        processes.wait(lambda: not processes.alive(record), 10, lambda: "the end of the API server")
        try:
            yield
        finally:
            program = binaries.program(self.own.store, API_SERVER)
            self.inside.start(API_SERVER, [str(program), *command_lines.apiserver(self.plan.layout)])

    @contextmanager
    def _rule(self, chain: str, *match: str) -> Iterator[None]:
        """Drop packets before their addresses are translated, those of open connections too."""
        self._iptables("-I", chain, *match)
        try:
            yield
        finally:
            if processes.alive(self.inside.first):  # the rules of a cluster that is gone went with it
                self._iptables("-D", chain, *match)

    def _iptables(self, verb: str, chain: str, *match: str) -> None:
        self.inside.run(["iptables", "-w", "-t", "raw", verb, chain, *match, "-j", "DROP"])

    def _program(self, name: str) -> processes.Record:
        return next(one for one in processes.load(self.plan.directory / "pids") if one.name == name)
