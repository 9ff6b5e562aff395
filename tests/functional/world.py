"""A real API server as the tests see it, with the parts that are played: kubelet and worker.

What acts as a worker does so with a token that is bound to its pod.
"""

import itertools
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.native.control_plane import ControlPlane
from functional.callers import ApiError, Caller, Manifest, wait
from functional.worker import Worker
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names

_numbers = itertools.count(1)


@dataclass
class World:
    """The API server and everything that tests do to it."""

    plane: ControlPlane
    admin: Caller
    context: ssl.SSLContext

    def token(self, namespace: str, account: str, pod: Manifest | None = None) -> str:
        """Return a token of a service account, bound to a pod if one is given."""
        spec: Manifest = {"expirationSeconds": 3600}
        if pod is not None:
            metadata = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]
            }  # fmt: skip
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        target = path(Ref("ServiceAccount", namespace, account), "token")
        return str(self.admin.send("POST", target, request)["status"]["token"])

    def caller(self, token: str) -> Caller:
        """Return the API as the bearer of a token sees it."""
        bare = ssl.create_default_context(cafile=str(self.plane.api.authority))
        return Caller(self.plane.server, bare, token)

    def kubeconfig(self, directory: Path, token: str) -> Path:
        """Write a kubeconfig for a token."""
        file = directory / "kubeconfig"
        cluster = {"server": self.plane.server, "certificate-authority": str(self.plane.api.authority)}
        file.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "tests",
                    "clusters": [{"name": "tests", "cluster": cluster}],
                    "users": [{"name": "tests", "user": {"token": token}}],
                    "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
                }
            )
        )
        return file

    def namespace(self, enforce: str = "restricted") -> "Place":
        """Make a namespace whose pods must keep a standard."""
        name = f"t{next(_numbers)}"
        labels = {"pod-security.kubernetes.io/enforce": enforce}
        self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        return Place(self, name)


@dataclass
class Place:
    """One test's namespace."""

    world: World
    name: str
    _workers: dict[str, "Worker"] = field(default_factory=dict)

    @property
    def admin(self) -> Caller:
        """Return the administrator's calls."""
        return self.world.admin

    def empty(self) -> None:
        """Delete sessions and pods; a namespace that is being deleted takes no more, but gives."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        for kind in (names.SESSION_KIND, "Pod"):
            self.admin.send("DELETE", path(Ref(kind, self.name, "")), options)

    def store(self, name: str = "default", **spec: Any) -> Manifest:
        """Make a store: on a claim, unless the spec names another backend."""
        known = ("s3", "mongodb", "custom")
        backend = {} if any(kind in spec for kind in known) else {"filesystem": {"claimName": "archives"}}
        return self.admin.create(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.STORE_KIND,
                "metadata": {"name": name, "namespace": self.name},
                "spec": {**backend, **spec},
            }
        )

    def refusal(self, **limits: str) -> str:
        """Return why the server would not take a plain pod with these limits, asked by a dry run; "" if it would."""
        metadata = {"name": "probe", "namespace": self.name}
        if self.admin.get("ServiceAccount", self.name, "probe") is None:
            # The controller manager, which is not here, would make the default one.
            self.admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        spec = plain_pod_spec("probe")
        if limits:
            spec["containers"][0]["resources"] = {"limits": limits}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        try:
            self.admin.send("POST", f"{path(Ref('Pod', self.name, ''))}?dryRun=All", pod)
        except ApiError as error:
            return error.message
        return ""

    def quota(self, **hard: int) -> None:
        """Limit what the namespace takes, so that a plain pod is refused; returns when the server knows."""
        limits = {name: str(number) for name, number in hard.items()}
        collection = f"/api/v1/namespaces/{self.name}/resourcequotas"
        head = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": self.name}}
        self.admin.send("POST", collection, {**head, "spec": {"hard": limits}})
        # The controller manager, which is not here, would say what is used.
        used = {"status": {"hard": limits, "used": dict.fromkeys(limits, "0")}}
        self.admin.send("PATCH", f"{collection}/small/status", used, "application/merge-patch+json")
        known = ("exceeded quota", "failed quota")  # no room, or limits that the pod does not name
        said = self.refusal
        wait(lambda: any(word in said() for word in known), lambda: f"the quota to be in force; {said()!r}")

    def session(self, name: str, **spec: Any) -> Manifest:
        """Make a session."""
        return self.admin.create(session_manifest(self.name, name, spec))

    def wait_refused(self, sentence: str, **spec: Any) -> None:
        """Wait until sessions of a spec are refused with a sentence: a policy is in force a moment after it is made."""

        def denied() -> bool:
            try:
                self.session("probe", **spec)
            except ApiError as error:
                return sentence in error.message
            self.admin.delete(names.SESSION_KIND, self.name, "probe")
            return False

        wait(denied, f"sessions to be refused: {sentence}")

    def update(self, name: str, **spec: Any) -> Manifest:
        """Change a session's spec."""
        return self.admin.merge(names.SESSION_KIND, self.name, name, {"spec": spec})

    def get(self, name: str) -> Manifest:
        """Return a session."""
        found = self.admin.get(names.SESSION_KIND, self.name, name)
        assert found is not None, f"session {self.name}/{name} does not exist"
        return found

    def status(self, name: str) -> Manifest:
        """Return a session's status."""
        return dict(self.get(name).get("status") or {})

    def condition(self, name: str, kind: str) -> Manifest:
        """Return a condition; {} when absent."""
        return next((item for item in self.status(name).get("conditions", []) if item["type"] == kind), {})

    def pod(self, name: str) -> Manifest | None:
        """Return a session's pod."""
        return self.admin.get("Pod", self.name, names.pod(name))

    def lease(self, name: str) -> Manifest | None:
        """Return a session's Lease."""
        return self.admin.get("Lease", self.name, names.lease(name))

    def events(self, name: str) -> list[Manifest]:
        """Return the Events about a session."""
        return [item for item in self.admin.items("Event", self.name) if item["involvedObject"]["name"] == name]

    def wait_phase(self, name: str, phase: str, reason: str | None = None) -> Manifest:
        """Wait until a session is in a phase (and one of its conditions has a reason)."""

        def there() -> bool:
            status = self.status(name)
            reasons = {item["reason"] for item in status.get("conditions", [])}
            return status.get("phase") == phase and (reason is None or reason in reasons)

        def shown() -> str:
            shown = {name: value for name, value in self.status(name).items() if name != "session"}
            return f"session {name} to be {phase} ({reason}); it is {json.dumps(shown, indent=1)}"

        wait(there, shown)
        return self.status(name)

    def wait_worker(self, name: str) -> "Worker":
        """Wait until a session's pod is there and may write, and return its worker."""

        def marked() -> Manifest | None:
            pod = self.pod(name)
            known = (self.status(name).get("worker") or {}).get("podUID")
            return pod if pod is not None and known == pod["metadata"]["uid"] else None

        pod: Manifest = wait(marked, lambda: f"the pod of {name} to be marked: {self.status(name).get('worker')}")
        worker = Worker(self, name, pod)
        self._workers[name] = worker
        return worker


def session_manifest(namespace: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    """Return a WhatsAppSession."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }


def plain_pod_spec(account: str) -> Manifest:
    """Return the spec of a pod that keeps the restricted standard, under a service account."""
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": names.WORKER_CONTAINER, "image": "mine", "securityContext": secure}
    return {"serviceAccountName": account, "containers": [container]}
