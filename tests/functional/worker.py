"""A worker and its kubelet, both played: the rights of its pod's token are real."""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functional.callers import ApiError, Caller, Manifest, wait
from whatsapp_kube.requests import Ref, path
from whatsapp_session import names, timestamps

if TYPE_CHECKING:
    from functional.world import Place

NODE = "node-of-the-tests"


def stamp(offset: float = 0.0) -> str:
    """Return the present time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset))


def ready(is_ready: bool, node_heard: bool = True) -> list[Manifest]:
    """Return a pod's conditions; where its node is not heard, the node controller has changed one of them."""
    told = {"Ready": is_ready and node_heard, "ContainersReady": is_ready}
    return [{"type": kind, "status": str(value)} for kind, value in told.items()]


@dataclass
class Worker:
    """A session's worker and its kubelet, both played; the API rights are real."""

    place: "Place"
    session: str
    pod: Manifest

    @property
    def uid(self) -> str:
        """Return the pod's UID."""
        return str(self.pod["metadata"]["uid"])

    def caller(self) -> Caller:
        """Return the API as this pod's token sees it."""
        account = self.pod["spec"]["serviceAccountName"]
        return self.place.world.caller(self.place.world.token(self.place.name, account, self.pod))

    def bind(self, node: str = NODE) -> None:
        """Schedule the pod, so that its deletion is graceful."""
        target = path(Ref("Pod", self.place.name, names.pod(self.session)), "binding")
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": names.pod(self.session)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self.place.admin.send("POST", target, body)

    def set_pod(self, phase: str, state: Manifest, **more: Any) -> None:
        """Write the pod's status as a kubelet does."""
        container = {
            "name": names.WORKER_CONTAINER,
            "image": "worker",
            "imageID": "",
            "ready": "running" in state,
            "restartCount": more.pop("restarts", 0),
            "state": state,
            "lastState": more.pop("last_state", {}),
        }
        status = {"phase": phase, "conditions": ready("running" in state), "containerStatuses": [container], **more}
        self.place.admin.merge("Pod", self.place.name, names.pod(self.session), {"status": status}, "status")

    def runs(self) -> "Worker":
        """Start the container."""
        self.set_pod("Running", {"running": {"startedAt": stamp(-2)}})
        return self

    def ends(
        self, exit_code: int, reason: str | None = None, message: str = "", *, phase: str, offset: float = 0.0
    ) -> None:
        """End the container with the worker's own last words, ``offset`` seconds from now by the node's clock."""
        said = "" if reason is None else json.dumps({"reason": reason, "message": message, "exitCode": exit_code})
        ended = {"exitCode": exit_code, "message": said, "startedAt": stamp(offset - 2), "finishedAt": stamp(offset)}
        if phase == "Running":
            waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
            self.set_pod(phase, waiting, last_state={"terminated": ended}, restarts=1)
        else:
            self.set_pod(phase, {"terminated": ended})

    def node_is_lost(self) -> None:
        """Do what the node and taint controllers do when a node no longer reports: mark the pod, and evict it."""
        name = names.pod(self.session)
        marked = {"status": {"conditions": ready(is_ready=True, node_heard=False)}}
        self.place.admin.merge("Pod", self.place.name, name, marked, "status")
        self.place.admin.delete("Pod", self.place.name, name)

    def holds_lease(self) -> None:
        """Take or renew the Lease with the pod's own token."""
        lease = self.place.lease(self.session)
        assert lease is not None, "the operator makes the Lease before the pod"
        moment = timestamps.rfc3339(time.time(), "microseconds")
        held = {**lease["spec"], "holderIdentity": self.uid, "renewTime": moment}
        target = path(Ref("Lease", self.place.name, names.lease(self.session)))
        self.caller().send("PUT", target, {**lease, "spec": held})

    def vanishes(self) -> None:
        """Let the kubelet confirm that the pod has gone."""
        self.place.admin.delete("Pod", self.place.name, names.pod(self.session), grace=0)

    def report(self, state: str, **more: Any) -> Manifest:
        """Return a ``status.session``."""
        return {"podUID": self.uid, "state": state, "stateSince": stamp(), **more}

    def says(self, state: str, **more: Any) -> None:
        """Report with the pod's own token, under the admission policy."""
        self.write_at_last(self.caller(), self.report(state, **more))

    def write_at_last(self, caller: Caller, session: Manifest) -> None:
        """Write as somebody who was given the right a moment ago, of which the server may not know yet."""

        def written() -> bool:
            try:
                self.write(caller, session)
            except ApiError as error:
                if error.status == 403 and "cannot patch" in error.message:
                    return False
                raise
            return True

        wait(written, f"the worker of {self.session} to be let write", 10)

    def write(self, caller: Caller, session: Manifest, *, name: str | None = None, **query: str) -> Manifest:
        """Apply ``status.session`` as somebody."""
        metadata = {"name": name or self.session, "namespace": self.place.name}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.SESSION_KIND,
            "metadata": metadata,
            "status": {"session": session},
        }
        return caller.apply(body, manager=names.WORKER_MANAGER, subresource="status", **query)


def connected(generation: int = 1) -> Manifest:
    """Return what a worker that is linked and saved reports."""
    return {
        "account": {"id": "49***89@c.us", "hash": "0123456789abcdef"},
        "saved": {"generation": generation, "time": stamp(), "bytes": 1, "sha256": "00", "trigger": "FirstLink"},
    }
