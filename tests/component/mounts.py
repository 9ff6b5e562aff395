"""Mounts that only one worker sees: a mount namespace of its own, which goes with its first process."""

import contextlib
import pathlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MountNamespace:
    """A mount namespace that a process keeps alive."""

    pid: int

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs a command in there."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--", *command]

    def run(self, *command: str) -> None:
        """Run a command in there, such as mount and umount."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def inside(self, path: pathlib.Path) -> pathlib.Path:
        """Return a path as processes in there see it."""
        return pathlib.Path(f"/proc/{self.pid}/root") / path.relative_to("/")


@contextlib.contextmanager
def namespace() -> Iterator[MountNamespace]:
    """Yield a mount namespace; it needs root, as the clusters of the other tests do."""
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"\n", "this machine allows no mount namespace"
            yield MountNamespace(first.pid)
        finally:
            first.kill()
