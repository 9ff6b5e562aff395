"""Hold what the worker's machine knows and decides by. Pure; times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_worker.core import page_events

UNKNOWN = "unknown"
"""In the place of an account's hash: a login that nobody has proven yet says not whose it is (an imported archive)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the machine decides by."""

    saves: bool = True
    """Whether the strategy keeps archives; without, nothing is ever saved."""
    interval: float = 300.0
    linking_timeout: float = 1800.0
    """0 means no limit."""
    phone_number: str = field(default="", repr=False)
    """Set for linking by pairing code."""
    expected_account: str = ""
    archive_warning: int = 0
    """Bytes of an archive above which the user wants to be told, 0 = never."""
    memory_warning: int = 0
    """The same for the memory of worker and browser together."""


@dataclass(frozen=True, slots=True)
class ShownCode:
    """The code that a phone can scan now."""

    code: str = field(repr=False)
    issued_at: float = 0.0
    expires_at: float = 0.0
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """The newest generation that is verified to be in the store."""

    generation: int
    time: float
    size: int
    digest: str
    trigger: str


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
class Model:
    """Everything the machine knows."""

    state: SessionState = SessionState.CLAIMING
    since: float = 0.0
    account: page_events.Account | None = None
    known_hash: str = ""
    """Hash of the account that the profile or archive is said to hold; "" when a link has to be made."""
    previous_hash: str = ""
    """Hash of the account whose login was lost in this run."""
    qr: ShownCode | None = None
    pairing_code: str = field(default="", repr=False)
    pairing_due: float = 0.0
    """When the pairing code that is shown is over."""
    pairing_asked: float = 0.0
    """When the page was last asked for one."""
    refresh_due: float = 0.0
    """When a page that is idle is asked again for fresh codes, 0 = it gives them."""
    refreshes: int = 0
    attempts: int = 0
    codes_since_load: int = 0
    link_deadline: float = 0.0
    percent: int = -1
    synced: bool = False
    login: int = 0
    """How many logins were given up in this run: what a save says of an earlier one counts no more."""
    proven: bool = False
    """Connected since the newest restore or link."""
    saved: Saved | None = None
    restored: Restored | None = None
    saving: bool = False
    saving_since: float = 0.0
    """When the running save began, or the last one."""
    save_due: float = 0.0
    save_trigger: SaveTrigger = SaveTrigger.INTERVAL
    save_failures: int = 0
    overdue_since: float = 0.0
    load_due: float = 0.0
    load_failures: int = 0
    stall_due: float = 0.0
    """When a page that has said nothing of use is loaded again, 0 when its time has not begun."""
    stalls: int = 0
    """How often that was done since the page last got anywhere."""
    unreadable: bool = False
    """WhatsApp changed the page that is shown: nothing of ours can listen there, and loading it again mends nothing."""
    launched_at: float = 0.0
    """When the browser that runs was started, 0 while none does."""
    relaunches: int = 0
    takeover_due: float = 0.0
    takeovers: int = 0
    owner_due: float = 0.0
    """When the log is asked again, in a conflict, whose the session is."""
    owner_asked: int = 0
    """How often it was asked in this conflict."""
    web_version: str = ""
    browser_version: str = ""
    sandbox: str = ""
    fault: Problem | None = None
    memory: int = 0
    """Bytes that worker and browser took when last looked at."""
    warnings: tuple[Problem, ...] = ()
    """What exceeds the user's limits; nothing is done about it."""
    logged_out: bool = False
    """The phone removed this device in this run and no new link has been made."""
    silenced: bool = False
    """No witness has answered in time: no browser may run."""
    frozen_from: SessionState | None = None
    """The state to which a frozen session returns; Launching when its browser has ended meanwhile."""
    claimed_at: float = 0.0
    """Wishes before it were meant for another life."""
    handled: Mapping[str, str] = field(default_factory=dict)
    """Times of the newest wish of each kind that was carried out."""
    save_wish: str | None = None
    """Time of a request for a save that no save has begun to fulfil, "" for one without a time."""
    saving_wish: str | None = None
    """That of the request which the running save fulfils."""
