"""Define what a store must do: four primitives on names, and how late a create may become visible elsewhere.

Everything above (log, archives, retention) is written once on top of them. Calls block; callers use a thread.
Names are relative paths of safe pieces; contents travel as streams of byte chunks.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from whatsapp_worker import errors

CHUNK = 1 << 18
"""Bytes of one chunk of a stream: large enough for a disk, small against the memory bound."""
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


def checked(name: str) -> str:
    """Return ``name`` if each of its pieces is safe on every backend; raises ValueError else."""
    if not all(_PIECE.fullmatch(piece) for piece in name.split("/")):
        raise ValueError(f"{name!r} is no name for a store")
    return name


def split_address(address: str) -> tuple[str, str]:
    """Split a store's address ``kind:rest``; raises ConfigurationError with an example."""
    kind, separator, rest = address.partition(":")
    if not separator or not rest:
        raise errors.ConfigurationError(f"the store's address {address!r} must look like file:DIRECTORY")
    return kind, rest
