"""A container registry on the loopback, from its Go module: what `images --push` is shown against."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local import binaries, cache, controlplane, processes
from deploy.local.errors import LocalClusterError


@contextmanager
def running(directory: Path, store: cache.Cache | None = None) -> Iterator[str]:
    """Run a registry with its data in `directory` until the block ends; give its address, "127.0.0.1:PORT"."""
    program = binaries.program(store or cache.locate(), "registry")
    (port,) = controlplane.free_ports(1)
    address = f"127.0.0.1:{port}"
    config = directory / "registry.json"
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
                "http": {"addr": address},
            }
        )
    )
    children = processes.Children(directory / "logs")
    children.start("registry", [str(program), "serve", str(config)])
    try:
        processes.wait(lambda: children.ended() is not None or _answers(address), 20, lambda: "the registry to answer")
        if children.ended():
            raise LocalClusterError(
                f"The registry ended by itself; its log ends with: {children.last_lines('registry')}"
            )
        yield address
    finally:
        children.stop()


def _answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, TimeoutError):
        return False
