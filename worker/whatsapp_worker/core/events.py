"""Name what can happen to a worker, besides what its page reports: the machine's input. Pure."""

from dataclasses import dataclass, field, replace

from whatsapp_session.conditions import ExitCode, Reason
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Problem, Restored, Saved


@dataclass(frozen=True, slots=True)
class Claimed:
    """The session is ours; now the profile is made ready. ``time`` is the claim's, 0 for a strategy without a log."""

    time: float = 0.0


@dataclass(frozen=True, slots=True)
class ProfileReady:
    """The profile is in place; ``handled`` pairs wishes that this start has fulfilled with their times."""

    known_hash: str = ""
    saved: Saved | None = None
    restored: Restored | None = None
    problem: Problem | None = None
    handled: tuple[tuple[str, str], ...] = ()

    def after(self, handled: tuple[tuple[str, str], ...]) -> "ProfileReady":
        """Return the same with wishes that were fulfilled before it."""
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
    """No adapter has answered in the page for a while, though the page itself does: it shows something else."""


@dataclass(frozen=True, slots=True)
class BrowserGone:
    """The browser ended though nobody asked it to, or does not answer any more."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class SaveDone:
    """A check of the profile succeeded; ``saved`` is the generation that holds it, ``changed`` whether it is new.

    None when the strategy found nothing to save. ``login`` is the model's when the save began.
    """

    saved: Saved | None
    changed: bool
    login: int = 0


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """Nothing was published."""

    reason: Reason
    message: str
    login: int = 0


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
    """A person or the operator asks for a save; ``time`` is a wish's, "" for a signal or a call."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class RelinkRequested:
    """A person asks to set the present login aside and to link anew."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class TakeOverRequested:
    """A person asks to take the session from whoever has it."""

    time: str = ""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """SIGTERM, Ctrl-C, or the library's caller."""


@dataclass(frozen=True, slots=True)
class OwnershipExpired:
    """No witness has said in time that the session is ours: the browser stands still."""


@dataclass(frozen=True, slots=True)
class OwnershipRenewed:
    """A witness says again that the session is ours: the browser goes on."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Worker and browser together take this much memory, in bytes."""

    memory: int


@dataclass(frozen=True, slots=True)
class RetryingAfter:
    """Something transient that the state should tell while it is tried again."""

    reason: Reason
    message: str


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
    | OwnershipExpired
    | OwnershipRenewed
    | Measured
    | Tick
)
