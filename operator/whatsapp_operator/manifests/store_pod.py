"""Build a pod that runs one task on a store and ends, with the Secrets of the store and no API token.

It is a pod with a fixed name instead of a Job: the operator reads the result, the termination message, by name, and
needs no rights for Jobs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from whatsapp_operator.manifests import (
    pod_security,
    pod_shape,
    pod_template,
    store_access,
    worker_environment,
    worker_pod,
)
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.state import Session, Store
from whatsapp_session import names, worker_config

Manifest = dict[str, Any]

_POD_PARTS = (
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "tolerations",
    "volumes",
)
_CONTAINER_PARTS = ("env", "envFrom", "image", "imagePullPolicy", "securityContext", "volumeMounts")
"""Parts of a podTemplate that access to a store may need: image, variables, user, certificates."""


@dataclass(frozen=True, slots=True)
class Task:
    """The task of a store pod, with its name and metadata."""

    name: str
    """The pod's."""
    namespace: str
    args: tuple[str, ...]
    """Arguments of ``whatsapp-worker``."""
    config: worker_config.WorkerConfig
    """Settings besides those of the store."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Mapping[str, Any], ...] = ()
    restart: str = "OnFailure"
    needs_secrets: bool = True
    """Whether the pod waits for its Secrets; otherwise it starts and reports which are missing."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """Parts of a PodSpec to merge in, such as scheduling and image pull Secrets."""


def pod(task: Task, store: Store, defaults: WorkerDefaults) -> Manifest:
    """Return the pod for a task."""
    metadata: Manifest = {
        "name": task.name,
        "namespace": task.namespace,
        "labels": {**defaults.pods.labels, **store.pod_labels, **task.labels, names.LABEL_STORE: store.name},
        "annotations": {**pod_shape.annotations(defaults.pods), **task.annotations},
    }
    if task.owners:
        metadata["ownerReferences"] = [dict(owner) for owner in task.owners]
    sources = store_access.env_from(store)
    volumes = store_access.volumes(store, optional=not task.needs_secrets)
    container: Manifest = {
        "name": names.WORKER_CONTAINER,
        "image": store_access.image(store, defaults.image),
        "imagePullPolicy": defaults.image_pull_policy,
        "command": ["whatsapp-worker"],
        "args": list(task.args),
        "env": worker_environment.variables(store_access.told(task.config, store)),
        **({"envFrom": sources} if sources else {}),
        "resources": dict(defaults.pods.store_resources),
        "securityContext": pod_security.container(),
        "terminationMessagePath": names.TERMINATION_LOG,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a directory of the pod's own
            *store_access.mounts(store),
        ],
    }
    spec: Manifest = {
        **pod_shape.base(defaults.pods),
        "serviceAccountName": names.service_account(store.name),
        "restartPolicy": task.restart,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, *volumes],
    }
    made = pod_security.filled(pod_template.merged(spec, task.also))
    made = pod_shape.readable(made, store_access.FILES)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_shape.one_volume_per_claim(made)}


def hashed(made: Manifest) -> Manifest:
    """Return the pod with the hash of its template as an annotation."""
    template = {"metadata": made["metadata"], "spec": made["spec"]}
    made["metadata"]["annotations"][names.ANNOTATION_TEMPLATE_HASH] = worker_pod.template_hash(template)
    return made


def of_the_template(session: Session, level: pod_security.Level) -> Manifest:
    """Return the parts of a session's podTemplate that access to its store may need.

    Without parts that ``level`` forbids, so that a session with a forbidden podTemplate can still be purged.
    """
    spec = session.spec.pod_template.get("spec") or {}
    also = {part: spec[part] for part in _POD_PARTS if part in spec}
    for container in spec.get("containers") or ():
        if container.get("name") == names.WORKER_CONTAINER:
            parts = {part: container[part] for part in _CONTAINER_PARTS if part in container}
            also["containers"] = [{"name": names.WORKER_CONTAINER, **parts}]
    return pod_security.permitted(also, level)
