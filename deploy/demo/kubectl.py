"""Use a cluster as a user does: with kubectl, helm and kubectl-whatsapp."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.demo.console import BusyError, DemoError

Resource = Mapping[str, Any]
_FORWARDING = "Forwarding from 127.0.0.1:"
_UNANSWERED = re.compile(
    r"Unable to connect to the server|The connection to the server .* was refused|TLS handshake timeout|i/o timeout"
    r"|connection reset by peer|client connection lost|unexpected EOF|etcdserver: "
    r"|\((InternalError|ServerTimeout|ServiceUnavailable|Timeout|TooManyRequests)\)"
)
"""What kubectl prints while the server is too busy or starts."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl against one kubeconfig."""

    binary: Path
    kubeconfig: Path

    def command(self, *arguments: str) -> list[str]:
        """Return the argument list that runs kubectl with ``arguments``."""
        return [str(self.binary), "--kubeconfig", str(self.kubeconfig), *arguments]

    def run(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Return kubectl's standard output; raises DemoError with its last line on failure."""
        return run(self.command(*arguments), stdin=stdin, timeout=timeout)

    def apply(self, manifest: str) -> None:
        """Apply a manifest given as text."""
        self.run("apply", "-f", "-", stdin=manifest)

    def get(self, kind: str, name: str, namespace: str) -> Resource | None:
        """Return one resource, or None if there is none."""
        text = self.run("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json")
        found: Resource | None = json.loads(text) if text else None
        return found

    @contextmanager
    def port_forward(self, target: str, namespace: str, port: int) -> Iterator[str]:
        """Forward a free loopback port to ``target`` (``svc/NAME``) and yield ``http://127.0.0.1:PORT``."""
        arguments = self.command("port-forward", "-n", namespace, target, f":{port}")
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith(_FORWARDING):
                raise DemoError(f"kubectl port-forward to {target} in {namespace} did not start")
            yield f"http://127.0.0.1:{line.removeprefix(_FORWARDING).split(' ')[0]}"
        finally:
            process.terminate()
            process.wait(timeout=10)
            if process.stdout:
                process.stdout.close()

    def report(self, namespace: str, session: str) -> str:
        """Return what explains a session that does not connect: resource, Events, pod and its log.

        The codes are left out: they are credentials.
        """
        found = self.get("was", session, namespace)
        if found and found.get("status", {}).get("session"):
            for secret in ("qr", "pairingCode"):
                if secret in found["status"]["session"]:
                    found["status"]["session"][secret] = "(left out)"
        parts = [json.dumps(found, indent=1)]
        pod = f"wa-{session}"
        for arguments in (
            ("get", "events", "-n", namespace, "--sort-by=.lastTimestamp"),
            ("get", "pod", pod, "-n", namespace, "-o", "yaml", "--ignore-not-found"),
            ("logs", pod, "-n", namespace, "--tail=60"),
            ("logs", pod, "-n", namespace, "--tail=60", "--previous"),
        ):
            try:
                parts.append(self.run(*arguments))
            except DemoError as error:
                parts.append(str(error))
        return "\n---\n".join(parts)


def run(command: list[str], stdin: str | None = None, timeout: float = 120) -> str:
    """Run a program to its end; raises DemoError, or BusyError, with the last line of its standard error."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BusyError(f"{Path(command[0]).name} did not end within {timeout:.0f} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        kind = BusyError if _UNANSWERED.search(lines[-1]) else DemoError
        raise kind(f"{Path(command[0]).name} {command[3] if len(command) > 3 else ''}: {lines[-1]}")
    return done.stdout


def kubectl_whatsapp(kubeconfig: Path, *arguments: str) -> list[str]:
    """Return the argument list that runs the kubectl plugin of this environment."""
    return [str(Path(sys.executable).parent / "kubectl-whatsapp"), *arguments, "--kubeconfig", str(kubeconfig)]
