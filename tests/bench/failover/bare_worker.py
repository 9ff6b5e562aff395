"""The floor: the same worker in a pod that a person writes by hand, without operator, Lease and status.

It restores its login from the same kind of store. Its log says when it is connected.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deploy.demo.console import wait_for
from deploy.demo.installation import SIMULATOR_NAMESPACE
from e2e import node_processes, store_servers
from e2e.two_nodes import TwoNodes

NAME, NAMESPACE, PHONE = "bare", "default", "bare-phone"


@dataclass(frozen=True, slots=True)
class BareWorker:
    """One pod that is made again and again, on the first node."""

    nodes: TwoNodes

    def link(self) -> None:
        """Link the login that every round restores."""
        self.nodes.servers.bucket(NAME)
        with self._pod() as uid:
            code = wait_for("the bare worker's QR code", lambda: self._event(uid, "qr"), 120)
            assert self.nodes.world.admin.scan(PHONE, code["code"]) is not None
            wait_for("its first save", lambda: self._event(uid, "remote_session_saved"), 120)

    def seconds(self) -> float:
        """Return the seconds from the creation of the pod until its session is connected."""
        began = time.time()
        with self._pod() as uid:
            wait_for("the bare worker to be connected", lambda: self._event(uid, "ready"), 120, 0.02)
            return time.time() - began

    @contextmanager
    def _pod(self) -> Iterator[str]:
        kubectl = self.nodes.kubectl
        kubectl.apply(json.dumps(self._manifest()))
        try:
            yield str((kubectl.get("pod", NAME, NAMESPACE) or {})["metadata"]["uid"])
        finally:
            kubectl.run("delete", "pod", NAME, "-n", NAMESPACE, "--timeout=100s", timeout=110)

    def _event(self, uid: str, name: str) -> dict[str, Any] | None:
        """Return the first event of a name in the log of the pod."""
        for line in node_processes.log_lines(self.nodes.logs, uid, NAME):
            if line.what.startswith("{") and (event := json.loads(line.what))["event"] == name:
                return dict(event)
        return None

    def _manifest(self) -> dict[str, Any]:
        place = ("get", "service", "simulator", "-n", SIMULATOR_NAMESPACE, "-o", "jsonpath={.spec.clusterIP}")
        endpoint = f"http://{self.nodes.servers.s3_address}:{store_servers.S3_PORT}"
        store = f"s3:{NAME}?region={store_servers.REGION}&endpoint={endpoint}&forcePathStyle=true"
        spki = self.nodes.world.admin.tls().spki
        login = {"AWS_ACCESS_KEY_ID": store_servers.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": store_servers.SECRET_KEY}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "nodeName": self.nodes.first,
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "hostAliases": [{"ip": self.nodes.kubectl.run(*place), "hostnames": ["web.whatsapp.com"]}],
                "containers": [
                    {
                        "name": "worker",
                        "image": "docker.io/library/whatsapp-session-worker:dev",
                        "imagePullPolicy": "Never",
                        "env": [{"name": key, "value": value} for key, value in login.items()],
                        "args": [
                            *("run", "--auth", "remote", "--store", store, "--events", "json"),
                            *("--data-path", "/tmp/profile"),
                            f"--browser-arg=--ignore-certificate-errors-spki-list={spki}",
                        ],
                    }
                ],
            },
        }
