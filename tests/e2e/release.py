"""The product's release as helm manages it: other values for a while, uninstalled and installed again."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.demo import installation
from deploy.demo.console import DemoError
from deploy.local.build import binaries
from e2e.local_cluster import LocalCluster

Values = Mapping[str, Any]
PLACE = (installation.RELEASE, "--namespace", installation.NAMESPACE)


def helm(cluster: LocalCluster, *arguments: str, stdin: str | None = None) -> str:
    """Run helm against a cluster; returns what it printed."""
    command = [str(binaries.program(cluster.store, "helm")), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(cluster: LocalCluster) -> dict[str, Any]:
    """Return the values that the release was installed with."""
    found: dict[str, Any] = json.loads(helm(cluster, "get", "values", *PLACE, "--output", "json"))
    return found


def install(cluster: LocalCluster, given: Values) -> None:
    """Install or upgrade the release, and wait until the operator is ready."""
    arguments = ("--values", "-", "--wait", "--timeout", "120s")
    try:
        helm(cluster, "upgrade", "--install", *PLACE, str(installation.CHART), *arguments, stdin=json.dumps(given))
    except AssertionError:
        print(_report(cluster))
        raise


def _report(cluster: LocalCluster) -> str:
    """Return what explains an operator that does not become ready."""
    place, operator = ("-n", installation.NAMESPACE), f"deployment/{installation.RELEASE}"
    parts = []
    for arguments in (
        ("get", "pods", *place, "-o", "yaml"),
        ("get", "events", *place, "--sort-by=.lastTimestamp"),
        ("logs", operator, *place, "-c", "operator", "--tail=40"),
        ("logs", operator, *place, "-c", "operator", "--tail=40", "--previous"),
    ):
        try:
            parts.append(cluster.kubectl.run(*arguments))
        except DemoError as error:
            parts.append(str(error))
    return "\n---\n".join(parts)


def uninstall(cluster: LocalCluster) -> None:
    """Uninstall the release; returns when its hook has ended and everything of it is gone."""
    helm(cluster, "uninstall", *PLACE, "--wait")


def merged(one: Values, other: Values) -> dict[str, Any]:
    """Return values with others over them, as helm would merge two files."""
    made = dict(one)
    for name, value in other.items():
        old = made.get(name)
        made[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return made


@contextlib.contextmanager
def uninstalled(cluster: LocalCluster) -> Iterator[None]:
    """Uninstall the release, and install it again as it was."""
    before = values(cluster)
    try:
        uninstall(cluster)
        yield
    finally:
        install(cluster, before)
