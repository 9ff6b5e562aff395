"""What other parts of a cluster do to pods before they are stored: a mesh adds a sidecar, OpenShift assigns users.

A webhook as they have it, served by this machine; namespaces choose by their labels.
"""

import base64
import contextlib
import copy
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.local.native.node_config import PAUSE_IMAGE
from simulator import tls

Manifest = dict[str, Any]
SIDECAR = "mesh-proxy"
MESH, PLATFORM = "tests.mesh", "tests.platform"
"""Labels of namespaces: ``ordinary`` or ``native`` for a sidecar's kind, ``openshift``."""
FIRST_UID = 1000680000
_MESH_UID = 1337
_NAME = "wso-tests-injector"


def injected(pod: Manifest, kind: str) -> Manifest:
    """Return a pod with a sidecar, unless its labels ask for none."""
    if pod["metadata"].get("labels", {}).get("sidecar.istio.io/inject") == "false":
        return pod
    sidecar = {
        "name": SIDECAR,
        "image": PAUSE_IMAGE,
        "imagePullPolicy": "Never",
        "resources": {
            "requests": {"cpu": "25m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
        },
        "securityContext": {
            "runAsUser": _MESH_UID,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if kind == "native":
        sidecars = [{**sidecar, "restartPolicy": "Always"}, *pod["spec"].get("initContainers", ())]
        return {**pod, "spec": {**pod["spec"], "initContainers": sidecars}}
    # Before the pod's own container, as a mesh does that holds the application until its proxy has started.
    return {**pod, "spec": {**pod["spec"], "containers": [sidecar, *pod["spec"]["containers"]]}}


def assigned(pod: Manifest, _: str) -> Manifest:
    """Return a pod with the user and group of its namespace, as OpenShift's restricted-v2 gives them."""
    made = copy.deepcopy(pod)
    made["spec"].setdefault("securityContext", {}).setdefault("fsGroup", FIRST_UID)
    for container in (*made["spec"].get("initContainers", ()), *made["spec"]["containers"]):
        context = container.setdefault("securityContext", {})
        if container["name"] == SIDECAR:
            context["runAsUser"] = FIRST_UID
        context.setdefault("runAsUser", FIRST_UID)
    return made


_CHANGES: dict[str, Callable[[Manifest, str], Manifest]] = {MESH: injected, PLATFORM: assigned}


class _Handler(BaseHTTPRequestHandler):
    """Answers ``/LABEL/VALUE`` with the change of that label."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, label, value = self.path.partition("?")[0].split("/")
        pod = review["request"]["object"]
        patch = [{"op": "replace", "path": "/spec", "value": _CHANGES[label](pod, value)["spec"]}]
        response = {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
        }
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(host: str) -> Iterator[Manifest]:
    """Serve the webhook on an address that the API server reaches; yields its configuration, to be applied."""
    identity = tls.identity([host])
    server = ThreadingHTTPServer((host, 0), _Handler)
    server.daemon_threads = True
    server.socket = tls.server_context(identity).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield _configuration(f"https://{host}:{server.server_address[1]}", identity)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


def _configuration(url: str, identity: tls.Identity) -> Manifest:
    bundle = base64.b64encode(identity.certificate).decode()
    # In this order: a sidecar that was injected gets the namespace's user as well.
    chosen = [(MESH, "ordinary"), (MESH, "native"), (PLATFORM, "openshift")]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": _NAME},
        "webhooks": [
            {
                "name": f"{number}.{value}.{label}",
                "clientConfig": {"url": f"{url}/{label}/{value}", "caBundle": bundle},
                "namespaceSelector": {"matchLabels": {label: value}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 10,
            }
            for number, (label, value) in enumerate(chosen)
        ],
    }
