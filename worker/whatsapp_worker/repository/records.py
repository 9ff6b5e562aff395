"""Read and write the records of a session's log; parsing happens here once.

Format: JSON, one object a slot, ``{formatVersion, slot, kind, time, nonce, owner, <kind>: {...}}``. Unknown fields are
kept in ``raw``. Source: the persistence protocol, section 3.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from whatsapp_worker import errors

FORMAT_VERSION = 1


class Kind(StrEnum):
    """What a slot holds."""

    CLAIM = "claim"
    GENERATION = "generation"
    LOGOUT = "logout"
    RELEASE = "release"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who wrote a record. In a cluster the session's UID tells owners apart, elsewhere host, boot and data path."""

    cluster: str = ""
    namespace: str = ""
    session_uid: str = ""
    pod_uid: str = ""
    host: str = ""
    boot_id: str = ""
    pid: int = 0
    start_time: float = 0.0
    data_path: str = ""

    def same_session(self, other: "Owner") -> bool:
        """Tell whether both are workers of one session, so that one may follow the other without a person's word."""
        if self.session_uid or other.session_uid:
            return (self.cluster, self.session_uid) == (other.cluster, other.session_uid)
        return (self.host, self.boot_id, self.data_path) == (other.host, other.boot_id, other.data_path)

    def same_place(self, other: "Owner") -> bool:
        """Tell whether both are the same pod, or without Kubernetes the same data path of one boot."""
        if self.session_uid or other.session_uid:
            return bool(self.pod_uid) and self.pod_uid == other.pod_uid and self.same_session(other)
        return self.same_session(other)

    def describe(self) -> str:
        """Name the owner for a message."""
        if self.session_uid:
            return f"pod {self.host or self.pod_uid} of namespace {self.namespace}"
        return f"process {self.pid} on host {self.host} with data path {self.data_path}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A start: kills every publish that has not taken its slot; ``takeover`` is the time of the request it fulfils."""

    poll_seconds: int
    takeover: str = ""
    wait_seconds: float = 0.0
    """How long the claimer lets a previous owner run out before it launches: a debt until it has passed."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A complete, checked archive; ``digest`` is of its bytes, ``content_digest`` of what the profile says.

    ``proven`` is the number of the newest generation that a restore has brought to Connected, 0 for none.
    """

    number: int
    archive: str
    digest: str
    size: int
    content_digest: str
    browser_version: str
    worker_version: str
    account_hash: str
    trigger: str
    upload_date: str
    checks: tuple[str, ...] = ()
    proven: int = 0
    key_id: str = ""
    original_digest: str = ""
    original_size: int = 0
    """Of the plain bytes of another program's archive that was encrypted when it came in: by them it is known again."""

    @property
    def plain(self) -> tuple[str, int]:
        """Digest and size of the bytes as a copy for the JavaScript stores has them."""
        return (self.original_digest or self.digest, self.original_size or self.size)


@dataclass(frozen=True, slots=True)
class Logout:
    """A tombstone: what was saved for this account before is dead; ``requested`` is the time of a person's request."""

    account_hash: str
    requested: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A clean stop: any owner may follow, at once unless the stop came before our own wait had passed."""

    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Purge:
    """The archives before it were deleted on purpose: none is restored, none is missed."""


Body = Claim | Generation | Logout | Release | Purge


@dataclass(frozen=True, slots=True)
class Record:
    """One slot of the log."""

    slot: int
    time: str
    nonce: str
    owner: Owner
    body: Body
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def generation(self) -> Generation:
        """The body of a record that is known to be a generation's."""
        assert isinstance(self.body, Generation)
        return self.body


_OWNER = {"session_uid": "sessionUID", "pod_uid": "podUID"}
_KINDS: dict[Kind, type[Claim] | type[Generation] | type[Logout] | type[Release] | type[Purge]] = {
    Kind.CLAIM: Claim,
    Kind.GENERATION: Generation,
    Kind.LOGOUT: Logout,
    Kind.RELEASE: Release,
    Kind.PURGE: Purge,
}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return _OWNER.get(name) or head + "".join(part.capitalize() for part in rest)


def encode(record: Record) -> bytes:
    """Return the record's JSON text; empty owner fields are left out."""
    kind = next(kind for kind, body in _KINDS.items() if isinstance(record.body, body))
    document = {
        "formatVersion": FORMAT_VERSION,
        "slot": record.slot,
        "kind": str(kind),
        "time": record.time,
        "nonce": record.nonce,
        "owner": {_camel(name): value for name, value in asdict(record.owner).items() if value},
        str(kind): {_camel(name): value for name, value in asdict(record.body).items()},
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def decode(text: bytes, where: str) -> Record:
    """Parse a slot's content; raises LogBroken with ``where`` if this version cannot read it."""
    try:
        document = json.loads(text)
        version = document["formatVersion"]
        if version > FORMAT_VERSION:
            raise errors.LogBroken(f"{where} has format {version}, which this worker does not know; use a newer worker")
        kind = Kind(document["kind"])
        shape = _KINDS[kind]
        return Record(
            slot=int(document["slot"]),
            time=str(document["time"]),
            nonce=str(document["nonce"]),
            owner=Owner(**_fields(Owner, document["owner"])),
            body=shape(**_fields(shape, document.get(str(kind), {}))),
            raw=document,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise errors.LogBroken(f"{where} is not a record of this log ({type(error).__name__}: {error})") from error


def _fields(shape: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: given[_camel(name)] for name in shape.__dataclass_fields__ if _camel(name) in given}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
