"""Enumerate phases, conditions, reasons and worker states: the closed sets that tests and guides read."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class SessionState(StrEnum):
    """State of a worker's machine, as written to ``status.session.state``."""

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
    """Printer column of a session; nothing decides by it."""

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
    """Types of ``status.conditions``: kstatus' three, then the session's own."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    LINKED = "Linked"
    CONNECTED = "Connected"
    SAVED = "Saved"
    STORE_AVAILABLE = "StoreAvailable"
    OVERSIZED = "Oversized"
    """Only there while something exceeds a limit of ``spec.warnings``."""
    POLICY_MISSING = "PolicyMissing"
    """Only there while the admission policy is not in force."""
    SHARED_ACCOUNT = "SharedAccount"
    """A store's, only there while its workers share its service account and nobody has chosen that."""


class ConditionStatus(StrEnum):
    """Status of a condition; "could not observe" is Unknown, never absent."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Reason of a condition; each has an entry in the troubleshooting guide."""

    # for True
    WORKER_HEALTHY = "WorkerHealthy"
    DEVICE_LINKED = "DeviceLinked"
    SOCKET_CONNECTED = "SocketConnected"
    ARCHIVE_VERIFIED = "ArchiveVerified"
    PROFILE_ON_CLAIM = "ProfileOnClaim"
    STORE_ANSWERED = "StoreAnswered"
    # for Reconciling
    POD_STARTING = "PodStarting"
    RESTORING = "Restoring"
    START_QUEUED = "StartQueued"
    REPLACING = "Replacing"
    STOPPING = "Stopping"
    # everything else
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
    """By the API server: anything that the operator makes but a pod."""
    INVALID_CONFIGURATION = "InvalidConfiguration"
    """A setting that can never work."""
    SHARED_ACCOUNT = "SharedAccount"
    OPERATOR_FAULT = "OperatorFault"
    REQUEST_IGNORED = "RequestIgnored"
    """Of an Event: an annotation asks for something that the operator cannot understand."""


class ExitCode(IntEnum):
    """Exit code of a worker; the termination message carries the reason."""

    DONE = 0
    CRASHED = 1
    CONFIGURATION = 2
    STORE_REFUSED = 3
    PAGE_REFUSED = 4


class SaveTrigger(StrEnum):
    """What made a save happen, as in ``status.session.saved.trigger``."""

    FIRST_LINK = "FirstLink"
    INTERVAL = "Interval"
    REQUEST = "Request"
    SHUTDOWN = "Shutdown"


MESSAGE_LENGTH = 4096
"""So long a message may be by the definitions: an API server's refusal, which becomes one, knows no such limit."""


def fitting(message: str, longest: int = MESSAGE_LENGTH) -> str:
    """Return the message, cut where it is too long."""
    return message if len(message) <= longest else f"{message[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of ``status.conditions`` without its transition time, which the writer adds on a change of status."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
