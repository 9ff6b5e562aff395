"""The chart installed, upgraded and removed by helm itself, on an API server of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import yaml

from deploy.local import cache
from deploy.local.build import binaries
from deploy.local.native import control_plane
from functional.callers import wait
from functional.chart import CHART
from whatsapp_session import names

RELEASE = ("whatsapp-session-operator", "--namespace", "whatsapp-operator")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane.ControlPlane]:
    """An empty API server."""
    with control_plane.running(tmp_path_factory.mktemp("empty")) as made:
        yield made


def run(plane: control_plane.ControlPlane, program: str, *arguments: str) -> str:
    """Run helm or kubectl as the administrator; returns what it printed."""
    command = [str(binaries.program(cache.locate(), program)), "--kubeconfig", str(plane.kubeconfig), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HELD = json.dumps({"metadata": {"finalizers": [names.FINALIZER_PURGE]}})
JOB = ("job", "whatsapp-session-operator-uninstall", "-n", "whatsapp-operator")


def uninstall(plane: control_plane.ControlPlane) -> None:
    """Uninstall, playing the controller that would run the hook's job with the job's own rights."""
    helm = [str(binaries.program(cache.locate(), "helm")), "--kubeconfig", str(plane.kubeconfig), "uninstall", *RELEASE]
    removing = subprocess.Popen(helm, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait(lambda: "name: release-finalizers" in run(plane, "kubectl", "get", "jobs", "-A", "-o", "yaml"), "the hook")
        (container,) = json.loads(run(plane, "kubectl", "get", *JOB, "-o", "json"))["spec"]["template"]["spec"][
            "containers"
        ]
        token = run(plane, "kubectl", "create", "token", JOB[1], *JOB[2:]).strip()
        loaded = yaml.safe_load(plane.kubeconfig.read_text())
        loaded["users"][0]["user"] = {"token": token}
        kubeconfig = plane.kubeconfig.with_name("hook")
        kubeconfig.write_text(yaml.safe_dump(loaded))
        program = "import sys; from whatsapp_operator import app; sys.exit(app.main())"
        command = [sys.executable, "-c", program, *container["args"], "--kubeconfig", str(kubeconfig)]
        subprocess.run(command, check=True, timeout=60)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        times = {"startTime": now, "completionTime": now, "succeeded": 1}
        done = [
            {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("SuccessCriteriaMet", "Complete")
        ]
        patch = json.dumps({"status": {**times, "conditions": done}})
        run(plane, "kubectl", "patch", *JOB, "--subresource=status", "--type=merge", "-p", patch)
        said, _ = removing.communicate(timeout=120)
    finally:
        removing.kill()
        removing.wait()
    assert removing.returncode == 0, said


def test_install_upgrade_and_uninstall_keep_the_sessions(plane: control_plane.ControlPlane) -> None:
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
    run(plane, "kubectl", "patch", "was", "kept", "--type=merge", "-p", HELD)
    run(plane, "kubectl", "create", "serviceaccount", "default")
    labels = f"{names.LABEL_MANAGED_BY}={names.MANAGED_BY},{names.LABEL_COMPONENT}={names.COMPONENT_PURGE}"
    run(plane, "kubectl", "run", "wapurge-gone", "--image=worker", "--labels", labels)
    uninstall(plane)
    assert "wapurge" not in run(plane, "kubectl", "get", "pods")
    assert json.loads(run(plane, "kubectl", "get", "was", "kept", "-o", "json"))["metadata"].get("finalizers", []) == []
    left = run(plane, "kubectl", "get", "clusterrole,validatingadmissionpolicy,deployment", "-A", "-o", "name")
    assert "whatsapp" not in left
    # The same release finds its definitions again.
    run(plane, "helm", "install", *RELEASE, str(CHART))
    assert "kept" in run(plane, "kubectl", "get", "was")


def test_a_session_can_be_deleted_while_no_operator_is_installed(plane: control_plane.ControlPlane) -> None:
    uninstall(plane)
    run(plane, "kubectl", "delete", "was", "kept", "--timeout=20s")
    assert "kept" not in run(plane, "kubectl", "get", "was")
