"""The workers' service account, one for each namespace and store, and its rights."""

from typing import Any

from whatsapp_operator.observed import Session, Store
from whatsapp_session import names

Manifest = dict[str, Any]


def account(namespace: str, store: Store | None) -> Manifest:
    """Return the service account of a store's workers (and of its check), without any rights."""
    annotations = {} if store is None else dict(store.annotations)
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(namespace, _name(store)) | ({"annotations": annotations} if annotations else {}),
        "automountServiceAccountToken": False,
    }


def _metadata(namespace: str, store: str | None) -> Manifest:
    metadata: Manifest = {
        "name": names.service_account(store),
        "namespace": namespace,
        "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER},
    }
    if store is not None:
        metadata["labels"][names.LABEL_STORE] = store
    return metadata


def access(session: Session, store: Store | None) -> tuple[Manifest, Manifest]:
    """Return the workers' service account for a namespace and store, and its binding to the workers' role."""
    return account(session.namespace, store), binding(session.namespace, _name(store), granted=True)


def _name(store: Store | None) -> str | None:
    return None if store is None else store.name


def binding(namespace: str, store: str | None, *, granted: bool) -> Manifest:
    """Return the binding to the workers' role; one without subjects grants nothing.

    It is emptied and not deleted, so that the operator needs no right to delete bindings of others.
    """
    metadata = _metadata(namespace, store)
    account_name = {"kind": "ServiceAccount", "name": metadata["name"], "namespace": namespace}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": names.WORKER_CLUSTER_ROLE,
        },
        "subjects": [account_name] if granted else [],
    }
