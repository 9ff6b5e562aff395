"""The pod that deletes a session's archives from its store."""

from collections.abc import Mapping
from typing import Any

from whatsapp_operator.desired import environment, store_pod
from whatsapp_operator.desired.environment import WorkerDefaults
from whatsapp_operator.observed import Session, Store
from whatsapp_session import names, worker_env

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
    "tolerations",
    "volumes",
)
_CONTAINER_PARTS = ("env", "envFrom", "image", "imagePullPolicy", "volumeMounts")
"""What a session's podTemplate may need for the way to its store: an image with it, variables, certificates."""


def purge_pod(session: Session, store: Store, defaults: WorkerDefaults) -> Manifest:
    """Return the pod; it belongs to nobody, because the garbage collector would end it at a foreground deletion."""
    config = worker_env.WorkerConfig(
        strategy=session.spec.auth.strategy,
        client_id=names.client_id(session.name, session.spec.client_id),
        resource=environment.identity(session, defaults),
    )
    task = store_pod.Task(
        name=names.purge_pod(session.name),
        namespace=session.namespace,
        args=("store", "purge"),
        config=config,
        # The label of the session, so that the operator's watch of pods sees it.
        labels={
            names.LABEL_MANAGED_BY: names.MANAGED_BY,
            names.LABEL_COMPONENT: names.COMPONENT_PURGE,
            names.LABEL_SESSION: session.name,
        },
        annotations={names.ANNOTATION_SESSION_UID: session.uid},
        also=_of_the_template(session.spec.pod_template.get("spec") or {}),
    )
    return store_pod.pod(task, store, defaults)


def _of_the_template(spec: Mapping[str, Any]) -> Manifest:
    also = {part: spec[part] for part in _POD_PARTS if part in spec}
    for container in spec.get("containers") or ():
        if container.get("name") == names.WORKER_CONTAINER:
            parts = {part: container[part] for part in _CONTAINER_PARTS if part in container}
            also["containers"] = [{"name": names.WORKER_CONTAINER, **parts}]
    return also
