"""Hold the values of the worker's machine: settings, model, events, actions. Pure; times are Unix seconds."""

from dataclasses import dataclass, field

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger, SessionState
from whatsapp_worker.page import events as page


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
class Fault:
    """The last thing that went wrong, as it is shown."""

    reason: Reason
    message: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """Everything the machine knows."""

    state: SessionState = SessionState.CLAIMING
    since: float = 0.0
    account: page.Account | None = None
    known_hash: str = ""
    """Hash of the account that the profile or archive is said to hold; "" when a link has to be made."""
    previous_hash: str = ""
    """Hash of the account whose login was lost in this run."""
    qr: ShownCode | None = None
    pairing_code: str = field(default="", repr=False)
    attempts: int = 0
    codes_since_load: int = 0
    link_deadline: float = 0.0
    percent: int = -1
    synced: bool = False
    proven: bool = False
    """Connected since the newest restore or link."""
    saved: Saved | None = None
    restored: Restored | None = None
    saving: bool = False
    save_due: float = 0.0
    save_trigger: SaveTrigger = SaveTrigger.INTERVAL
    save_failures: int = 0
    overdue_since: float = 0.0
    load_due: float = 0.0
    load_failures: int = 0
    relaunches: int = 0
    takeover_due: float = 0.0
    takeovers: int = 0
    web_version: str = ""
    browser_version: str = ""
    fault: Fault | None = None
    logged_out: bool = False
    """The phone removed this device in this run and no new link has been made."""


# Events: what happened, besides what the page reports.


@dataclass(frozen=True, slots=True)
class Claimed:
    """The session is ours; now the profile is made ready."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The profile is in place."""

    known_hash: str = ""
    saved: Saved | None = None
    restored: Restored | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """The browser runs."""

    version: str


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The page could not be loaded."""

    message: str


@dataclass(frozen=True, slots=True)
class BrowserGone:
    """The browser ended though nobody asked it to, or does not answer any more."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class SaveDone:
    """A check of the profile succeeded; ``saved`` is the generation that holds it, ``changed`` whether it is new."""

    saved: Saved
    changed: bool


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """Nothing was published."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Fatal:
    """Something that only a person or a later start can mend."""

    code: ExitCode
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class StillOwner:
    """The log says that our claim is the newest."""


@dataclass(frozen=True, slots=True)
class CodeShown:
    """The page made a pairing code."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SaveRequested:
    """A person or the operator asks for a save."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """SIGTERM, Ctrl-C, or the library's caller."""


@dataclass(frozen=True, slots=True)
class Troubled:
    """Something transient that the state should tell while it is tried again."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    page.PageEvent
    | Claimed
    | Prepared
    | Launched
    | LoadFailed
    | BrowserGone
    | SaveDone
    | SaveFailed
    | Fatal
    | StillOwner
    | CodeShown
    | SaveRequested
    | StopRequested
    | Troubled
    | Tick
)


# Actions: what the worker must do now.


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the browser on the prepared profile and load the page."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the page again."""


@dataclass(frozen=True, slots=True)
class Recycle:
    """End the browser and start it again on the same profile."""


@dataclass(frozen=True, slots=True)
class FallBack:
    """End the browser and put the next older profile in place, or an empty one."""


@dataclass(frozen=True, slots=True)
class RefreshQr:
    """Ask the page for fresh codes."""


@dataclass(frozen=True, slots=True)
class AskPairingCode:
    """Ask the page for a pairing code."""


@dataclass(frozen=True, slots=True)
class Save:
    """Take a snapshot and publish it if it changed."""

    trigger: SaveTrigger


@dataclass(frozen=True, slots=True)
class BuryLogin:
    """Set the archives of the account that logged out aside: they are never restored again."""

    account_hash: str


@dataclass(frozen=True, slots=True)
class AskOwner:
    """Ask the log whose claim is the newest."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Tell the page that it is the one to use."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """Remove this device from the account: it is not the one that was expected."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the library's listeners."""

    name: str
    arguments: tuple[object, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Save if possible, close, release, exit."""

    code: ExitCode
    reason: Reason | None
    message: str
    save: bool = True


Action = (
    Launch
    | Load
    | Recycle
    | FallBack
    | RefreshQr
    | AskPairingCode
    | Save
    | BuryLogin
    | AskOwner
    | TakeOver
    | Unlink
    | Emit
    | Shutdown
)
