"""Part 2: on a real cluster, with the commands that a user would type."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.demo import installation
from deploy.demo.console import Console, DemoError, wait_for
from deploy.demo.kubectl import Kubectl, kubectl_whatsapp
from deploy.local import cache
from deploy.local.build import binaries, images
from deploy.local.provider import DEFAULT_NAME, Provider
from simulator import client

SESSION, SESSION_NAMESPACE = "support", "bots"
PHONE = "demo"
VIEW_SECONDS = 3.0


class KubernetesDemo:
    """Part 2: cluster up, chart installed, linked, saved, pod deleted, Connected again."""

    def __init__(self, console: Console, store: cache.Cache, provider: Provider) -> None:
        self._console = console
        self._store = store
        self._provider = provider

    def run(self) -> None:
        """Run the steps; raises DemoError with the step that failed."""
        console, store, provider = self._console, self._store, self._provider
        with console.step("cluster up: a real Kubernetes with one node"):
            cluster = provider.up(DEFAULT_NAME, 1)
        kubectl = Kubectl(binaries.program(store, "kubectl"), cluster.kubeconfig)
        with console.step("images into the cluster"):
            archives = images.build(store)
            for archive in archives:
                provider.import_image(DEFAULT_NAME, archive)
        with ExitStack() as stack:
            with console.step("a simulator of WhatsApp Web as a pod (a test does not reach the real site)"):
                target = stack.enter_context(installation.simulator(kubectl))
            with console.step("helm install: CRDs, roles, admission policy, operator"):
                installation.install_chart(binaries.program(store, "helm"), kubectl, target, archives)
            try:
                self._steps(kubectl, target.admin)
            except (DemoError, client.WaitedInVainError) as error:
                console.say(kubectl.report(SESSION_NAMESPACE, SESSION))
                raise DemoError(str(error)) from error
        self._epilogue(cluster.kubeconfig)

    def _steps(self, kubectl: Kubectl, admin: client.Admin) -> None:
        console = self._console
        if kubectl.get("was", SESSION, SESSION_NAMESPACE) is not None:
            with console.step("remove the session of an earlier demo"):
                kubectl.run("delete", "namespace", SESSION_NAMESPACE, "--timeout=180s", timeout=200)
        with console.step("kubectl apply -f deploy/samples/quickstart.yaml"):
            console.say(_indent(kubectl.run("apply", "-f", str(installation.QUICKSTART))))
        with console.step(f"kubectl whatsapp qr {SESSION} -n {SESSION_NAMESPACE}, and the simulator's phone scans it"):
            self._link(kubectl, admin)
        with console.step("kubectl wait --for=condition=Saved"):
            self._wait(kubectl, "Saved")
        console.say(_indent(kubectl.run("get", "was", "-n", SESSION_NAMESPACE, "-o", "wide")))
        before = _session(kubectl)
        with console.step(f"kubectl delete pod wa-{SESSION}: its file system is deleted with it"):
            kubectl.run("delete", "pod", f"wa-{SESSION}", "-n", SESSION_NAMESPACE, timeout=180)
        with console.step("Connected again without a new QR code, with the same account"):
            self._returned(kubectl, admin, before)
        console.say(_indent(kubectl.run("get", "was", "-n", SESSION_NAMESPACE, "-o", "wide")))

    def _link(self, kubectl: Kubectl, admin: client.Admin) -> None:
        command = kubectl_whatsapp(kubectl.kubeconfig, "qr", SESSION, "-n", SESSION_NAMESPACE, "--timeout", "180")
        with subprocess.Popen(command, stdout=sys.stdout) as drawing:
            code = wait_for("a QR code in the session's status", lambda: _code(kubectl), timeout=150)
            # The command polls once a second and then draws; the user should see the code before the phone scans it.
            time.sleep(VIEW_SECONDS)
            admin.scan(PHONE, code)
            if drawing.wait(timeout=190):
                raise DemoError("kubectl whatsapp qr ended without a link")
        self._wait(kubectl, "Connected")

    def _wait(self, kubectl: Kubectl, condition: str) -> None:
        kubectl.run(
            *("wait", f"was/{SESSION}", "-n", SESSION_NAMESPACE, f"--for=condition={condition}", "--timeout=120s"),
            timeout=130,
        )

    def _returned(self, kubectl: Kubectl, admin: client.Admin, before: Mapping[str, Any]) -> None:
        def connected_elsewhere() -> Mapping[str, Any] | None:
            session = _session(kubectl)
            if "qr" in session:
                raise DemoError("the session asks for a new QR code: the login was lost")
            new_pod = session.get("podUID") not in (None, before["podUID"])
            return session if new_pod and session.get("state") == "Connected" else None

        after = wait_for("the session to be Connected in a new pod", connected_elsewhere, timeout=120)
        if after["account"]["id"] != before["account"]["id"]:
            raise DemoError("the session came back with another account")
        devices = [device for device in admin.devices(PHONE) if device.linked]
        odd = [device for device in devices if device.rollbacks or device.two_browsers]
        if odd:
            raise DemoError("the simulator counted a rolled-back profile or two browsers on one login")
        self._console.say(
            f"    account {after['account']['id']}, restored generation {after['restored']['generation']}"
        )

    def _epilogue(self, kubeconfig: Path) -> None:
        programs = binaries.program(self._store, "kubectl").parent
        self._console.say(
            f"\nThe cluster stays up. Try next:\n"
            f"  export KUBECONFIG={kubeconfig} PATH={Path(sys.executable).parent}:{programs}:$PATH\n"
            f"  kubectl get was -A; kubectl describe was {SESSION} -n {SESSION_NAMESPACE}\n"
            f"  kubectl whatsapp list -A\n"
            f"  kubectl logs wa-{SESSION} -n {SESSION_NAMESPACE}\n"
            f"  make cluster-down && make cluster-verify-clean"
        )


def _session(kubectl: Kubectl) -> Mapping[str, Any]:
    resource = kubectl.get("was", SESSION, SESSION_NAMESPACE) or {}
    session: Mapping[str, Any] = (resource.get("status") or {}).get("session") or {}
    return session


def _code(kubectl: Kubectl) -> str | None:
    code: str | None = (_session(kubectl).get("qr") or {}).get("code")
    return code


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())
