"""The chart installed, upgraded and removed by helm itself, on an API server of its own."""

import subprocess
from collections.abc import Iterator

import pytest

from deploy.local import binaries, cache, controlplane
from functional.test_chart_rendering import CHART
from whatsapp_session import names

RELEASE = ("whatsapp-session-operator", "--namespace", "whatsapp-operator")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[controlplane.ControlPlane]:
    """An empty API server."""
    with controlplane.running(tmp_path_factory.mktemp("empty")) as made:
        yield made


def run(plane: controlplane.ControlPlane, program: str, *arguments: str) -> str:
    """Run helm or kubectl as the administrator; returns what it printed."""
    command = [str(binaries.program(cache.locate(), program)), "--kubeconfig", str(plane.kubeconfig), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_install_upgrade_and_uninstall_keep_the_sessions(plane: controlplane.ControlPlane) -> None:
    run(plane, "helm", "install", *RELEASE, str(CHART), "--create-namespace")
    run(plane, "kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    session = f"apiVersion: {names.API_VERSION}\nkind: {names.SESSION_KIND}\nmetadata: {{name: kept}}\n"
    subprocess.run(
        [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig), "apply", "-f", "-"],
        input=session,
        text=True,
        check=True,
        capture_output=True,
        timeout=60,
    )
    # An upgrade changes what it should: here an argument of the operator.
    run(plane, "helm", "upgrade", *RELEASE, str(CHART), "--set", "worker.pacing.maxStarting=3")
    pod = run(plane, "kubectl", "get", "deployment", "-n", "whatsapp-operator", "-o", "yaml")
    assert "--max-starting=3" in pod
    run(plane, "helm", "uninstall", *RELEASE)
    assert "kept" in run(plane, "kubectl", "get", "was")
    left = run(plane, "kubectl", "get", "clusterrole,validatingadmissionpolicy,deployment", "-A", "-o", "name")
    assert "whatsapp" not in left
    # The same release finds its definitions again.
    run(plane, "helm", "install", *RELEASE, str(CHART))
    assert "kept" in run(plane, "kubectl", "get", "was")


def test_a_session_can_be_deleted_while_no_operator_is_installed(plane: controlplane.ControlPlane) -> None:
    run(plane, "helm", "uninstall", *RELEASE)
    run(plane, "kubectl", "delete", "was", "kept", "--timeout=20s")
    assert "kept" not in run(plane, "kubectl", "get", "was")
