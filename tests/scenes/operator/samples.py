"""Values that the operator's unit tests start from."""

import dataclasses
from typing import Any

from whatsapp_operator.manifests import worker_pod
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.parsing import parse_session_resource, parse_store_resource
from whatsapp_operator.observed.pod_parsing import parse_pod
from whatsapp_operator.observed.state import Observed, Pod, Session, Store, Wanted
from whatsapp_operator.session import plan
from whatsapp_session import names

Manifest = dict[str, Any]

NAMESPACE, NAME, UID, POD_UID = "bots", "support", "session-uid", "pod-uid"
STORE_UID = "store-uid"
NOON = "2026-01-01T12:00:00Z"
NOON_SECONDS = 1767268800.0
DEFAULTS = WorkerDefaults(image="worker:1", cluster="cluster-uid")


def session_resource(spec: Manifest | None = None, status: Manifest | None = None, **metadata: Any) -> Manifest:
    """Return a WhatsAppSession as the API returns it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "uid": UID,
            "generation": 3,
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        },
        "spec": spec or {},
        "status": status or {},
    }


def session(spec: Manifest | None = None, status: Manifest | None = None, **metadata: Any) -> Session:
    """Return a parsed session."""
    return parse_session_resource(session_resource(spec, status, **metadata), NOON_SECONDS)


def store_resource(status: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a SessionStore as the API returns it: on a claim, unless the spec names another backend."""
    known = ("s3", "mongodb", "custom")
    backend = {} if any(name in spec for name in known) else {"filesystem": {"claimName": "archives"}}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.STORE_KIND,
        "metadata": {
            "name": "default",
            "namespace": NAMESPACE,
            "uid": STORE_UID,
            "generation": 1,
            "resourceVersion": "1",
        },
        "spec": {**backend, **spec},
        "status": status or {},
    }


def store(status: Manifest | None = None, **spec: Any) -> Store:
    """Return a parsed store."""
    return parse_store_resource(store_resource(status, **spec))


def pod_resource(made: Manifest | None = None, **status: Any) -> Manifest:
    """Return the worker pod as the API returns it, by default running since noon."""
    manifest = made or worker_pod.pod(session(), store(), DEFAULTS)
    manifest["metadata"]["uid"] = POD_UID
    manifest["spec"]["nodeName"] = "node-1"
    return {**manifest, "status": status or running()}


def wanted(spec: Manifest | None = None) -> Wanted:
    """Return what is wanted of the pod of a spec."""
    one = session(spec)
    return worker_pod.wanted(one, worker_pod.pod(one, store(), DEFAULTS))


def running(since: str = NOON, restarts: int = 0) -> Manifest:
    """Return the status of a pod that runs."""
    state = {"name": "worker", "restartCount": restarts, "state": {"running": {"startedAt": since}}}
    conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
    return {"phase": "Running", "conditions": conditions, "containerStatuses": [state]}


def waiting(reason: str, message: str = "", ended: Manifest | None = None) -> Manifest:
    """Return the status of a pod whose container waits."""
    now = {"waiting": {"reason": reason, "message": message}}
    state: Manifest = {"name": "worker", "restartCount": 1, "state": now}
    if ended is not None:
        state["lastState"] = {"terminated": ended}
    return {"phase": "Running", "containerStatuses": [state]}


def terminated(code: int, message: str = "", phase: str = "Succeeded", **more: Any) -> Manifest:
    """Return the status of a pod that has ended."""
    ended = {"exitCode": code, "message": message, "startedAt": "2026-01-01T11:59:30Z", "finishedAt": NOON, **more}
    return {"phase": phase, "containerStatuses": [{"name": "worker", "state": {"terminated": ended}}]}


def pod(made: Manifest | None = None, **status: Any) -> Pod:
    """Return the parsed worker pod."""
    return parse_pod(pod_resource(made, **status), NAME, UID)


def report(state: str, **more: Any) -> Manifest:
    """Return a status with what the worker of the sample pod says."""
    return {
        "worker": {"podUID": POD_UID},
        "session": {"podUID": POD_UID, "state": state, "stateSince": "2026-01-01T12:00:05Z", **more},
    }


def aged(found: Observed, seconds: float) -> Observed:
    """Return an observation of which the operator has known all for so long."""
    return dataclasses.replace(found, ages=dict.fromkeys(plan.facts(found), seconds))


def observed(state: str | None = None, spec: Manifest | None = None, **more: Any) -> Observed:
    """Return an observation: with a state, of a running worker that reports it."""
    status = {} if state is None else report(state, **more)
    return Observed(session(spec, status), None if state is None else pod(), store())


DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
