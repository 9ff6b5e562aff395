"""Hold what was observed, as frozen values; ``parsing`` makes them.

"Could not observe" is None or Unknown, never "absent".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Protocol

from whatsapp_operator.observed.ages import Ages
from whatsapp_session import names
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_session.session_spec import SessionSpec
from whatsapp_session.store_spec import StoreSpec

Resource = Mapping[str, Any]


class Subject(Protocol):
    """What an Event can be about."""

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
    """Whose a pod is, judged by its controller's UID; a label is only an index."""

    OURS = auto()
    PREDECESSOR = auto()
    """Of a deleted session of the same name."""
    FOREIGN = auto()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong, in one word and one sentence."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended; ``reason`` is the worker's own word, None if it left none."""

    exit_code: int
    reason: Reason | None
    message: str
    out_of_memory: bool
    started: str
    finished: str


@dataclass(frozen=True, slots=True)
class Report:
    """``status.session``: what the worker says."""

    pod_uid: str
    state: SessionState | None
    """None when a newer worker uses a word that this operator does not know."""
    state_since: str
    account_hash: str | None
    saved: bool
    overdue: bool
    problem: Problem | None
    handled: Mapping[str, str]
    warnings: tuple[Problem, ...] = ()
    """What exceeds the user's limits."""
    saved_at: float | None = None
    """When the newest archive was saved, in seconds since the epoch."""
    link_attempts: int = 0
    """Codes that the worker has shown."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An annotation that asks for something and is ignored, with the reason and what to do."""

    annotation: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Last:
    """``status.worker.last``: what outlives a worker; None means not known."""

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
    """Time of the newest request that the pod had been started for."""
    stopped: bool = False
    """Whether the node confirmed that the container has ended."""
    store: str | None = None
    """The SessionStore that the session ran on, or to which its archives were copied since."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that bears the worker's name."""

    name: str
    uid: str
    ownership: Ownership
    deleting: bool
    grace: float
    """Seconds that it has to stop in once it is being deleted."""
    created: str
    phase: str
    node: str | None
    unschedulable: str | None
    template_hash: str | None
    generation: int | None
    """The session's, when the pod was made."""
    restarted_for: str | None
    started_for: str | None
    image: str
    env: Mapping[str, str]
    needs: tuple[str, ...]
    """Claims and Secrets without which the node does not start it: which of them is missing the pod does not say."""
    restarts: int
    running_since: str | None
    waiting: str | None
    waiting_message: str
    ending: Ending | None
    """Of the container now if it has ended, else of its predecessor in this pod."""
    stopped: bool
    """Whether the node says that the container has ended and runs no more."""
    failed_reason: str | None
    """The pod's own word when it failed as a whole, such as Evicted."""
    failed_message: str
    """The sentence beside it."""
    store: str | None
    """The SessionStore that it was made for."""
    account: str | None
    """Its service account."""

    @property
    def did_well(self) -> bool:
        """Whether what the pod was made for is done: by its container, for an injected sidecar may keep it running."""
        return self.phase == "Succeeded" or (self.stopped and self.ending is not None and self.ending.exit_code == 0)


@dataclass(frozen=True, slots=True)
class Head:
    """What a session or a store has, whatever its specification says."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    finalizers: tuple[str, ...]
    status: Resource = field(repr=False)
    """As it is, to be compared with what it should be; a session's holds a QR code, hence in no repr."""


@dataclass(frozen=True, slots=True)
class Session(Head):
    """One WhatsAppSession."""

    kind: ClassVar[str] = names.SESSION_KIND
    asked: Mapping[str, str]
    """Times of the requests among its annotations, by kind; handled ones, too."""
    ignored: tuple[Ignored, ...]
    """What looks like a request among its annotations and is none."""
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
    """Whether its workers share its service account; None: nobody has chosen."""
    pod_labels: Mapping[str, str]
    problem: Problem | None
    """Why its status says that it is not available, None when it says anything else."""

    @property
    def unfenced(self) -> bool:
        """Whether its check found that two workers could run one session, and nobody has accepted that."""
        return self.problem is not None and self.problem.reason is Reason.STORE_UNFENCED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a decision must know of the pod that should be there."""

    template_hash: str
    image: str
    env: Mapping[str, str]
    restarted_for: str | None
    needs_pvc: bool
    """Whether the operator makes a claim for it."""
    move_hash: str | None = None
    """Hash of the template of the pod that copies from another store, None when nothing is to be copied."""
    violation: Problem | None = None
    """What the session's podTemplate says against the security standard: no pod is made of it, and none replaced."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision about one session rests on."""

    session: Session
    pod: Pod | None = None
    store: Store | None = None
    policy: bool = True
    """Whether the admission policy, which says what a worker may write of its session, is in force."""
    policy_required: bool = True
    """Whether no worker is started without it."""
    refusal: Problem | None = None
    """Why the API server refused the pod just now."""
    waits: Problem | None = None
    """Why a pod that should be made is not made yet: it has no start slot."""
    purge_pod: Pod | None = None
    """The pod that deletes the archives; looked for only when the session is being deleted."""
    source: Store | None = None
    """The store that the session ran on last, if it names another one now and no worker pod is there."""
    move_pod: Pod | None = None
    """The pod that copies the archives from there; looked for only while there is no worker pod."""
    ages: Ages = field(default_factory=dict)
    """How long ago the operator first saw what a pause is counted from."""

    @property
    def barred(self) -> bool:
        """Whether no worker may be started, because what narrows its rights is missing."""
        return self.policy_required and not self.policy


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What one worker says of its store; ``problem`` None: the store answers."""

    session: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The name of one session, or of one store."""

    namespace: str
    name: str
