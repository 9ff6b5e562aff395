"""What a test can set: sizes and times, policies where the real service is unknown, and faults."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping


class RollbackPolicy(enum.StrEnum):
    """Say what the service does with a profile that is older than the last one it saw."""

    TOLERATE = "tolerate"
    UNDECRYPTABLE = "undecryptable"
    LOGOUT = "logout"


class SecondBrowserPolicy(enum.StrEnum):
    """Say which of two browsers on one login keeps the connection."""

    REPLACE = "replace"
    REFUSE = "refuse"


class LoginFault(enum.StrEnum):
    """Refuse every page at the socket, for a reason that is not the session's."""

    NONE = "none"
    CLIENT_OUTDATED = "client_outdated"
    TEMPORARY_BAN = "temporary_ban"
    PROXY_BLOCK = "proxy_block"


class SyncFault(enum.StrEnum):
    """Break the announcement that the page has synced."""

    NONE = "none"
    NEVER = "never"
    EARLY = "early"  # synced, and announced, before any listener can be attached
    FLAPPING = "flapping"  # false and true again, `flap_s` apart, `flaps` times
    AGAIN_ON_RECONNECT = "again_on_reconnect"


class LogoutFault(enum.StrEnum):
    """Say what a page does after the phone has removed its device; WhatsApp Web's leaves at once."""

    NONE = "none"
    STAYS = "stays"  # does not navigate, and announces once more that it is connected and has synced
    RETURNS = "returns"  # does not navigate, and is OPENING and CONNECTED once more
    OPENING = "opening"  # does not navigate, and stays OPENING
    UNPAIRED = "unpaired"  # does not navigate, and becomes UNPAIRED without a code
    UNPAIRED_IDLE = "unpaired_idle"  # the same, UNPAIRED_IDLE
    SILENT = "silent"  # says nothing and stays CONNECTED; only nobody is linked any more


class IdleFault(enum.StrEnum):
    """Say what a page does that is asked for new codes after the last one has passed."""

    NONE = "none"
    OLD_REF = "old_ref"  # asks for a link with the code that has passed, until the new ones are there


class CrashAt(enum.StrEnum):
    """Name the moment at which the page takes its renderer process down."""

    NEVER = "never"
    LOAD = "load"
    LINKED = "linked"
    SYNCED = "synced"


class ContractBreak(enum.StrEnum):
    """Say what becomes of a named module or member of the page; GIVES_...: of what a function returns."""

    MISSING = "missing"
    RENAMED = "renamed"
    NUMBER = "number"
    OBJECT = "object"
    NULL = "null"
    EMPTY = "empty"
    ASYNCHRONOUS = "asynchronous"  # a promise of the value, or a function that returns one
    SYNCHRONOUS = "synchronous"  # a function that returned a promise returns the value
    GIVES_NUMBER = "gives_number"
    GIVES_OBJECT = "gives_object"
    GIVES_NULL = "gives_null"
    GIVES_EMPTY = "gives_empty"
    THROWS = "throws"
    NEVER = "never"  # a function that returns a promise which never settles


@dataclasses.dataclass(frozen=True, slots=True)
class Breakage:
    """Name one module, or one member of it, that the page no longer has as it was.

    The module ``window`` has the members ``require`` and ``Debug``. ``get().key`` is a member of what ``get`` returns.
    """

    module: str
    member: str | None = None
    how: ContractBreak = ContractBreak.MISSING


@dataclasses.dataclass(frozen=True, slots=True)
class Knobs:
    """Hold every setting; times in seconds, sizes in bytes."""

    ref_first_s: float = 60.0
    ref_next_s: float = 20.0
    ref_count: int = 6
    idle_qr: bool = False  # the page starts with no ref, as if all had been used up
    code_ttl_s: float = 180.0
    passkey_required: bool = False
    lid_only: bool = False  # the page names who is linked by the hidden id alone, as it does for some accounts
    sync_s: float = 1.5
    sync_bytes: int = 5_000_000
    small_value_bytes: int = 2_000  # stays inside LevelDB
    large_value_bytes: int = 131_072  # Chromium moves values over 64 KiB to blob files
    large_share: float = 0.5  # of sync_bytes
    write_interval_s: float = 0.0  # steady writing after the sync; 0 = none
    write_bytes: int = 65_536
    ratchet_interval_s: float = 0.0  # further steps while connected; 0 = at login and for messages only
    step_at_login: bool = True
    rollback_policy: RollbackPolicy = RollbackPolicy.TOLERATE
    second_browser_policy: SecondBrowserPolicy = SecondBrowserPolicy.REPLACE
    login_delay_s: float = 0.0  # from a page's login to the server's answer
    login_fault: LoginFault = LoginFault.NONE
    ban_s: float = 3600.0
    sync_fault: SyncFault = SyncFault.NONE
    flaps: int = 3
    flap_s: float = 0.5
    logout_fault: LogoutFault = LogoutFault.NONE
    idle_fault: IdleFault = IdleFault.NONE
    crash_at: CrashAt = CrashAt.NEVER
    site_error: int = 0  # an HTTP status that is served instead of the page; 0 = the page
    page_delay_s: float = 0.0  # from load until window.Debug and window.require appear
    web_version: str = "2.3000.1031000000"
    contract: tuple[Breakage, ...] = ()
    renamed_state: str = ""  # "CONNECTED=ONLINE": the page has another word for a state


_PAGE_KNOBS = (
    "sync_s",
    "sync_bytes",
    "small_value_bytes",
    "large_value_bytes",
    "large_share",
    "write_interval_s",
    "write_bytes",
    "sync_fault",
    "flaps",
    "flap_s",
    "logout_fault",
    "idle_fault",
    "crash_at",
    "page_delay_s",
    "web_version",
    "lid_only",
    "contract",
    "renamed_state",
)


class BadKnobError(ValueError):
    """Say which knob has no such name or does not take such a value."""


def patched(knobs: Knobs, changes: Mapping[str, object]) -> Knobs:
    """Return the knobs with these changes; raise BadKnobError at the first one that does not fit."""
    known = {field.name: field for field in dataclasses.fields(Knobs)}
    values: dict[str, object] = {}
    for name, raw in changes.items():
        if name not in known:
            raise BadKnobError(f"no knob {name!r}; there are: {', '.join(sorted(known))}")
        values[name] = _parsed(name, getattr(Knobs(), name), raw)
    return dataclasses.replace(knobs, **values)  # type: ignore[arg-type] # names and types were checked above


def _parsed(name: str, default: object, raw: object) -> object:
    match default:
        case enum.StrEnum():
            kind = type(default)
            if raw not in [member.value for member in kind]:
                raise BadKnobError(f"{name}: {raw!r} is none of {', '.join(kind)}")
            return kind(raw)
        case bool():
            if isinstance(raw, bool):
                return raw
        case float() | int():
            if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0:
                return type(default)(raw)
        case str():
            if isinstance(raw, str):
                return raw
        case _:
            if isinstance(raw, list | tuple):
                return tuple(_breakage(name, item) for item in raw)
    raise BadKnobError(f"{name}: {raw!r} is no {type(default).__name__}")


def _breakage(name: str, item: object) -> Breakage:
    if isinstance(item, Breakage):
        return item
    if not isinstance(item, Mapping) or not isinstance(item.get("module"), str):
        raise BadKnobError(
            f'{name}: each entry is {{"module": ..., "member": ..., "how": one of {", ".join(ContractBreak)}}}'
        )
    member, how = item.get("member"), item.get("how", "missing")
    if not (member is None or isinstance(member, str)) or how not in list(ContractBreak):
        raise BadKnobError(f"{name}: {item!r} has a bad member or how")
    return Breakage(item["module"], member, ContractBreak(how))


def as_json(knobs: Knobs) -> dict[str, object]:
    """Return every knob as JSON values."""
    return dataclasses.asdict(knobs)


def for_page(knobs: Knobs) -> dict[str, object]:
    """Return the knobs that the page itself obeys."""
    values = as_json(knobs)
    return {name: values[name] for name in _PAGE_KNOBS}
