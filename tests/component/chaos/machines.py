"""Servers that are killed and come back: on the same port, with the same files."""

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from component.stores import servers
from component.workers import wait
from deploy.local import cache
from deploy.local.build import binaries
from scenes.ports import free_port


@dataclass
class Machine:
    """One server process and its log."""

    name: str
    command: Sequence[str]
    log: pathlib.Path
    env: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it listens."""
        if self.running is not None and self.running.poll() is None:
            return
        with self.log.open("ab") as sink:
            self.running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                env={**os.environ, **self.env},
            )
        if self.port:
            wait(lambda: servers.listens(self.port), lambda: f"{self.name} to listen; {self.log.read_text()[-1000:]}")

    def kill(self) -> None:
        """Kill it."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()


def s3(directory: pathlib.Path) -> Machine:
    """Return an S3 server that is not started yet."""
    port = free_port()
    (directory / "data" / servers.BUCKET).mkdir(parents=True)
    command = [str(binaries.program(cache.locate(), "versitygw")), "--quiet", "--access", servers.ACCESS_KEY]
    command += ["--secret", servers.SECRET_KEY, "--region", "us-east-1", "--port", f"127.0.0.1:{port}"]
    return Machine("S3 server", [*command, "posix", str(directory / "data")], directory / "log", port=port)


def mongo(directory: pathlib.Path) -> Machine:
    """Return a MongoDB server that is not started yet."""
    port = free_port()
    (directory / "data").mkdir(parents=True)
    command = [str(binaries.program(cache.locate(), "ferretdb")), "-listen", f"127.0.0.1:{port}"]
    return Machine("MongoDB server", [*command, "-data", str(directory / "data")], directory / "log", port=port)


def api_server(directory: pathlib.Path, port: int) -> Machine:
    """Return the API server that runs for a directory, to be killed and started again."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if any("kube-apiserver" in word for word in command[:2]) and any(str(directory) in word for word in command):
            machine = Machine("API server", command, directory / "again.log", port=port)
            machine.running = Found(process)  # type: ignore[assignment] # only what a Machine uses of it
            return machine
    raise AssertionError(f"no API server runs for {directory}")


@dataclass
class Found:
    """A process that another part of the test started, with what a Machine needs."""

    process: psutil.Process

    def poll(self) -> int | None:
        """Return None while it runs."""
        return None if self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE else 0

    def kill(self) -> None:
        """Kill it."""
        self.process.send_signal(signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it has gone; its parent may be slow to reap it."""
        end = time.monotonic() + 30
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
