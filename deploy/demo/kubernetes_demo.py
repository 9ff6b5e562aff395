"""Act 2: the story on a real cluster, told with the commands that a person would type."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.demo import installation
from deploy.demo.console import Narrator, StoryError, wait_for
from deploy.demo.kubectl import Kubectl, kubectl_whatsapp
from deploy.local import cache
from deploy.local.build import binaries, images
from deploy.local.native.cluster import Native
from simulator import client

CLUSTER = "wso"
SESSION, SESSION_NAMESPACE = "support", "bots"
PHONE = "demo"
LOOK_SECONDS = 3.0


class ClusterAct:
    """The second act: cluster up, chart installed, linked, saved, pod deleted, Connected again."""

    def __init__(self, narrator: Narrator, store: cache.Cache) -> None:
        self._narrator = narrator
        self._store = store

    def play(self) -> None:
        """Run the act; raises StoryError with the step that failed."""
        narrator, store = self._narrator, self._store
        with narrator.step("cluster up: real Kubernetes, its own containerd, one node"):
            provider = Native(store)
            cluster = provider.up(CLUSTER, 1)
        kubectl = Kubectl(binaries.program(store, "kubectl"), cluster.kubeconfig)
        with narrator.step("images into the cluster"):
            archives = images.build(store)
            for archive in archives:
                provider.import_image(CLUSTER, archive)
        with ExitStack() as stack:
            with narrator.step("a simulator of WhatsApp Web as a pod (the real site is not reachable from a test)"):
                target = stack.enter_context(installation.simulator(kubectl))
            with narrator.step("helm install: CRDs, roles, admission policy, operator"):
                installation.install_chart(binaries.program(store, "helm"), kubectl, target, archives)
            try:
                self._tell(kubectl, target.admin)
            except (StoryError, client.WaitedInVainError) as error:
                narrator.say(kubectl.report(SESSION_NAMESPACE, SESSION))
                raise StoryError(str(error)) from error
        self._epilogue(cluster.kubeconfig)

    def _tell(self, kubectl: Kubectl, admin: client.Admin) -> None:
        narrator = self._narrator
        if kubectl.get("was", SESSION, SESSION_NAMESPACE) is not None:
            with narrator.step("remove what an earlier demo left in the cluster"):
                kubectl.run("delete", "namespace", SESSION_NAMESPACE, "--timeout=180s", timeout=200)
        with narrator.step("kubectl apply -f deploy/samples/quickstart.yaml"):
            narrator.say(_indent(kubectl.run("apply", "-f", str(installation.QUICKSTART))))
        with narrator.step(f"kubectl whatsapp qr {SESSION} -n {SESSION_NAMESPACE}, and the simulator's phone scans it"):
            self._link(kubectl, admin)
        with narrator.step("kubectl wait --for=condition=Saved"):
            self._wait(kubectl, "Saved")
        narrator.say(_indent(kubectl.run("get", "was", "-n", SESSION_NAMESPACE, "-o", "wide")))
        before = _session(kubectl)
        with narrator.step(f"kubectl delete pod wa-{SESSION}: its filesystem is gone with it"):
            kubectl.run("delete", "pod", f"wa-{SESSION}", "-n", SESSION_NAMESPACE, timeout=180)
        with narrator.step("Connected again, with no new QR code and the same account"):
            self._returned(kubectl, admin, before)
        narrator.say(_indent(kubectl.run("get", "was", "-n", SESSION_NAMESPACE, "-o", "wide")))

    def _link(self, kubectl: Kubectl, admin: client.Admin) -> None:
        command = kubectl_whatsapp(kubectl.kubeconfig, "qr", SESSION, "-n", SESSION_NAMESPACE, "--timeout", "180")
        with subprocess.Popen(command, stdout=sys.stdout) as drawing:
            code = wait_for("a QR code in the session's status", lambda: _code(kubectl), timeout=150)
            # The command looks once a second and then draws; the person is to see the code before the phone scans it.
            time.sleep(LOOK_SECONDS)
            admin.scan(PHONE, code)
            if drawing.wait(timeout=190):
                raise StoryError("kubectl whatsapp qr ended without a link")
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
                raise StoryError("the session asks for a new QR code: the login was lost")
            new_pod = session.get("podUID") not in (None, before["podUID"])
            return session if new_pod and session.get("state") == "Connected" else None

        after = wait_for("the session to be Connected in a new pod", connected_elsewhere, timeout=120)
        if after["account"]["id"] != before["account"]["id"]:
            raise StoryError("the session came back with another account")
        devices = [device for device in admin.devices(PHONE) if device.linked]
        odd = [device for device in devices if device.rollbacks or device.two_browsers]
        if odd:
            raise StoryError("the simulator counted a rolled-back profile or two browsers on one login")
        self._narrator.say(
            f"    account {after['account']['id']}, restored generation {after['restored']['generation']}"
        )

    def _epilogue(self, kubeconfig: Path) -> None:
        programs = binaries.program(self._store, "kubectl").parent
        self._narrator.say(
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
