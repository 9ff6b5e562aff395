"""Build the identity and rights of workers: a ServiceAccount, a Role and a RoleBinding for each session.

RBAC limits the objects that a worker may write; the admission policy limits their fields. The account of a store is for
checks, moves and purges, which have no token, and for the workers of a store with ``shared: true``.
"""

from typing import Any

from whatsapp_operator.manifests import metadata
from whatsapp_operator.observed.state import Ownership, Pod, Session, Store
from whatsapp_session import names
from whatsapp_session.store_spec import S3Backend

Manifest = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def account(namespace: str, store: Store | None) -> Manifest:
    """Return the service account of a store, which has no rights."""
    return _account(_of_a_store(namespace, None if store is None else store.name), store)


def session_account(session: Session, store: Store | None, pod: Pod | None) -> Manifest:
    """Return the service account of a session."""
    made = _account(_metadata(session), store)
    if pod is not None and "annotations" in made["metadata"]:
        # The final save of a deleted session still needs the account for its cloud identity.
        made["metadata"]["ownerReferences"].append(metadata.pod_owner(pod))
    return made


def _account(metadata: Manifest, store: Store | None) -> Manifest:
    annotations = {} if store is None else dict(store.annotations)
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata | ({"annotations": annotations} if annotations else {}),
        "automountServiceAccountToken": False,
    }


def _of_a_store(namespace: str, store: str | None) -> Manifest:
    labels = {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_COMPONENT: names.COMPONENT_WORKER}
    of_the_store = {} if store is None else {names.LABEL_STORE: store}
    return {"name": names.service_account(store), "namespace": namespace, "labels": labels | of_the_store}


def _metadata(session: Session) -> Manifest:
    return {
        "name": names.session_account(session.name),
        "namespace": session.namespace,
        "labels": metadata.labels(session),
        "ownerReferences": [metadata.owner(session, controller=False)],
    }


def uses_cloud_identity(store: Store) -> bool:
    """Return whether the workers of a store use cloud identity, which depends on the name of the account."""
    backend = store.spec.backend
    return bool(store.annotations) or (isinstance(backend, S3Backend) and backend.credentials is None)


def shared(store: Store | None) -> bool:
    """Return whether the workers of a store share its account.

    If ``shared`` is unset, stores with cloud identity keep the shared account, so that they continue to work.
    """
    if store is None:
        return False
    return uses_cloud_identity(store) if store.shared_account is None else store.shared_account


def worker_account(session: Session, store: Store | None) -> str:
    """Return the name of the service account of a session's worker pod."""
    if store is not None and shared(store):
        return names.service_account(store.name)
    return names.session_account(session.name)


def role(session: Session) -> Manifest:
    """Return the Role of a session's worker, limited to its own objects."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": _metadata(session),
        "rules": [
            _rule(names.GROUP, f"{names.SESSION_PLURAL}/status", "patch", name=session.name),
            _rule("coordination.k8s.io", "leases", "get", "update", name=names.lease(session.name)),
            _rule("", "events", "create"),
            # No API serves this subresource; the admission policy uses it to check the UID in the worker's Events.
            _rule(names.GROUP, f"{names.SESSION_PLURAL}/events", "create", name=session.uid),
        ],
    }


def _rule(group: str, resource: str, *verbs: str, name: str | None = None) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return rule if name is None else rule | {"resourceNames": [name]}


def binding(session: Session, accounts: set[str]) -> Manifest:
    """Return the RoleBinding of these accounts to the session's Role."""
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": session.namespace} for name in sorted(accounts)]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(session),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": names.session_account(session.name)},
        "subjects": subjects,
    }


def access(session: Session, store: Store | None, pod: Pod | None) -> tuple[Manifest, ...]:
    """Return account, Role and RoleBinding, in the order of their creation.

    A running worker keeps its rights, even if the next one gets another account.
    """
    ours = pod if pod is not None and pod.ownership is Ownership.OURS else None
    accounts = {worker_account(session, store)}
    if ours is not None and ours.account is not None:
        accounts.add(ours.account)
    theirs = account(session.namespace, store) if shared(store) else session_account(session, store, ours)
    return theirs, role(session), binding(session, accounts)


def emptied(namespace: str, store: str | None) -> Manifest:
    """Return the RoleBinding of an earlier version without subjects.

    The operator empties it instead of deleting it, so that it needs no right to delete RoleBindings.
    """
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _of_a_store(namespace, store),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": names.WORKER_CLUSTER_ROLE},
        "subjects": [],
    }
