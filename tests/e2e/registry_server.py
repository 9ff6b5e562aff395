"""A container registry on the loopback, from its Go module: what `images --push` is shown against."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.errors import LocalClusterError
from deploy.local.native import control_plane, processes

_ATTEMPTS = 3


@contextmanager
def running(directory: Path, store: cache.Cache | None = None) -> Iterator[str]:
    """Run a registry with its data in `directory` until the block ends; give its address, "127.0.0.1:PORT"."""
    program = binaries.program(store or cache.locate(), "registry")
    children = processes.Children(directory / "logs")
    try:
        yield _start(program, directory, children)
    finally:
        children.stop()


def _start(program: Path, directory: Path, children: processes.Children) -> str:
    for _ in range(_ATTEMPTS):
        (port,) = control_plane.free_ports(1)
        address = f"127.0.0.1:{port}"
        children.start("registry", [str(program), "serve", str(_configure(directory, address))])
        if _serves(children, address):
            return address
        tail = children.last_lines("registry")
        children.stop()
        if "address already in use" not in tail:
            break
    raise LocalClusterError(f"The registry ended by itself; its log ends with: {tail}")


def _serves(children: processes.Children, address: str) -> bool:
    """Wait until the registry answers, or has ended."""
    processes.wait(lambda: children.ended() is not None or _answers(address), 60, lambda: "the registry to answer")
    return children.ended() is None


def _configure(directory: Path, address: str) -> Path:
    config = directory / "registry.json"
    directory.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": address},
    }
    config.write_text(json.dumps(settings))
    return config


def _answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, TimeoutError):
        return False
