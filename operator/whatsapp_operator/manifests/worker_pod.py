"""Build the worker pod."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from whatsapp_operator.manifests import (
    pod_security,
    pod_shape,
    pod_template,
    pvc,
    rbac,
    store_access,
    worker_environment,
)
from whatsapp_operator.manifests.metadata import labels, owner
from whatsapp_operator.manifests.pod_security import Level
from whatsapp_operator.manifests.worker_environment import SECRETS_DIR, WorkerDefaults
from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Problem, Session, Store, Wanted
from whatsapp_session import names
from whatsapp_session.conditions import Reason
from whatsapp_session.session_spec import LocalAuth, SecretKeyRef, Strategy

Manifest = dict[str, Any]

GRACE_SECONDS = 120
_FILES = store_access.FILES | {"kube-api-access", "phone-number", "proxy"}
TOKEN_SECONDS = 3600


def _secret_volume(name: str, ref: SecretKeyRef) -> Manifest:
    return {
        "name": name,
        # Optional, so that the worker starts without it and reports that it is missing.
        "secret": {
            "secretName": ref.name,
            "items": [{"key": ref.key, "path": "value"}],
            "defaultMode": store_access.SECRET_MODE,
            "optional": True,
        },
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
                "defaultMode": store_access.SECRET_MODE,
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
        volumes += store_access.volumes(store)
        mounts += store_access.mounts(store)
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


def _container(session: Session, store: Store | None, defaults: WorkerDefaults, mounts: list[Manifest]) -> Manifest:
    sources = [] if store is None else store_access.env_from(store)
    return {
        "name": names.WORKER_CONTAINER,
        "image": defaults.image if store is None else store_access.image(store, defaults.image),
        "imagePullPolicy": defaults.image_pull_policy,
        "command": ["whatsapp-worker"],
        "args": ["run"],
        "env": worker_environment.environment(session, store, defaults),
        **({"envFrom": sources} if sources else {}),
        "ports": [{"name": "health", "containerPort": names.HEALTH_PORT}],
        "startupProbe": _probe("/healthz", period=2, failures=60),
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=5, failures=1),
        "resources": dict(defaults.resources),
        "securityContext": pod_security.container(),
        "terminationMessagePath": names.TERMINATION_LOG,
        "volumeMounts": mounts,
    }


def _pod_spec(session: Session, store: Store | None, defaults: WorkerDefaults) -> Manifest:
    volumes, mounts = _volumes(session, store)
    return {
        **pod_shape.base(defaults.pods),
        "serviceAccountName": rbac.worker_account(session, store),
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [_container(session, store, defaults, mounts)],
        "volumes": volumes,
    }


def pod(session: Session, store: Store | None, defaults: WorkerDefaults) -> Manifest:
    """Return the worker pod, with the hash of its template as an annotation."""
    template = session.spec.pod_template
    extra = template.get("metadata") or {}
    store_labels = {} if store is None else store.pod_labels
    own = labels(session) | ({} if store is None else {names.LABEL_STORE: store.name})
    metadata: Manifest = {
        "name": names.pod(session.name),
        "namespace": session.namespace,
        "labels": {**defaults.pods.labels, **store_labels, **(extra.get("labels") or {}), **own},
        "annotations": {
            "kubectl.kubernetes.io/default-container": names.WORKER_CONTAINER,
            **pod_shape.annotations(defaults.pods, keeps_login=session.spec.auth.strategy is not Strategy.NO_AUTH),
            **(extra.get("annotations") or {}),
        },
        "ownerReferences": [owner(session, controller=True)],
    }
    restart = requests.restart(session)
    if restart is not None:
        # Part of the template, as with `kubectl rollout restart`: a crash loses nothing, and no clocks are compared.
        metadata["annotations"][names.request_annotation(requests.RESTART)] = restart
    spec = pod_template.merged(_pod_spec(session, store, defaults), template.get("spec") or {})
    metadata["annotations"][names.ANNOTATION_TEMPLATE_HASH] = template_hash({"metadata": metadata, "spec": spec})
    # Added after the hash: these annotations do not require a replacement, and an upgrade that fills in more fields
    # must not replace pods.
    metadata["annotations"][names.ANNOTATION_GENERATION] = str(session.generation)
    started_for = requests.newest_start(session)
    if started_for is not None:
        metadata["annotations"][names.ANNOTATION_STARTED_FOR] = started_for
    made = pod_shape.readable(pod_security.filled(spec), _FILES)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": made}


def sent(manifest: Manifest) -> Manifest:
    """Return the pod as it is sent: findings about the template name its volumes as its author did."""
    return {**manifest, "spec": pod_shape.one_volume_per_claim(manifest["spec"])}


def template_hash(template: Mapping[str, Any]) -> str:
    """Return the hash that decides whether to replace a pod; it does not depend on the order of keys."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wanted(session: Session, manifest: Mapping[str, Any], level: Level = Level.RESTRICTED) -> Wanted:
    """Return the desired pod, as far as decisions need it, from a manifest of ``pod``."""
    wrong = "; ".join(item.message for item in pod_security.violations(manifest, level))
    refused = Problem(Reason.INVALID_POD_TEMPLATE, f"the operator creates no worker pod from this podTemplate: {wrong}")
    container = next(item for item in manifest["spec"]["containers"] if item["name"] == names.WORKER_CONTAINER)
    return Wanted(
        template_hash=manifest["metadata"]["annotations"][names.ANNOTATION_TEMPLATE_HASH],
        image=container["image"],
        env={item["name"]: item["value"] for item in container["env"] if "value" in item},
        restarted_for=manifest["metadata"]["annotations"].get(names.request_annotation(requests.RESTART)),
        needs_pvc=pvc.pvc(session) is not None,
        violation=refused if wrong else None,
    )
