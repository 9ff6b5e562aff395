"""Hold what the worker's machine decides by. Pure; times are seconds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user has configured; it does not change while the worker runs."""

    saves: bool = True
    """Whether the strategy keeps archives; without, the worker never saves."""
    keeps_profile: bool = False
    """Whether a link that is not saved outlives the worker: then a stop does not wait for its first sync."""
    interval: float = 300.0
    linking_timeout: float = 1800.0
    """0 means no limit."""
    phone_number: str = field(default="", repr=False)
    """Set for linking by pairing code."""
    expected_account: str = ""
    archive_warning: int = 0
    """Size of an archive in bytes above which the worker warns, 0 = never."""
    memory_warning: int = 0
    """The same for the memory of worker and browser together."""
    strict: bool = False
    """Raise on a transition that the table does not list. Tests set it; in production the session continues."""
