"""A control plane without nodes, for functional tests: etcd and the API server, ready in seconds.

It needs no root, uses free loopback ports, and keeps everything in the given directory; several can run at once.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.errors import LocalClusterError
from deploy.local.native import api_client, command_lines, kubeconfig, pki, processes

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane; `kubeconfig` is the administrator's."""

    kubeconfig: Path
    server: str
    api: api_client.Api
    directory: Path
    kubectl: Path


class _PortTakenError(Exception):
    """Another process took a port after it was chosen and before the server started."""


@contextmanager
def running(directory: Path, *, controllers: bool = False, store: cache.Cache | None = None) -> Iterator[ControlPlane]:
    """Run a control plane in `directory` until the block ends.

    With `controllers` the controller manager runs too: it makes the `default` service account of
    each namespace (without it a pod that names no other is refused) and collects orphans.
    Raises LocalClusterError when a program does not start, with the end of its log.
    """
    store = store or cache.locate()
    programs = {name: binaries.program(store, name) for name in ("etcd", "kube-apiserver", "kubectl")}
    directory.mkdir(parents=True, exist_ok=True)
    children = processes.Children(directory / "logs")
    try:
        for attempt in range(_ATTEMPTS):
            layout = command_lines.Layout("local", directory, "127.0.0.1", command_lines.Ports(*free_ports(5)))
            prepare(layout)
            try:
                plane = _start(layout, children, programs, controllers)
                break
            except _PortTakenError:
                children.stop()
                if attempt == _ATTEMPTS - 1:
                    raise LocalClusterError("Other processes took the ports of the control plane: try again.") from None
        yield plane
    finally:
        children.stop()


def _start(
    layout: command_lines.Layout, children: processes.Children, programs: dict[str, Path], controllers: bool
) -> ControlPlane:
    client = api_client.administrator(layout.server, layout.authority)
    children.start("etcd", [str(programs["etcd"]), *command_lines.etcd(layout)])
    children.start("kube-apiserver", [str(programs["kube-apiserver"]), *command_lines.apiserver(layout)])
    _await(children, client.ready, "the API server to be ready")
    if controllers:
        manager = programs["kube-apiserver"].with_name("kube-controller-manager")
        children.start("kube-controller-manager", [str(manager), *command_lines.controllers(layout)])
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        _await(children, lambda: client.get(account) is not None, "the first service account")
    return ControlPlane(layout.kubeconfig("admin"), layout.server, client, layout.directory, programs["kubectl"])


def _await(children: processes.Children, done: processes.Predicate, what: str) -> None:
    processes.wait(lambda: children.ended() is not None or done(), 180, lambda: what)
    if name := children.ended():
        tail = children.last_lines(name)
        if "address already in use" in tail:
            raise _PortTakenError(name)
        raise LocalClusterError(f"{name} stopped unexpectedly; its log ends with: {tail}")


def prepare(layout: command_lines.Layout, more: Sequence[pki.Identity] = ()) -> None:
    """Write the certificates and kubeconfigs of the control plane's parts."""
    clients = [*command_lines.CLIENTS, *(one for one in more if not one.names)]
    pki.create(layout.authority.directory, f"{layout.name}-ca", [*command_lines.identities(layout), *more])
    for identity in clients:
        text = kubeconfig.content(layout.name, layout.server, layout.authority, identity.file)
        kubeconfig.write(layout.kubeconfig(identity.file), text)


def free_ports(count: int) -> list[int]:
    """Return loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            with suppress(OSError):
                one.close()
