"""Use a store that knows the guide's four verbs only: one archive a session, no exclusive create, hence no fence."""

import contextlib
import datetime
import pathlib
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import filesystem, plugin_guard


@runtime_checkable
class Verbs(Protocol):
    """The guide's interface of a remote store; ``session`` is the whole name, such as ``RemoteAuth-support``."""

    def session_exists(self, session: str) -> bool:
        """Tell whether the session was saved; raises an exception, never False, when it cannot tell."""

    def save(self, session: str, path: pathlib.Path) -> None:
        """Store the zip file ``path`` as the session, replacing the previous one."""

    def extract(self, session: str, path: pathlib.Path) -> None:
        """Write the saved zip to the new file ``path``."""

    def delete(self, session: str) -> None:
        """Remove what was saved."""


def as_backend(kind: str, made: object, allow_unfenced: bool) -> stores.Backend:
    """Return a foreign store as one that the worker can use.

    Raises StoreUnfenced for one with the four verbs only unless that is accepted, ConfigurationError for anything else.
    """
    if all(callable(getattr(made, verb, None)) for verb in ("create", "read", "list", "delete")):
        with plugin_guard.translated(kind, "visibility"):
            visibility = getattr(made, "visibility", None)
        if not isinstance(visibility, int | float):
            raise errors.ConfigurationError(f"the store {kind!r} does not define its visibility in seconds")
        return plugin_guard.ForeignStore(kind, made, allow_unfenced)
    if not isinstance(made, Verbs):
        raise errors.ConfigurationError(
            f"the store {kind!r} has neither create, read, list, delete nor session_exists, save, extract, delete"
        )
    if not allow_unfenced:
        raise errors.StoreUnfenced(
            f"the store {kind!r} cannot create exclusively, so two workers could run one session: "
            "use another store, or accept it with allowUnfenced"
        )
    return UnfencedStore(kind, made)


class UnfencedStore:
    """Keep log and archives in a directory of this process, and the newest archive in the foreign store.

    The foreign store is the copy (``stores.Copies``): a start finds no generation of its own and imports it, each save
    replaces it. What the log fences is this process only.
    """

    visibility = 0.0

    def __init__(self, kind: str, made: Verbs) -> None:
        self._kind = kind
        self._made = made
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="whatsapp-unfenced-"))
        weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        local = filesystem.FilesystemStore(self._directory)
        self.create, self.read, self.list, self.delete = local.create, local.read, local.list, local.delete
        self._known: dict[str, stores.Copy] = {}
        """What this process has written or extracted, by session."""

    def __repr__(self) -> str:
        return f"UnfencedStore({self._kind!r})"

    @property
    def capabilities(self) -> stores.Capabilities:
        """Say that the copy is all that is kept; no attribute, whose cycle would keep the directory longer."""
        return stores.Capabilities(copies=self, keeps_history=False)

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Ask whether the session exists; what this process has not written is extracted, once, to look at it."""
        with self._asked("session_exists", session):
            exists = self._made.session_exists(session)
        if not exists:
            return None
        if session not in self._known:
            self._extract(session)
            moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
            self._known[session] = stores.Copy(self._kept(session).stat().st_size, moment, "extracted", "")
        return self._known[session]

    def _kept(self, session: str) -> pathlib.Path:
        return self._directory / f"{stores.checked(session)}.zip"

    def _extract(self, session: str) -> None:
        self._kept(session).unlink(missing_ok=True)
        with self._asked("extract", session):
            self._made.extract(session, self._kept(session))
            self._kept(session).stat()

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Save without a check whether another writer did so meanwhile."""
        path = self._kept(session)
        path.unlink(missing_ok=True)
        try:
            size = _write(path, self.read(name))
            with self._asked("save", session):
                self._made.save(session, path)
        finally:
            path.unlink(missing_ok=True)
        self._known[session] = stores.Copy(size, uploaded, name, name)
        return self._known[session]

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Extract to a file and stream it; raises NotFound if the session does not exist."""
        if self.stat_copy(session) is None:
            raise errors.NotFound(f"{session}.zip")
        if not self._kept(session).exists():
            self._extract(session)
        return _read(self._kept(session))

    def delete_copy(self, session: str) -> None:
        """Delete the session."""
        with self._asked("delete", session):
            self._made.delete(session)
        self._known.pop(session, None)
        self._kept(session).unlink(missing_ok=True)

    def probe(self, session: str) -> str:
        """Save, look, extract and delete a few bytes under a name that no session has; raises StoreUnavailable."""
        name, content = f"{session}/archives/1.zip", b"written by whatsapp-worker store check"
        self.create(name, [content])
        try:
            self.put_copy(name, session, datetime.datetime.now(datetime.UTC), None)
            self._known.pop(session)
            if b"".join(self.read_copy(session)) != content:
                raise errors.StoreUnavailable("the store returned other bytes than the check saved")
        finally:
            self.delete(name)
            self.delete_copy(session)
        return "what was saved is extracted"

    def _asked(self, verb: str, session: str) -> contextlib.AbstractContextManager[None]:
        return plugin_guard.translated(self._kind, f"{verb} of {session}")


def _write(path: pathlib.Path, content: Iterable[bytes]) -> int:
    with path.open("xb") as stream:
        for chunk in content:
            stream.write(chunk)
        return stream.tell()


def _read(path: pathlib.Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(stores.CHUNK):
            yield chunk
