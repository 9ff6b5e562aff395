"""Hold what the worker's machine knows: nested values, each changed by the module that it names. Pure; Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_worker.core import page_events

UNKNOWN = "unknown"
"""Stands for the hash of an account that no connection has proven yet, as in an imported archive."""


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A QR code that a phone can scan."""

    code: str = field(repr=False)
    issued_at: float = 0.0
    expires_at: float = 0.0
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A code that the user types into the phone."""

    code: str = field(repr=False)
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Saved:
    """The newest generation that is verified to be in the store."""

    generation: int
    time: float
    size: int
    digest: str
    trigger: str
    changed: bool = field(default=True, compare=False)
    """Whether the save that returned this made it; False: the store held the same content before."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Where the profile came from; generation 0 is the pod's own profile."""

    generation: int
    time: float
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """The last thing that went wrong, as it is shown."""

    reason: Reason
    message: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Login:
    """The login in the profile. Changed by ``linking``."""

    account: page_events.Account | None = None
    known_hash: str = ""
    """Hash of the account that the profile or archive is said to hold; "" when a phone has to link."""
    previous_hash: str = ""
    """Hash of the account whose login was lost in this run."""
    restored: Restored | None = None
    number: int = 0
    """How many logins this run has given up: the result of a save for an earlier one is ignored."""
    proven: bool = False
    """Whether the page has been connected since the newest restore or link."""
    announced: bool = False
    """Whether ``ready`` was emitted, and no ``disconnected`` since."""
    logged_out: bool = False
    """Whether the phone removed this device in this run and no phone has linked since."""

    @property
    def exists(self) -> bool:
        """Tell whether there is a login that can be regained."""
        return bool(self.account or self.known_hash)

    @property
    def hash(self) -> str:
        """Hash of the account, "" without a login."""
        return self.account.hash if self.account else self.known_hash


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a session that waits for a phone. Changed by ``link_codes``; reporters read `State.shown_qr`."""

    qr: ShownCode | None = None
    pairing: PairingCode | None = None
    pairing_asked: float = 0.0
    """When the worker last asked the page for a pairing code."""
    refresh_due: float = 0.0
    """When the worker asks an idle page again for fresh codes, 0 = the page gives them unasked."""
    refreshes: int = 0
    attempts: int = 0
    since_load: int = 0
    """How many QR codes the page has given since it was loaded."""
    deadline: float = 0.0
    """When the worker stops waiting for a phone, 0 = never, or not yet known."""

    def cleared(self) -> "Codes":
        """Return the same without a code."""
        return replace(self, qr=None, pairing=None)


@dataclass(frozen=True, slots=True)
class Saving:
    """Saves: the running one, the next one, the last one that succeeded. Changed by ``saving``."""

    saved: Saved | None = None
    running: bool = False
    since: float = 0.0
    """When the running save began, or the last one."""
    due: float = 0.0
    """When the next save begins, 0 = not planned."""
    retry_trigger: SaveTrigger = SaveTrigger.INTERVAL
    """Trigger of the next planned save as long as nothing is saved: a first save that failed is still the first."""
    failures: int = 0
    overdue_since: float = 0.0
    requested: str | None = None
    """Time of a request that no save has begun to fulfil, "" for one without a time."""
    fulfils: str | None = None
    """Time of the request that the running save fulfils."""

    def interrupted(self) -> "Saving":
        """Return the same without the running save; its request waits for the next one."""
        requested = self.fulfils if self.requested is None else self.requested
        return replace(self, running=False, requested=requested, fulfils=None)


@dataclass(frozen=True, slots=True)
class Page:
    """What WhatsApp Web's page reports of itself. Changed by ``linking``."""

    version: str = ""
    synced: bool = False
    percent: int = -1
    unreadable: bool = False
    """Whether WhatsApp changed the page so that the adapter cannot listen; another load does not fix it."""
    logged_out: bool = False
    """Whether the phone removed the device, and this page has neither left nor asked for a link since."""
    faults: tuple[str, ...] = ()
    """What this page lacks and the session can do without: reported as long as nothing else is."""
    unknown_state: str = ""
    """The same of a word for the connection, until the page reports one that the worker knows."""
    faults_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Loading:
    """Loads of the page that failed or stalled. Changed by ``recovery``."""

    due: float = 0.0
    failures: int = 0
    stall_due: float = 0.0
    """When a page that reports no progress is loaded again, 0 = its time has not begun."""
    stalls: int = 0
    """How often a stalled page was loaded again since it last made progress."""


@dataclass(frozen=True, slots=True)
class BrowserRun:
    """The browser's process. Changed by ``recovery``."""

    version: str = ""
    sandbox: str = ""
    launched_at: float = 0.0
    """When the running browser was started, 0 while none runs."""
    restarts: int = 0
    """How often in a row it ended unasked."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The session is open elsewhere. Changed by ``conflict``."""

    takeover_due: float = 0.0
    takeovers: int = 0
    owner_due: float = 0.0
    """When the worker asks the log again who owns the session."""
    owner_asked: int = 0
    """How often it has asked in this conflict."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whether Lease or log confirm that the session is ours. Changed by ``freeze``."""

    expired: bool = False
    """Whether neither has answered in time, so that no browser may run."""
    returns_to: SessionState | None = None
    """The state to which a frozen session returns; Launching when its browser has ended meanwhile."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What users have requested. Changed by ``requests``."""

    claimed_at: float = 0.0
    """Requests made before it were meant for an earlier run."""
    handled: Mapping[str, str] = field(default_factory=dict)
    """Time of the newest request of each kind that was carried out."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the session takes. Changed by ``size_limits``."""

    memory: int = 0
    """Bytes that worker and browser took when last measured."""
    warnings: tuple[Problem, ...] = ()
    """What exceeds the user's limits; the worker only reports it."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Transitions that the table does not list: a mistake in the worker. Changed by ``transitions``."""

    count: int = 0
    before: SessionState | None = None
    after: SessionState | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything the machine knows."""

    session_state: SessionState = SessionState.CLAIMING
    since: float = 0.0
    login: Login = Login()
    codes: Codes = Codes()
    saving: Saving = Saving()
    page: Page = Page()
    loading: Loading = Loading()
    browser: BrowserRun = BrowserRun()
    conflict: Conflict = Conflict()
    ownership: Ownership = Ownership()
    requests: Requests = field(default_factory=Requests)
    usage: Usage = Usage()
    stopping: bool = False
    """Whether a stop waits, or has waited, for the first sync of a new link. Changed by ``stopping``."""
    problem: Problem | None = None
    unlisted: Unlisted = Unlisted()

    @property
    def shown_qr(self) -> ShownCode | None:
        """The QR code, only while a phone can scan it: the one place that decides whether a code is shown."""
        return self.codes.qr if self.session_state is SessionState.AWAITING_LINK else None

    @property
    def shown_pairing_code(self) -> PairingCode | None:
        """The pairing code, only while a phone can be linked with it."""
        return self.codes.pairing if self.session_state is SessionState.AWAITING_LINK else None
