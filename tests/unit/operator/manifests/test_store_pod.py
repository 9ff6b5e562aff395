"""Pods that do one thing to a store."""

from typing import Any

from scenes.operator import samples
from whatsapp_operator.manifests import store_pod, worker_pod
from whatsapp_session import names, worker_config

Manifest = dict[str, Any]
TASK = store_pod.Task(
    name="one-thing",
    namespace="bots",
    args=("store", "check"),
    config=worker_config.WorkerConfig(client_id="support"),
    labels={"app.kubernetes.io/component": "check"},
)


def test_the_whole_pod_has_the_store_and_no_token() -> None:
    made = store_pod.pod(TASK, samples.store(podLabels={"cloud": "yes"}), samples.DEFAULTS)
    (container,) = made["spec"].pop("containers")
    env = {item["name"]: item["value"] for item in container.pop("env")}
    assert made == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "one-thing",
            "namespace": "bots",
            "labels": {
                "cloud": "yes",
                "app.kubernetes.io/component": "check",
                "whatsapp-operator.dev/store": "default",
            },
            "annotations": {"argocd.argoproj.io/ignore-healthcheck": "true"},
        },
        "spec": {
            "serviceAccountName": "wa-worker-default",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "OnFailure",
            "tolerations": worker_pod.tolerations(),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "store", "persistentVolumeClaim": {"claimName": "archives"}},
            ],
        },
    }
    assert container == {
        "name": "worker",
        "image": "worker:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["whatsapp-worker"],
        "args": ["store", "check"],
        "resources": dict(store_pod.RESOURCES),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": "/dev/termination-log",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "store", "mountPath": "/var/lib/whatsapp/store"},
        ],
    }
    assert env["WHATSAPP_STORE"] == f"file:{names.STORE_DIR}"
    assert env["WHATSAPP_CLIENT_ID"] == "support"


def test_a_quota_may_demand_any_limit_and_any_request() -> None:
    # A namespace whose quota counts one of them refuses a container that names it not.
    for part in ("requests", "limits"):
        assert store_pod.RESOURCES[part].keys() == {"cpu", "memory", "ephemeral-storage"}, part
