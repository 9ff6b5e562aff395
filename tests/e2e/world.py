"""One session on a real node, driven as a person would: kubectl, the phone, and what the resource says."""

import dataclasses
import json
import os
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from deploy.demo import installation
from deploy.demo.console import wait_for
from deploy.demo.kubectl import Kubectl
from e2e import node_processes
from simulator import client
from whatsapp_session import names


@dataclass(frozen=True, slots=True)
class World:
    """A cluster with the product installed, and the simulator's phones."""

    kubectl: Kubectl
    admin: client.Admin

    @contextmanager
    def session(
        self,
        namespace: str,
        name: str = "support",
        spec: Mapping[str, Any] | None = None,
        store: Mapping[str, Any] | None = None,
        secrets_of_store: Sequence[Mapping[str, Any]] = (),
    ) -> Iterator["Session"]:
        """Apply the quick start (in ``namespace``), explain a failure, and let the namespace go at the end.

        ``store`` is the specification of another SessionStore than the quick start's. Nobody waits for the namespace's
        end, which holds a last save: what hinders one is shown by `test_deletion.py`.
        """
        session = self.named(namespace, name)
        self.kubectl.apply(session.manifests(spec, store, secrets_of_store))
        try:
            yield session
        except BaseException:
            print(self.kubectl.report(namespace, name))
            raise
        finally:
            self.kubectl.run("delete", "namespace", namespace, "--wait=false")

    def wait_for_ends(self) -> None:
        """Wait until every namespace that was let go has gone."""

        def left() -> bool | None:
            found = json.loads(self.kubectl.run("get", "namespaces", "-o", "json"))["items"]
            return True if all(item["status"]["phase"] == "Active" for item in found) else None

        wait_for("the namespaces of earlier tests to be gone", left, timeout=300)

    def named(self, namespace: str, name: str = "support") -> "Session":
        """Return a session that is not there yet, with a phone of its own."""
        return Session(self.kubectl, self.admin, namespace, name, f"{namespace}-{secrets.token_hex(4)}")


@dataclass(frozen=True, slots=True)
class Session:
    """One WhatsAppSession; each wait says what it waited for."""

    kubectl: Kubectl
    admin: client.Admin
    namespace: str
    name: str
    phone: str
    """Each session has a phone of its own, also when the cluster and its simulator were kept."""

    def manifests(
        self,
        spec: Mapping[str, Any] | None = None,
        store: Mapping[str, Any] | None = None,
        secrets_of_store: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """Return the quick start for this session, perhaps with another store and its Secrets."""
        documents = [self.placed(item, spec) for item in yaml.safe_load_all(installation.QUICKSTART.read_text())]
        if store is not None:
            documents = [item for item in documents if item["kind"] != "PersistentVolumeClaim"]
            next(item for item in documents if item["kind"] == "SessionStore")["spec"] = dict(store)
            documents[1:1] = [dict(secret) for secret in secrets_of_store]
        return yaml.safe_dump_all(documents)

    def placed(self, document: dict[str, Any], spec: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return a document of the quick start moved to this session's namespace and name."""
        metadata = document["metadata"]
        if document["kind"] == "Namespace":
            metadata["name"] = self.namespace
        else:
            metadata["namespace"] = self.namespace
        if document["kind"] == "WhatsAppSession":
            metadata["name"] = self.name
            document["spec"] |= spec or {}
        return document

    def resource(self) -> Mapping[str, Any]:
        """Return the resource as it is now."""
        return self.kubectl.get("was", self.name, self.namespace) or {}

    def status(self) -> Mapping[str, Any]:
        """Return the worker's part of the status, {} when there is none."""
        found: Mapping[str, Any] = (self.resource().get("status") or {}).get("session") or {}
        return found

    def condition(self, kind: str) -> str | None:
        """Return a condition's status."""
        found = self.whole_condition(kind)
        return str(found["status"]) if found else None

    def whole_condition(self, kind: str) -> Mapping[str, Any]:
        """Return a condition, {} when it is absent."""
        conditions = (self.resource().get("status") or {}).get("conditions") or ()
        return next((item for item in conditions if item["type"] == kind), {})

    def wait_stalled(self, reason: str, timeout: float = 180) -> str:
        """Wait until the session is Stalled with a reason, without a code meanwhile; return the message."""

        def stalled() -> str | None:
            assert "qr" not in self.status(), f"a code is shown where {reason} was expected"
            found = self.whole_condition("Stalled")
            return str(found["message"]) if found.get("reason") == reason else None

        return wait_for(f"{self.namespace}/{self.name} to be Stalled with {reason}", stalled, timeout=timeout)

    def request(self, request: str) -> str:
        """Annotate the session with a request; return its time."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        annotation = f"{names.request_annotation(request)}={time}"
        self.kubectl.run("annotate", "was", self.name, "-n", self.namespace, "--overwrite", annotation)
        return time

    def save(self, timeout: float = 120) -> None:
        """Request for a save and wait until it has been accepted."""
        asked = self.request("save")

        def done() -> bool | None:
            return (self.status().get("handledRequests") or {}).get("save") == asked or None

        wait_for("the save that was asked for", done, timeout=timeout)
        self.wait("Saved")

    def wait(self, condition: str, timeout: float = 120) -> None:
        """Wait as a script would: kubectl wait. One that a busy server sends away is started again."""
        command = ("wait", f"was/{self.name}", "-n", self.namespace)
        limits = (f"--for=condition={condition}", f"--timeout={timeout:.0f}s")
        wait_for(
            f"{self.name} to be {condition}",
            lambda: self.kubectl.run(*command, *limits, timeout=timeout + 60),
            timeout=timeout,
        )

    def wait_for_condition(self, kind: str, status: str, timeout: float = 60) -> None:
        """Wait for a condition's status: the operator writes it after the worker has said what it follows from."""
        wait_for(f"{kind} to be {status}", lambda: self.condition(kind) == status or None, timeout=timeout)

    def link(self, timeout: float = 120) -> client.Device:
        """Scan the first code with this session's phone; return the device once Saved."""
        code = wait_for(
            f"a QR code of {self.phone}", lambda: (self.status().get("qr") or {}).get("code"), timeout=timeout
        )
        device = self.admin.scan(self.phone, code)
        assert device is not None
        self.wait("Saved", timeout)
        return self.admin.device(device)

    def pod(self) -> Mapping[str, Any] | None:
        """Return the worker pod."""
        return self.kubectl.get("pod", f"wa-{self.name}", self.namespace)

    def pod_uid(self) -> str | None:
        """Return the UID of the worker pod, None if there is none."""
        pod = self.pod()
        return None if pod is None else str(pod["metadata"]["uid"])

    def beside(self, name: str) -> "Session":
        """Make another session in this one's namespace and store."""
        session = dataclasses.replace(self, name=name, phone=f"{self.namespace}-{secrets.token_hex(4)}")
        documents = yaml.safe_load_all(installation.QUICKSTART.read_text())
        document = next(one for one in documents if one["kind"] == "WhatsAppSession")
        self.kubectl.apply(yaml.safe_dump(session.placed(document, None)))
        return session

    def manifest(self) -> str:
        """Return the session, to be applied again."""
        found = self.resource()
        head = {key: found[key] for key in ("apiVersion", "kind", "spec")}
        return json.dumps(head | {"metadata": {"name": self.name, "namespace": self.namespace}})

    def receive(self, text: str) -> None:
        """Let a message come to the session's only device."""
        device = self.only_device()
        self.admin.write(self.phone, "4917012345678", text)
        wait_for(
            "the message to arrive",
            lambda: self.admin.device(device.id).undelivered == 0 or None,
            timeout=60,
        )

    def kill(self) -> None:
        """Send SIGKILL to the worker's container from outside, as an out-of-memory kill would end it.

        From inside the kernel shields process 1 of the container.
        """
        os.kill(self.worker(), signal.SIGKILL)

    def worker(self) -> int:
        """Return the worker's main process, as this machine sees it."""
        return node_processes.main_process(str(self.pod_uid()), "whatsapp-worker")

    def returned(self, unlike: Mapping[str, Any], timeout: float = 120) -> Mapping[str, Any]:
        """Wait until another worker process than that of the status ``unlike`` is Connected; no code may show up."""

        def connected_again() -> Mapping[str, Any] | None:
            now = self.status()
            assert "qr" not in now, "the session asks for a new QR code: the login was lost"
            # A restarted container keeps pod and profile, so only the time since when it is Connected tells.
            fresh = now.get("stateSince") != unlike["stateSince"]
            return now if fresh and now.get("state") == "Connected" else None

        return wait_for(f"{self.phone} to be Connected again", connected_again, timeout=timeout)

    def assert_same_login(self, device: client.Device) -> None:
        """The device is the only one, on line, never rolled back, never in two browsers."""
        now = self.only_device()
        assert (now.id, now.rollbacks, now.two_browsers) == (device.id, 0, 0)

    def only_device(self, phone: str | None = None) -> client.Device:
        """Return the phone's only linked device once it is on line.

        A page whose heartbeat came late is dropped by the simulator, and connects again by itself.
        """
        known = phone or self.phone

        def on_line() -> client.Device | None:
            (now,) = [found for found in self.admin.devices(known) if found.linked]
            return now if now.online else None

        return wait_for(f"the only device of {known} to be on line", on_line, timeout=60)
