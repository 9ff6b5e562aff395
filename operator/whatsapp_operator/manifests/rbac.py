"""Who a worker is to the API server, and what it may do: an account, a Role and a RoleBinding for each session.

RBAC decides whose status and Lease a worker may touch, before a request is carried out; the admission policy decides
which fields. A store's own account is for its checks, moves and purges, which have no token, and for the workers of a
store whose cloud identity rests on that account.
"""

from typing import Any

from whatsapp_operator.manifests import metadata
from whatsapp_operator.observed.state import Ownership, Pod, Session, Store
from whatsapp_session import names
from whatsapp_session.store_spec import S3Backend

Manifest = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def account(namespace: str, store: Store | None) -> Manifest:
    """Return the service account of a store, without any rights."""
    return _account(_of_a_store(namespace, None if store is None else store.name), store)


def session_account(session: Session, store: Store | None, pod: Pod | None) -> Manifest:
    """Return the service account of a session."""
    made = _account(_metadata(session), store)
    if pod is not None and "annotations" in made["metadata"]:
        # The cloud asks for the account while the worker saves for the last time, also when the session has gone.
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
    """Return whether a cloud may know the workers of a store by the name of their service account."""
    backend = store.spec.backend
    return bool(store.annotations) or (isinstance(backend, S3Backend) and backend.credentials is None)


def shared(store: Store | None) -> bool:
    """Return whether the workers of a store have its account.

    Where nobody has chosen, what rests on the account's name goes on to work.
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
    """Return what the worker of a session may do, and to which objects."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": _metadata(session),
        "rules": [
            _rule(names.GROUP, f"{names.SESSION_PLURAL}/status", "patch", name=session.name),
            _rule("coordination.k8s.io", "leases", "get", "update", name=names.lease(session.name)),
            _rule("", "events", "create"),
            # No API serves this: it tells the admission policy, which asks for it, which UID its Events may bear.
            _rule(names.GROUP, f"{names.SESSION_PLURAL}/events", "create", name=session.uid),
        ],
    }


def _rule(group: str, resource: str, *verbs: str, name: str | None = None) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return rule if name is None else rule | {"resourceNames": [name]}


def binding(session: Session, accounts: set[str]) -> Manifest:
    """Return the binding of these accounts to the session's Role."""
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": session.namespace} for name in sorted(accounts)]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(session),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": names.session_account(session.name)},
        "subjects": subjects,
    }


def access(session: Session, store: Store | None, pod: Pod | None) -> tuple[Manifest, ...]:
    """Return account, Role and binding, in the order in which they can be made.

    A worker that runs keeps its rights, though the next one gets another account.
    """
    ours = pod if pod is not None and pod.ownership is Ownership.OURS else None
    accounts = {worker_account(session, store)}
    if ours is not None and ours.account is not None:
        accounts.add(ours.account)
    theirs = account(session.namespace, store) if shared(store) else session_account(session, store, ours)
    return theirs, role(session), binding(session, accounts)


def emptied(namespace: str, store: str | None) -> Manifest:
    """Return the binding of an earlier version without subjects.

    It is emptied and not deleted, so that the operator needs no right to delete bindings of others.
    """
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _of_a_store(namespace, store),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": names.WORKER_CLUSTER_ROLE},
        "subjects": [],
    }
