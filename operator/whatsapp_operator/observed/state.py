"""Define the observed state as frozen values; ``parsing`` creates them.

None or Unknown means "could not observe", never "absent".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Protocol

from whatsapp_operator.observed.ages import Ages
from whatsapp_operator.observed.worker_contact import WorkerContact
from whatsapp_session import names
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_session.session_spec import SessionSpec
from whatsapp_session.store_spec import StoreSpec

Resource = Mapping[str, Any]


class Subject(Protocol):
    """An object to which Events can refer."""

    @property
    def kind(self) -> str:
        """Return the kind."""

    @property
    def namespace(self) -> str:
        """Return the namespace."""

    @property
    def name(self) -> str:
        """Return the name."""

    @property
    def uid(self) -> str:
        """Return the UID."""


class Ownership(Enum):
    """Owner of a pod, determined by the UID of its controller; labels are not trusted."""

    OURS = auto()
    PREDECESSOR = auto()
    """A deleted session of the same name owns it."""
    FOREIGN = auto()


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: reason and message."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container terminated; ``reason`` is from the worker's termination message, None without one."""

    exit_code: int
    reason: Reason | None
    message: str
    out_of_memory: bool
    started: str
    finished: str


@dataclass(frozen=True, slots=True)
class Report:
    """``status.session``: the report of the worker."""

    pod_uid: str
    state: SessionState | None
    """None if a newer worker reports a state that this operator does not know."""
    state_since: str
    account_hash: str | None
    saved: bool
    overdue: bool
    problem: Problem | None
    handled: Mapping[str, str]
    warnings: tuple[Problem, ...] = ()
    """Limits of ``spec.warnings`` that are exceeded."""
    saved_at: float | None = None
    """Time of the newest save in seconds since the epoch."""
    link_attempts: int = 0
    """Number of codes that the worker has shown."""
    restart_count: int | None = None
    """Restarts of the container before the process that wrote the report; None of an older worker."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A request annotation that the operator ignores, with the reason and what to do."""

    annotation: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Last:
    """``status.worker.last``: facts that outlive a worker; None means unknown."""

    account_hash: str | None = None
    linked: bool | None = None
    saved: bool | None = None
    end_reason: Reason | None = None
    end_message: str | None = None
    end_time: str | None = None
    exit_code: int | None = None
    failures: int = 0
    pod_uid: str | None = None
    template_hash: str | None = None
    started_for: str | None = None
    """Time of the newest request that starts a session, when the operator created the pod."""
    stopped: bool = False
    """Whether the node confirmed that the container has terminated."""
    store: str | None = None
    """Name of the SessionStore that holds the session's archives."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod with the name of the worker pod."""

    name: str
    uid: str
    ownership: Ownership
    deleting: bool
    grace: float
    """Grace period in seconds of a pod that is being deleted."""
    created: str
    phase: str
    node: str | None
    unschedulable: str | None
    template_hash: str | None
    generation: int | None
    """Generation of the session when the operator created the pod."""
    restarted_for: str | None
    started_for: str | None
    image: str
    env: Mapping[str, str]
    needs: tuple[str, ...]
    """PVCs and Secrets that the pod mounts; the pod does not report which of them is missing."""
    restarts: int
    running_since: str | None
    waiting: str | None
    waiting_message: str
    waiting_image: str
    """Image of the container that waits: the worker's, or that of an init container before it."""
    ending: Ending | None
    """Termination of the present container, else of the previous one in this pod."""
    stopped: bool
    """Whether the node reports that the container has terminated and is not restarted."""
    failed_reason: str | None
    """Reason in the status of a failed pod, such as Evicted."""
    failed_message: str
    """Message in the status of a failed pod."""
    store: str | None
    """Name of the SessionStore for which the operator created the pod."""
    account: str | None
    """Name of its service account."""
    ready: bool
    """Its condition Ready."""
    node_silent: bool
    """Whether the node controller has marked it as not ready, because its node does not report."""
    pvcs: tuple[str, ...]
    """Names of the PVCs that it mounts."""

    @property
    def did_well(self) -> bool:
        """Whether the pod's own container succeeded; an injected sidecar may keep the pod running."""
        return self.phase == "Succeeded" or (self.stopped and self.ending is not None and self.ending.exit_code == 0)


@dataclass(frozen=True, slots=True)
class Head:
    """The parts of a session or a store that do not depend on its spec."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    status: Resource = field(repr=False)
    """The status as observed, for comparisons; that of a session contains a QR code, so no repr shows it."""


@dataclass(frozen=True, slots=True)
class Session(Head):
    """One WhatsAppSession."""

    kind: ClassVar[str] = names.SESSION_KIND
    asked: Mapping[str, str]
    """Times of the requests among its annotations by kind, also of handled ones."""
    ignored: tuple[Ignored, ...]
    """Request annotations that the operator ignores."""
    spec: SessionSpec
    report: Report | None
    last: Last
    handled: Mapping[str, str]
    """``status.handledRequests``."""


@dataclass(frozen=True, slots=True)
class Store(Head):
    """One SessionStore."""

    kind: ClassVar[str] = names.STORE_KIND
    spec: StoreSpec
    annotations: Mapping[str, str]
    shared_account: bool | None
    """``spec.serviceAccount.shared``; None if unset."""
    pod_labels: Mapping[str, str]
    problem: Problem | None
    """Reason and message of the condition StoreAvailable if it is False, else None."""

    @property
    def unfenced(self) -> bool:
        """Whether its check found no atomic create, and ``allowUnfenced`` is not set."""
        return self.problem is not None and self.problem.reason is Reason.STORE_UNFENCED


@dataclass(frozen=True, slots=True)
class Wanted:
    """The desired worker pod, as far as decisions need it."""

    template_hash: str
    image: str
    env: Mapping[str, str]
    restarted_for: str | None
    needs_pvc: bool
    """Whether the operator creates a PVC for it."""
    move_hash: str | None = None
    """Hash of the template of the move pod, None if there is nothing to move."""
    violation: Problem | None = None
    """Violation of the Pod Security Standard by the podTemplate: the operator creates and replaces no pod."""


@dataclass(frozen=True, slots=True)
class Observed:
    """All input of a decision about one session."""

    session: Session
    pod: Pod | None = None
    store: Store | None = None
    policy: bool = True
    """Whether the admission policy, which limits what a worker may write, is in force."""
    policy_required: bool = True
    """Whether workers must not start without it."""
    refusal: Problem | None = None
    """Why the API server rejected the pod in this reconciliation."""
    waits: Problem | None = None
    """Why the operator does not create the pod yet: no start slot is free."""
    purge_pod: Pod | None = None
    """The pod that purges the archives; only observed while the session is being deleted."""
    source: Store | None = None
    """The previous store, if the session now names another one and there is no worker pod."""
    move_pod: Pod | None = None
    """The pod that moves the archives from there; only observed while there is no worker pod."""
    ages: Ages = field(default_factory=dict)
    """Ages of the facts from which pauses are measured."""
    contact: WorkerContact | None = None
    """Whether the worker still runs, as Lease and node tell; only checked for a reason."""

    @property
    def barred(self) -> bool:
        """Whether no worker may start because the admission policy is missing."""
        return self.policy_required and not self.policy


@dataclass(frozen=True, slots=True)
class StoreReport:
    """The report of one worker about its store; ``problem`` None means that the store answers."""

    session: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Namespace and name of a session or a store."""

    namespace: str
    name: str
