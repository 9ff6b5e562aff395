"""Build the manifests of a session: specification in, plain dicts out."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatsapp_operator import merge
from whatsapp_operator.observed import Session, Store, Wanted
from whatsapp_session import names, worker_env
from whatsapp_session.spec import LocalAuth, OnDelete, SecretKeyRef

Manifest = dict[str, Any]

UID = 10001
GRACE_SECONDS = 120
TOKEN_SECONDS = 3600
SECRETS_DIR = "/var/run/secrets/whatsapp"


@dataclass(frozen=True, slots=True)
class WorkerDefaults:
    """What is the same for every worker of this operator."""

    image: str
    cluster: str
    """UID of the cluster's kube-system namespace."""
    image_pull_policy: str = "IfNotPresent"
    resources: Mapping[str, Any] = field(default_factory=dict)
    host_aliases: Sequence[Mapping[str, Any]] = ()
    extra_browser_args: Sequence[str] = ()


def owner(session: Session, *, controller: bool) -> Manifest:
    """Return an ownerReference to the session."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "name": session.name,
        "uid": session.uid,
        "controller": controller,
        "blockOwnerDeletion": False,
    }


def labels(session: Session) -> dict[str, str]:
    """Return the labels of everything that is made for one session."""
    return {
        names.LABEL_MANAGED_BY: names.MANAGED_BY,
        names.LABEL_COMPONENT: names.COMPONENT_WORKER,
        names.LABEL_SESSION: session.name,
    }


def lease(session: Session, pod_uid: str | None) -> Manifest:
    """Return the operator's part of the Lease; holder and times are the worker's."""
    annotations = {} if pod_uid is None else {names.ANNOTATION_WORKER_POD_UID: pod_uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": names.lease(session.name),
            "namespace": session.namespace,
            "labels": labels(session),
            "annotations": annotations,
            "ownerReferences": [owner(session, controller=False)],
        },
        "spec": {"leaseDurationSeconds": session.spec.lease_duration},
    }


def access(session: Session, store: Store | None) -> tuple[Manifest, Manifest]:
    """Return the workers' service account for a namespace and store, and its binding to the workers' role."""
    name = names.service_account(None if store is None else store.name)
    metadata: Manifest = {
        "name": name,
        "namespace": session.namespace,
        "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER},
    }
    if store is not None:
        metadata["labels"][names.LABEL_STORE] = store.name
    annotations = {} if store is None else dict(store.annotations)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata | ({"annotations": annotations} if annotations else {}),
        "automountServiceAccountToken": False,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": names.WORKER_CLUSTER_ROLE,
        },
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": session.namespace}],
    }
    return account, binding


def claim(session: Session) -> Manifest | None:
    """Return the claim for LocalAuth's profile, None unless the operator is to make one."""
    local = session.spec.auth.local
    if local is None or local.claim_name is not None:
        return None
    metadata: Manifest = {
        "name": names.pod(session.name),
        "namespace": session.namespace,
        "labels": labels(session),
    }
    if local.on_delete is OnDelete.DELETE:
        metadata["ownerReferences"] = [owner(session, controller=False)]
    spec: Manifest = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": local.size}}}
    if local.storage_class_name is not None:
        spec["storageClassName"] = local.storage_class_name
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def config(session: Session, defaults: WorkerDefaults) -> worker_env.WorkerConfig:
    """Return what the worker is told."""
    spec = session.spec
    remote, local = spec.auth.remote, spec.auth.local
    built = worker_env.WorkerConfig(
        strategy=spec.auth.strategy,
        client_id=names.client_id(session.name, spec.client_id),
        data_path=names.DATA_DIR if local is None else f"{names.DATA_DIR}/{local.data_path}",
        linking_method=spec.linking.method,
        linking_timeout=spec.linking.timeout,
        expected_account=spec.linking.expected_account,
        browser_url=spec.browser.url,
        browser_channel=spec.browser.channel,
        browser_user_agent=spec.browser.user_agent,
        browser_args=(*spec.browser.args, *defaults.extra_browser_args),
        lease_duration=spec.lease_duration,
        health_port=names.HEALTH_PORT,
        # The pod's and the node's part come from the downward API; to_env leaves them out.
        resource=worker_env.ResourceIdentity(
            cluster=defaults.cluster,
            namespace=session.namespace,
            name=session.name,
            uid=session.uid,
            pod_name="",
            pod_uid="",
            node_name="",
        ),
        extra=_extra(session),
    )
    if remote is None:
        return built
    return _with_store(built, session)


def _with_store(built: worker_env.WorkerConfig, session: Session) -> worker_env.WorkerConfig:
    remote = session.spec.auth.remote
    assert remote is not None
    return dataclasses.replace(
        built,
        store=f"file:{names.STORE_DIR}",
        backup_sync_interval=remote.backup_sync_interval,
        generations=remote.generations,
        interop=remote.interop,
    )


def _extra(session: Session) -> dict[str, str]:
    browser, extra = session.spec.browser, {}
    if session.spec.linking.phone_number is not None:
        extra["PHONE_NUMBER_FILE"] = f"{SECRETS_DIR}/phone-number/value"
    if browser.proxy is not None:
        extra["PROXY_FILE"] = f"{SECRETS_DIR}/proxy/value"
    if browser.cdp_port is not None:
        extra["CDP_PORT"] = str(browser.cdp_port)
    if browser.page_owner != "Worker":
        extra["PAGE_OWNER"] = browser.page_owner
    return extra


def environment(session: Session, defaults: WorkerDefaults) -> list[Manifest]:
    """Return the worker container's environment."""
    fields = {
        worker_env.NODE_NAME: "spec.nodeName",
        worker_env.POD_NAME: "metadata.name",
        worker_env.POD_NAMESPACE: "metadata.namespace",
        worker_env.POD_UID: "metadata.uid",
    }
    plain = worker_env.to_env(config(session, defaults))
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]


def _secret_volume(name: str, ref: SecretKeyRef) -> Manifest:
    return {
        "name": name,
        "secret": {"secretName": ref.name, "items": [{"key": ref.key, "path": "value"}], "defaultMode": 0o440},
    }


def _data_volume(session: Session, local: LocalAuth | None) -> Manifest:
    if local is None:
        return {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}}
    return {
        "name": "data",
        "persistentVolumeClaim": {"claimName": local.claim_name or names.pod(session.name)},
    }


def _volumes(session: Session, store: Store | None) -> tuple[list[Manifest], list[Manifest]]:
    volumes: list[Manifest] = [
        _data_volume(session, session.spec.auth.local),
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}},
        {
            "name": "kube-api-access",
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {
                        "downwardAPI": {
                            "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                        }
                    },
                ],
            },
        },
    ]
    mounts: list[Manifest] = [
        {"name": "data", "mountPath": names.DATA_DIR},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a directory of the pod's own
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  likewise
        {
            "name": "kube-api-access",
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": True,
        },
    ]
    if store is not None:
        backend = store.spec.filesystem
        volumes.append({"name": "store", "persistentVolumeClaim": {"claimName": backend.claim_name}})
        mount: Manifest = {"name": "store", "mountPath": names.STORE_DIR}
        mounts.append(mount | ({"subPath": backend.path} if backend.path else {}))
    secrets = {"phone-number": session.spec.linking.phone_number, "proxy": session.spec.browser.proxy}
    for name, ref in secrets.items():
        if ref is not None:
            volumes.append(_secret_volume(name, ref))
            mounts.append({"name": name, "mountPath": f"{SECRETS_DIR}/{name}", "readOnly": True})
    return volumes, mounts


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "health"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }


def _container(session: Session, defaults: WorkerDefaults, mounts: list[Manifest]) -> Manifest:
    return {
        "name": names.WORKER_CONTAINER,
        "image": defaults.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": ["whatsapp-worker"],
        "args": ["run"],
        "env": environment(session, defaults),
        "ports": [{"name": "health", "containerPort": names.HEALTH_PORT}],
        "startupProbe": _probe("/healthz", period=2, failures=60),
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=5, failures=1),
        "resources": dict(defaults.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": names.TERMINATION_LOG,
        "volumeMounts": mounts,
    }


def _pod_spec(session: Session, store: Store | None, defaults: WorkerDefaults) -> Manifest:
    volumes, mounts = _volumes(session, store)
    lost = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}
    spec: Manifest = {
        "serviceAccountName": names.service_account(None if store is None else store.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", **lost},
            {"key": "node.kubernetes.io/unreachable", **lost},
        ],
        "containers": [_container(session, defaults, mounts)],
        "volumes": volumes,
    }
    if defaults.host_aliases:
        spec["hostAliases"] = [dict(alias) for alias in defaults.host_aliases]
    return spec


def pod(session: Session, store: Store | None, defaults: WorkerDefaults) -> Manifest:
    """Return the worker pod, its template's hash among its annotations."""
    template = session.spec.pod_template
    extra = template.get("metadata") or {}
    store_labels = {} if store is None else store.pod_labels
    own = labels(session) | ({} if store is None else {names.LABEL_STORE: store.name})
    metadata: Manifest = {
        "name": names.pod(session.name),
        "namespace": session.namespace,
        "labels": {**store_labels, **(extra.get("labels") or {}), **own},
        "annotations": {
            # A pod that restarts its container but also ends for good is no failed deployment to Argo CD.
            "argocd.argoproj.io/ignore-healthcheck": "true",
            "kubectl.kubernetes.io/default-container": names.WORKER_CONTAINER,
            **(extra.get("annotations") or {}),
        },
        "ownerReferences": [owner(session, controller=True)],
    }
    spec = merge.merged(_pod_spec(session, store, defaults), template.get("spec") or {})
    digest = template_hash({"metadata": metadata, "spec": spec})
    metadata["annotations"][names.ANNOTATION_TEMPLATE_HASH] = digest
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def template_hash(template: Mapping[str, Any]) -> str:
    """Return the hash that decides about replacement: the same for the same content, whatever the order of keys."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wanted(session: Session, manifest: Mapping[str, Any]) -> Wanted:
    """Return what a decision must know of a manifest of ``pod``."""
    container = next(item for item in manifest["spec"]["containers"] if item["name"] == names.WORKER_CONTAINER)
    return Wanted(
        template_hash=manifest["metadata"]["annotations"][names.ANNOTATION_TEMPLATE_HASH],
        image=container["image"],
        env={item["name"]: item["value"] for item in container["env"] if "value" in item},
        needs_claim=claim(session) is not None,
    )
