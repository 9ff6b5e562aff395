"""Name what a worker must do now: the machine's output. Pure."""

from dataclasses import dataclass, field

from whatsapp_session.conditions import ExitCode, Reason, SaveTrigger


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the browser on the prepared profile and load the page."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load the page again."""


@dataclass(frozen=True, slots=True)
class Recycle:
    """End the browser and start it again on the same profile; ``gently`` lets it write its profile first."""

    gently: bool = False


@dataclass(frozen=True, slots=True)
class RestorePrevious:
    """End the browser and restore the profile of the generation before, or prepare an empty one."""


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
class RetireLogin:
    """Retire the archives of the account that logged out: they are never restored again."""

    account_hash: str


@dataclass(frozen=True, slots=True)
class Relink:
    """Unlink this device and retire its archives as the user requested, then start again on an empty profile."""

    account_hash: str
    requested: str


@dataclass(frozen=True, slots=True)
class CheckOwnership:
    """Ask the log whether our claim is the newest."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Take the session back from another browser."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """Remove this device from an account that is not the expected one."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Call the library's listeners."""

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
    | RestorePrevious
    | RefreshQr
    | AskPairingCode
    | Save
    | RetireLogin
    | Relink
    | CheckOwnership
    | TakeOver
    | Unlink
    | Emit
    | Shutdown
)
