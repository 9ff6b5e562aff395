"""Define what a store must do: four primitives on names, and how late a create may become visible elsewhere.

Everything above (log, archives, retention) is written once on top of them. Calls block; callers use a thread.
Names are relative paths of safe pieces; contents travel as streams of byte chunks.
"""

import datetime
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from whatsapp_worker import errors

CHUNK = 1 << 18
"""Bytes of one chunk of a stream: large enough for a disk, small against the memory bound."""
BUILT_IN = ("file", "s3", "mongodb")
"""Kinds of addresses that need no other package."""
_PIECE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored name and its size in bytes."""

    name: str
    size: int


class Store(Protocol):
    """Keep named contents; no name is ever overwritten.

    Each method raises StoreUnavailable when the outcome is not known.
    """

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Store ``content`` under ``name`` whole and durably, or raise AlreadyExists and change nothing."""

    def read(self, name: str) -> Iterator[bytes]:
        """Return the content of ``name``; raises NotFound before the first chunk."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Return every entry whose name begins with the folder ``prefix`` (ends in ``/``)."""

    def delete(self, name: str) -> None:
        """Remove ``name``; a name that does not exist is no error."""


class Visible(Protocol):
    """Say how many seconds may pass until every reader sees a create."""

    @property
    def visibility(self) -> float:
        """Seconds; 0 when a create is visible at once to all."""


class Backend(Store, Visible, Protocol):
    """A store together with its visibility bound."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The archive as the JavaScript stores see it."""

    size: int
    modified: datetime.datetime
    """When it was written, by the store's clock or as its writer said; with a time zone."""
    version: str
    """What changes whenever somebody writes it anew: an ETag, an id, an inode with its time."""
    source: str
    """Name of our archive that it was made from; "" when somebody else wrote it."""


@runtime_checkable
class Copies(Protocol):
    """Keep one copy of an archive for each session where the JavaScript stores look for it.

    S3: ``<remoteDataPath>/<session>.zip``; MongoDB: the file ``<session>.zip`` in the bucket ``whatsapp-<session>``;
    filesystem: ``<session>.zip``. ``session`` is the whole name, such as ``RemoteAuth-support``. Optional: a store
    without it has no copies.
    """

    def stat_copy(self, session: str) -> Copy | None:
        """Return what stands there now (the newest, where a store keeps several), None if the store says nothing."""

    def put_copy(self, name: str, session: str, uploaded: datetime.datetime, replaces: Copy | None) -> Copy:
        """Let the content of our archive ``name`` be the session's copy in the place of ``replaces``.

        On the server's side where it can do that. Raises CopyChanged if what stands there is not ``replaces`` (None:
        nothing) any more, NotFound if there is no archive ``name``, StoreUnavailable when the outcome is not known.
        ``uploaded`` is the date it is given where the newest date wins (MongoDB), so that a late writer never does.
        """

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Return the content of the copy; raises NotFound before the first chunk."""

    def delete_copy(self, session: str) -> None:
        """Remove the copy, every version of it; none is no error."""


@runtime_checkable
class Sweeps(Protocol):
    """Remove what creates that never ended left behind, where no name shows it: temporary files, parts, chunks."""

    def sweep(self, prefix: str) -> None:
        """Remove the unfinished creates of names below the folder ``prefix``, those of running writers too.

        For the owner that has just claimed the session and has begun no create: everybody else is fenced by then.
        """


@runtime_checkable
class Anchors(Protocol):
    """Make sure at each call that the store is still the one that this process wrote to: a mount may have gone."""

    def anchor(self, session: str, name: str, mark: bytes) -> None:
        """From now on raise StoreChanged from each call for ``session`` unless ``name`` holds ``mark``."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do besides the four primitives; None: it cannot."""

    copies: Copies | None = None
    sweeper: Sweeps | None = None
    anchors: Anchors | None = None
    keeps_history: bool = True
    """False: nothing but the copy outlives this process, so that each save is copied."""


def capabilities(store: Store) -> Capabilities:
    """Return what a store says of itself in its attribute ``capabilities``, else what its methods say."""
    said = getattr(store, "capabilities", None)
    if isinstance(said, Capabilities):
        return said
    return Capabilities(
        store if isinstance(store, Copies) else None,
        store if isinstance(store, Sweeps) else None,
        store if isinstance(store, Anchors) else None,
    )


DEADLINE = 20.0
"""Seconds for which a request that fails is repeated; then the session's status says so, and it goes on being tried."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a store besides its address; they contain no credential."""

    secrets: pathlib.Path | None = None
    """Directory with one file for each credential, read again at each use; None: the environment has them."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of a store of somebody else's making."""
    allow_unfenced: bool = False
    """The user accepts a store that cannot create exclusively."""
    deadline: float = DEADLINE
    network: pathlib.Path | None = None
    """Directory with ``ca.crt`` and ``proxy``, either or both; None: public authorities and no proxy."""


def checked(name: str) -> str:
    """Return ``name`` if each of its pieces is safe on every backend; raises ValueError else."""
    if not all(_PIECE.fullmatch(piece) for piece in name.split("/")):
        raise ValueError(f"{name!r} is not a valid name in a store")
    return name


EXAMPLES = {"file": "file:DIRECTORY", "s3": "s3:BUCKET/PATH", "mongodb": "mongodb:DATABASE"}
_LIKE = f"it must look like {EXAMPLES['file']}, {EXAMPLES['s3']} or {EXAMPLES['mongodb']}"


def split_address(address: str) -> tuple[str, str]:
    """Split a store's address ``kind:rest``; raises ConfigurationError that says what is wrong with it."""
    kind, separator, rest = address.partition(":")
    fault = _fault(kind, separator, rest)
    if fault is not None:
        raise errors.ConfigurationError(f"the store's address {fault}")
    return kind, rest


def _fault(kind: str, separator: str, rest: str) -> str | None:
    if not (kind or separator):
        return f"is empty: {_LIKE}"
    if not separator or not kind or kind[0] in "./~":
        return f"does not name the kind of store: {_LIKE}"
    # A path may have one, and what a foreign package wants is its own; a server's address with one has a user.
    if "@" in rest and kind != "file" and (kind in BUILT_IN or rest.startswith("//") or kind.endswith("+srv")):
        return "may not hold a user or password ('@'); the server's address belongs in the Secret"
    if kind in ("http", "https"):
        return "is the address of a server; write s3:BUCKET?endpoint=URL"
    if kind in ("mongodb", "mongodb+srv") and rest.startswith("//"):
        return f"is the address of a server, which belongs in the Secret; name the database, {EXAMPLES['mongodb']}"
    if kind == "s3" and rest.startswith("//"):
        return f"may not begin with '//'; it must look like {EXAMPLES['s3']}"
    if kind == "file" and rest.startswith("//") and not rest.startswith("///"):
        return f"may not begin with '//'; it must look like {EXAMPLES['file']}"
    if kind in BUILT_IN and not rest:
        return f"names nothing after {kind}: it must look like {EXAMPLES[kind]}"
    return None
