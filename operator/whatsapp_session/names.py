"""Name everything that two sides must agree on.

Source: DESIGN section "Names". The functions are total on valid input; the CRD guarantees validity.
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
"""Field manager of everything the operator applies."""
WORKER_MANAGER = "whatsapp-worker"
"""Field manager of ``status.session``; the operator uses it too when it clears what a dead worker left."""

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
"""On the pod: hash of the template it was made from."""
ANNOTATION_GENERATION = f"{GROUP}/session-generation"
"""On the pod: generation of the session that it was made from."""
ANNOTATION_STORE_GENERATION = f"{GROUP}/store-generation"
"""On the pod of a store's check: generation of the store that it checks."""
ANNOTATION_STARTED_FOR = f"{GROUP}/started-for"
"""On the pod: time of the newest request that it was made for."""
ANNOTATION_WORKER_POD_UID = f"{GROUP}/worker-pod-uid"
"""On the Lease: UID of the only pod whose token may update it (the admission policy compares)."""
ANNOTATION_TERMINATED_POD_UID = f"{GROUP}/terminated-pod-uid"
"""On the Lease: UID of the previous owner's pod, once the operator has proof that it is gone."""
ANNOTATION_KNOWN_ACCOUNT = f"{GROUP}/known-account"
"""On the Lease: hash of the account whose login is saved: a store that has never held one is the wrong store."""
ANNOTATION_SESSION_UID = f"{GROUP}/session-uid"
"""On the pod that deletes a session's archives: whose."""
FINALIZER_PURGE = f"{GROUP}/purge"
"""On a session whose archives go with it."""
FINALIZER_STORE = f"{GROUP}/in-use"
"""On a store that such a session refers to."""

WORKER_CLUSTER_ROLE = "whatsapp-session-worker"
"""What earlier versions bound to a store's account, for the whole namespace; nothing is bound to it any more."""
POLICY_NAME = "whatsapp-session-worker"
"""ValidatingAdmissionPolicy and its binding, which say what of its own session a worker may write."""
SESSION_ACCOUNT_PREFIX = "wasession-"
UNCOVERED_NAMESPACES = ("kube-node-lease", "kube-system")
"""Where the policy does not apply, so that a fault in it stops no node and no controller; no worker runs there."""

WORKER_CONTAINER = "worker"
DATA_DIR = "/var/lib/whatsapp/data"
"""Mount of the worker's own emptyDir: the profile's parent."""
STORE_DIR = "/var/lib/whatsapp/store"
"""Mount of the claim of a filesystem store."""
SOURCE_DIR = "/var/lib/whatsapp/source-store"
"""The same, of the store that a pod copies from."""
CUSTOM_STORES_DIR = "/var/lib/whatsapp/stores"
HEALTH_PORT = 8080
TERMINATION_LOG = "/dev/termination-log"

CLIENT_ID_PATTERN = r"^[-_A-Za-z0-9]*$"
_CLIENT_ID = re.compile(r"[-_A-Za-z0-9]*")


def pod(session: str) -> str:
    """Return the name of the session's worker pod (and container host)."""
    return f"wa-{session}"


def check_pod(store: str) -> str:
    """Return the name of the pod that checks a store; no worker pod's name begins like this."""
    return f"wastore-{store}"


def purge_pod(session: str) -> str:
    """Return the name of the pod that deletes a session's archives; no worker pod's name begins like this."""
    return f"wapurge-{session}"


def move_pod(session: str) -> str:
    """Return the name of the pod that copies a session's archives; no worker pod's name begins like this."""
    return f"wamove-{session}"


def custom_dir(store: str) -> str:
    """Return where a custom store's claim is mounted: the same in each pod, so that options can name files."""
    return f"{CUSTOM_STORES_DIR}/{store}"


def lease(session: str) -> str:
    """Return the name of the session's Lease."""
    return f"wa-{session}"


def service_account(store: str | None) -> str:
    """Return the name of a store's service account: of its checks, moves and purges, and of workers that share it."""
    return "wa-worker" if store is None else f"wa-worker-{store}"


def session_account(session: str) -> str:
    """Return the name of a session's service account, of its Role and of its RoleBinding."""
    return f"{SESSION_ACCOUNT_PREFIX}{session}"


def client_id(resource_name: str, spec_client_id: str | None) -> str:
    """Return the effective client id: unset means the resource's name, "" the guide's bare names."""
    return resource_name if spec_client_id is None else spec_client_id


def store_session(effective_client_id: str) -> str:
    """Return the session's name in a store (``RemoteAuth`` or ``RemoteAuth-<clientId>``).

    Raises ValueError if the id holds a character that could leave the store's folder.
    """
    if not _CLIENT_ID.fullmatch(effective_client_id):
        raise ValueError("clientId may hold letters, digits, '-' and '_' only")
    return f"RemoteAuth-{effective_client_id}" if effective_client_id else "RemoteAuth"


def local_session(effective_client_id: str) -> str:
    """Return LocalAuth's profile directory name (``session`` or ``session-<clientId>``), as the guide has it."""
    if not _CLIENT_ID.fullmatch(effective_client_id):
        raise ValueError("clientId may hold letters, digits, '-' and '_' only")
    return f"session-{effective_client_id}" if effective_client_id else "session"


def request_annotation(request: str) -> str:
    """Return the annotation that carries a request: relink, save, restart, takeover, skip-purge."""
    return f"{GROUP}/{request}-requested-at"
