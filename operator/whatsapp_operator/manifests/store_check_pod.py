"""Build the store check pod: it has the same access to the store as a worker, and no API token."""

from typing import Any

from whatsapp_operator.manifests import store_pod
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.state import Store
from whatsapp_session import names, store_spec, worker_config

Manifest = dict[str, Any]
DEADLINE_SECONDS = 300
"""Seconds, for a check while no operator runs: an operator ends it before, and knows why it has not started."""


def pod(store: Store, defaults: WorkerDefaults) -> Manifest:
    """Return the pod, with the hash of its template as an annotation."""
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": names.STORE_KIND,
        "name": store.name,
        "uid": store.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    labels = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_STORE_CHECK}
    task = store_pod.Task(
        name=names.check_pod(store.name),
        namespace=store.namespace,
        args=("store", "check"),
        config=worker_config.WorkerConfig(),
        labels=labels,
        # Part of the template, so that its hash changes with the spec, also with fields that no pod contains.
        annotations={names.ANNOTATION_STORE_GENERATION: str(store.generation)},
        owners=(owner,),
        restart="Never",
        # A pod that requires its Secrets would wait without a message; this one starts and reports which is missing.
        needs_secrets=False,
        also={"activeDeadlineSeconds": DEADLINE_SECONDS, "terminationGracePeriodSeconds": 5, **_place(store)},
    )
    return store_pod.hashed(store_pod.pod(task, store, defaults))


def _place(store: Store) -> Manifest:
    """Prefer the node that has the PVC mounted: a ReadWriteOnce volume is attached to one node only."""
    if store_spec.pvc_name(store.spec.backend) is None:
        return {}
    term = {"labelSelector": {"matchLabels": {names.LABEL_STORE: store.name}}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}
