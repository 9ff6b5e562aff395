"""Build the Lease that names the pod that runs a session."""

from collections.abc import Mapping
from typing import Any

from whatsapp_operator.manifests import metadata
from whatsapp_operator.observed import requests
from whatsapp_operator.observed.state import Session
from whatsapp_session import names

Manifest = dict[str, Any]


def lease(session: Session, pod_uid: str | None) -> Manifest:
    """Return the operator's fields of the Lease; the worker writes holder and times.

    ``pod_uid`` is the UID of the only pod that may update the Lease, None if there is none yet.
    """
    annotations = {
        names.request_annotation(request): time for request, time in requests.for_the_worker(session).items()
    }
    if pod_uid is not None:
        annotations[names.ANNOTATION_WORKER_POD_UID] = pod_uid
    if session.last.account_hash is not None:
        annotations[names.ANNOTATION_KNOWN_ACCOUNT] = session.last.account_hash
    if session.last.stopped and session.last.pod_uid is not None:
        # The node confirmed that the container has terminated: the next worker need not wait for the Lease to expire.
        annotations[names.ANNOTATION_TERMINATED_POD_UID] = session.last.pod_uid
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": names.lease(session.name),
            "namespace": session.namespace,
            "labels": metadata.labels(session),
            "annotations": annotations,
            "ownerReferences": [metadata.owner(session, controller=False)],
        },
        "spec": {"leaseDurationSeconds": session.spec.lease_duration},
    }


def left_over(found: Mapping[str, Any], manifest: Manifest) -> list[str]:
    """Return the operator's annotations on the Lease that are no longer desired."""
    there: Mapping[str, str] = found["metadata"].get("annotations") or {}
    wanted = manifest["metadata"]["annotations"]
    return [name for name in there if name.startswith(f"{names.GROUP}/") and name not in wanted]
