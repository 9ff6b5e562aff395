"""Enumerate phases, conditions, reasons, worker states and exit codes; tests compare the documentation with them."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class SessionState(StrEnum):
    """State of a worker, as in ``status.session.state``."""

    CLAIMING = "Claiming"
    RESTORING = "Restoring"
    LAUNCHING = "Launching"
    AWAITING_LINK = "AwaitingLink"
    SYNCING = "Syncing"
    CONNECTED = "Connected"
    RECONNECTING = "Reconnecting"
    FROZEN = "Frozen"
    STOPPING = "Stopping"
    LOGGED_OUT = "LoggedOut"
    LINK_EXPIRED = "LinkExpired"
    CONFLICT = "Conflict"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"


class Phase(StrEnum):
    """Phase of a session, for users; no decision depends on it."""

    PENDING = "Pending"
    STARTING = "Starting"
    RESTORING = "Restoring"
    AWAITING_LINK = "AwaitingLink"
    SYNCING = "Syncing"
    CONNECTED = "Connected"
    RECONNECTING = "Reconnecting"
    FROZEN = "Frozen"
    CONFLICT = "Conflict"
    SUSPENDED = "Suspended"
    LINK_EXPIRED = "LinkExpired"
    LOGGED_OUT = "LoggedOut"
    FAILED = "Failed"


class ConditionType(StrEnum):
    """Types of ``status.conditions``: those of kstatus, then those of sessions and stores."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    LINKED = "Linked"
    CONNECTED = "Connected"
    SAVED = "Saved"
    STORE_AVAILABLE = "StoreAvailable"
    OVERSIZED = "Oversized"
    """Present only while a limit of ``spec.warnings`` is exceeded."""
    POLICY_MISSING = "PolicyMissing"
    """Present only while the admission policy is not in force."""
    SHARED_ACCOUNT = "SharedAccount"
    """Of a store: present only while its workers share its service account and ``shared`` is unset."""


class ConditionStatus(StrEnum):
    """Status of a condition; Unknown means that the operator could not observe it."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Reason of a condition; each has an entry in the troubleshooting guide."""

    # of conditions that are True
    WORKER_HEALTHY = "WorkerHealthy"
    DEVICE_LINKED = "DeviceLinked"
    SOCKET_CONNECTED = "SocketConnected"
    ARCHIVE_VERIFIED = "ArchiveVerified"
    PROFILE_ON_CLAIM = "ProfileOnClaim"
    STORE_ANSWERED = "StoreAnswered"
    # of Reconciling
    POD_STARTING = "PodStarting"
    RESTORING = "Restoring"
    START_QUEUED = "StartQueued"
    REPLACING = "Replacing"
    STOPPING = "Stopping"
    # of all other conditions and Events
    AWAITING_SCAN = "AwaitingScan"
    QR_EXPIRED = "QRExpired"
    LOGGED_OUT_FROM_PHONE = "LoggedOutFromPhone"
    ACCOUNT_CHANGED = "AccountChanged"
    ACCOUNT_MISMATCH = "AccountMismatch"
    CONFLICT = "Conflict"
    PAGE_CONTRACT_BROKEN = "PageContractBroken"
    PASSKEY_REQUIRED = "PasskeyRequired"
    CLIENT_OUTDATED = "ClientOutdated"
    TEMPORARILY_BANNED = "TemporarilyBanned"
    RESTORE_FAILED = "RestoreFailed"
    ARCHIVE_MISSING = "ArchiveMissing"
    FOREIGN_ARCHIVE = "ForeignArchive"
    COPY_LATE = "CopyLate"
    BROWSER_TOO_OLD = "BrowserTooOld"
    SNAPSHOT_FAILED = "SnapshotFailed"
    FIRST_SAVE_PENDING = "FirstSavePending"
    BACKUP_OVERDUE = "BackupOverdue"
    SAVE_BEFORE_STOP = "SaveBeforeStop"
    STORE_UNAVAILABLE = "StoreUnavailable"
    STORE_NOT_FOUND = "StoreNotFound"
    STORE_SESSION_IN_USE = "StoreSessionInUse"
    STORE_UNFENCED = "StoreUnfenced"
    LEASE_HELD = "LeaseHeld"
    LEASE_LOST = "LeaseLost"
    LEASE_EXPIRED = "LeaseExpired"
    """The worker has not renewed its Lease in time."""
    NODE_LOST = "NodeLost"
    """The node does not answer, and the Lease of its worker has expired."""
    FROZEN = "Frozen"
    BROWSER_CRASHED = "BrowserCrashed"
    PAGE_DEAD = "PageDead"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    INVALID_POD_TEMPLATE = "InvalidPodTemplate"
    OUT_OF_MEMORY = "OutOfMemory"
    CRASH_LOOP = "CrashLoop"
    EVICTED = "Evicted"
    QUOTA_EXCEEDED = "QuotaExceeded"
    SUSPENDED = "Suspended"
    SUPERSEDED = "Superseded"
    SYNCING = "Syncing"
    RECONNECTING = "Reconnecting"
    PROXY_BLOCKED = "ProxyBlocked"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105  a reason's name, no password
    ARCHIVE_TOO_LARGE = "ArchiveTooLarge"
    MEMORY_HIGH = "MemoryHigh"
    POLICY_MISSING = "PolicyMissing"
    REFUSED = "Refused"
    """The API server rejected an object of the operator, other than a pod."""
    INVALID_CONFIGURATION = "InvalidConfiguration"
    """A setting can never work."""
    SHARED_ACCOUNT = "SharedAccount"
    OPERATOR_FAULT = "OperatorFault"
    REQUEST_IGNORED = "RequestIgnored"
    """Of an Event: the operator does not understand a request annotation."""


class ExitCode(IntEnum):
    """Exit code of a worker; its termination message contains the reason."""

    DONE = 0
    CRASHED = 1
    CONFIGURATION = 2
    STORE_REFUSED = 3
    PAGE_REFUSED = 4


class SaveTrigger(StrEnum):
    """Cause of a save, as in ``status.session.saved.trigger``."""

    FIRST_LINK = "FirstLink"
    INTERVAL = "Interval"
    REQUEST = "Request"
    SHUTDOWN = "Shutdown"


MESSAGE_LENGTH = 4096
"""Longest message that the CRDs accept; a refusal of the API server, which becomes a message, can be longer."""


def fitting(message: str, longest: int = MESSAGE_LENGTH) -> str:
    """Return the message, truncated to the longest allowed length."""
    return message if len(message) <= longest else f"{message[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of ``status.conditions`` without the transition time, which is added when the status changes."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
