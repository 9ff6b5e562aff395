"""Build the PVC for the profile of LocalAuth."""

from typing import Any

from whatsapp_operator.manifests.metadata import labels, owner
from whatsapp_operator.observed.state import Session
from whatsapp_session import names
from whatsapp_session.session_spec import OnDelete

Manifest = dict[str, Any]


def pvc(session: Session) -> Manifest | None:
    """Return the PVC for the profile of LocalAuth, None if the operator does not create one."""
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
