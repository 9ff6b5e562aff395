"""Define the names that operator, worker and CLI share.

The functions accept all input that the CRDs accept.
"""

import re

GROUP = "whatsapp-operator.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
SESSION_KIND = "WhatsAppSession"
SESSION_PLURAL = "whatsappsessions"
STORE_KIND = "SessionStore"
STORE_PLURAL = "sessionstores"

OPERATOR_MANAGER = "whatsapp-operator"
"""Field manager of all objects that the operator applies."""
WORKER_MANAGER = "whatsapp-worker"
"""Field manager of ``status.session``; the operator also uses it to clear the report of a dead worker."""

LABEL_SESSION = f"{GROUP}/session"
LABEL_STORE = f"{GROUP}/store"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
MANAGED_BY = "whatsapp-session-operator"
COMPONENT_WORKER = "worker"
COMPONENT_STORE_CHECK = "store-check"
COMPONENT_PURGE = "purge"
COMPONENT_MOVE = "move"

ANNOTATION_TEMPLATE_HASH = f"{GROUP}/template-hash"
"""On the worker pod: hash of the template from which the operator created it."""
ANNOTATION_GENERATION = f"{GROUP}/session-generation"
"""On the worker pod: generation of the session when the operator created it."""
ANNOTATION_STORE_GENERATION = f"{GROUP}/store-generation"
"""On a store check pod: generation of the store that it checks."""
ANNOTATION_STARTED_FOR = f"{GROUP}/started-for"
"""On the worker pod: time of the newest request that had been made when the operator created it."""
ANNOTATION_WORKER_POD_UID = f"{GROUP}/worker-pod-uid"
"""On the Lease: UID of the only pod that may update it; the admission policy compares it with the token's pod."""
ANNOTATION_TERMINATED_POD_UID = f"{GROUP}/terminated-pod-uid"
"""On the Lease: UID of the previous holder's pod, set once the node has confirmed that it terminated."""
ANNOTATION_KNOWN_ACCOUNT = f"{GROUP}/known-account"
"""On the Lease: hash of the account whose login is saved; a store without archives of it is the wrong store."""
ANNOTATION_SESSION_UID = f"{GROUP}/session-uid"
"""On the pod that purges a session's archives: name of the session."""
FINALIZER_PURGE = f"{GROUP}/purge"
"""On a session with ``onDelete: Delete``."""
FINALIZER_STORE = f"{GROUP}/in-use"
"""On a store that a session with ``onDelete: Delete`` uses."""

WORKER_CLUSTER_ROLE = "whatsapp-session-worker"
"""ClusterRole that earlier versions bound to the accounts of stores; no longer bound."""
POLICY_NAME = "whatsapp-session-worker"
"""ValidatingAdmissionPolicy and its binding, which limit the fields that a worker may write."""
SESSION_ACCOUNT_PREFIX = "wasession-"
UNCOVERED_NAMESPACES = ("kube-node-lease", "kube-system")
"""Namespaces to which the policy does not apply, so that a fault in it stops no node; workers do not run there."""

WORKER_CONTAINER = "worker"
DATA_DIR = "/var/lib/whatsapp/data"
"""Mount path of the worker's data volume, the parent directory of the profile."""
STORE_DIR = "/var/lib/whatsapp/store"
"""Mount path of the PVC of a filesystem store."""
SOURCE_DIR = "/var/lib/whatsapp/source-store"
"""Mount path of the PVC of the source store in a move pod."""
CUSTOM_STORES_DIR = "/var/lib/whatsapp/stores"
HEALTH_PORT = 8080
TERMINATION_LOG = "/dev/termination-log"

CLIENT_ID_PATTERN = r"^[-_A-Za-z0-9]*$"
_CLIENT_ID = re.compile(r"[-_A-Za-z0-9]*")


def pod(session: str) -> str:
    """Return the name of the session's worker pod."""
    return f"wa-{session}"


def check_pod(store: str) -> str:
    """Return the name of the store check pod; its prefix differs from that of worker pods."""
    return f"wastore-{store}"


def purge_pod(session: str) -> str:
    """Return the name of the pod that purges a session's archives; its prefix differs from that of worker pods."""
    return f"wapurge-{session}"


def move_pod(session: str) -> str:
    """Return the name of the pod that moves a session's archives; its prefix differs from that of worker pods."""
    return f"wamove-{session}"


def is_store_pod(name: str) -> bool:
    """Return whether a pod of this name checks, moves or purges: the chart shapes it, not a session's podTemplate."""
    return name.startswith((check_pod(""), move_pod(""), purge_pod("")))


def custom_dir(store: str) -> str:
    """Return the mount path of a custom store's PVC, the same in each pod, so that options can name files."""
    return f"{CUSTOM_STORES_DIR}/{store}"


def lease(session: str) -> str:
    """Return the name of the session's Lease."""
    return f"wa-{session}"


def service_account(store: str | None) -> str:
    """Return the name of a store's service account, used by checks, moves, purges and workers that share it."""
    return "wa-worker" if store is None else f"wa-worker-{store}"


def session_account(session: str) -> str:
    """Return the name of a session's service account, of its Role and of its RoleBinding."""
    return f"{SESSION_ACCOUNT_PREFIX}{session}"


def client_id(resource_name: str, spec_client_id: str | None) -> str:
    """Return the effective client id: None selects the resource's name, "" the names without a suffix."""
    return resource_name if spec_client_id is None else spec_client_id


def store_session(effective_client_id: str) -> str:
    """Return the session's name in a store (``RemoteAuth`` or ``RemoteAuth-<clientId>``).

    Raises ValueError if the id contains a character that could lead out of the store's folder.
    """
    if not _CLIENT_ID.fullmatch(effective_client_id):
        raise ValueError("clientId must consist of letters, digits, '-' and '_'")
    return f"RemoteAuth-{effective_client_id}" if effective_client_id else "RemoteAuth"


def local_session(effective_client_id: str) -> str:
    """Return the name of LocalAuth's profile directory, ``session`` or ``session-<clientId>``."""
    if not _CLIENT_ID.fullmatch(effective_client_id):
        raise ValueError("clientId must consist of letters, digits, '-' and '_'")
    return f"session-{effective_client_id}" if effective_client_id else "session"


def request_annotation(request: str) -> str:
    """Return the annotation of a request: relink, save, restart, takeover or skip-purge."""
    return f"{GROUP}/{request}-requested-at"
