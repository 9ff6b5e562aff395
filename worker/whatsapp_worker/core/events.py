"""Name what can happen to a worker, besides what its page reports: the machine's input. Pure."""

from dataclasses import dataclass, field, replace

from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Problem, Restored, Saved


@dataclass(frozen=True, slots=True)
class Claimed:
    """The worker owns the session and prepares the profile; ``time`` is the claim's, 0 for a strategy without a log."""

    time: float = 0.0


@dataclass(frozen=True, slots=True)
class ProfileReady:
    """The profile is in place; ``handled`` pairs the requests that this start has carried out with their times."""

    known_hash: str = ""
    saved: Saved | None = None
    restored: Restored | None = None
    problem: Problem | None = None
    handled: tuple[tuple[str, str], ...] = ()

    def after(self, handled: tuple[tuple[str, str], ...]) -> "ProfileReady":
        """Return the same with requests that were carried out before."""
        return replace(self, handled=(*handled, *self.handled))


@dataclass(frozen=True, slots=True)
class Launched:
    """The browser runs; ``sandbox`` names what keeps its pages apart from this machine."""

    version: str
    sandbox: str = ""


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The page could not be loaded."""

    message: str


@dataclass(frozen=True, slots=True)
class AdapterMissing:
    """The page answers, and the adapter in it has not for a while: the browser shows another page."""


@dataclass(frozen=True, slots=True)
class BrowserGone:
    """The browser ended unasked, or no longer answers."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class SaveDone:
    """A check of the profile succeeded; ``saved`` is the generation that holds it.

    None when the strategy found nothing to save. ``login`` is `Login.number` when the save began.
    """

    saved: Saved | None
    login: int = 0


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """Nothing was published."""

    reason: Reason
    message: str
    login: int = 0


@dataclass(frozen=True, slots=True)
class Fatal:
    """Something that only the user or a later start can fix."""

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
    """The user or the operator requests a save; ``time`` is the request's, "" for a signal or a call."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class RelinkRequested:
    """The user requests to give the login up and to link again."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class TakeOverRequested:
    """The user requests to take the session from its present owner."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """SIGTERM, Ctrl-C, or the library's caller."""

    final: bool = False
    """Whether the time is over for which a stop may wait for the first sync of a new link."""


@dataclass(frozen=True, slots=True)
class OwnershipExpired:
    """Neither Lease nor log has confirmed in time that the session is ours: the browser is frozen."""

    why: str = ""
    """What the store said when it was last asked."""


@dataclass(frozen=True, slots=True)
class OwnershipRenewed:
    """Lease or log confirms again that the session is ours: the browser resumes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Worker and browser together take this much memory, in bytes."""

    memory: int


@dataclass(frozen=True, slots=True)
class RetryingAfter:
    """A transient problem to report while the worker tries again."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class CopyFollowed:
    """The copy for the JavaScript stores was looked after; ``late`` says why it lags, "" if it does not."""

    late: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    page_events.PageEvent
    | Claimed
    | ProfileReady
    | Launched
    | LoadFailed
    | AdapterMissing
    | BrowserGone
    | SaveDone
    | SaveFailed
    | Fatal
    | StillOwner
    | CodeShown
    | SaveRequested
    | RelinkRequested
    | TakeOverRequested
    | StopRequested
    | RetryingAfter
    | CopyFollowed
    | OwnershipExpired
    | OwnershipRenewed
    | Measured
    | Tick
)
