"""Build the pod that purges a session's archives from its store."""

from whatsapp_operator.manifests import store_pod, worker_environment
from whatsapp_operator.manifests.store_pod import Manifest
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.state import Session, Store
from whatsapp_session import names


def purge_pod(session: Session, store: Store, defaults: WorkerDefaults) -> Manifest:
    """Return the pod; it has no owner, because a foreground deletion of the session would delete it too early."""
    task = store_pod.Task(
        name=names.purge_pod(session.name),
        namespace=session.namespace,
        args=("store", "purge"),
        config=worker_environment.whose(session, defaults),
        # With the label of the session, so that the operator's watch of pods finds it.
        labels={
            names.LABEL_MANAGED_BY: names.MANAGED_BY,
            names.LABEL_COMPONENT: names.COMPONENT_PURGE,
            names.LABEL_SESSION: session.name,
        },
        annotations={names.ANNOTATION_SESSION_UID: session.uid},
        also=store_pod.of_the_template(session, defaults.pod_security),
    )
    return store_pod.pod(task, store, defaults)
