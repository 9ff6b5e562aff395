"""Let no exception of a foreign store through that is not ours: a driver's text may hold an address with a password."""

import contextlib
import datetime
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from whatsapp_worker import errors, stores

_T = TypeVar("_T")


@contextlib.contextmanager
def translated(kind: str, what: str) -> Iterator[None]:
    """Turn any exception that is not ours into StoreUnavailable with the name of its class, and chain nothing."""
    try:
        yield
    except errors.WorkerError as error:
        raise error from None  # what it was made from is a driver's too
    except Exception as error:
        raise errors.StoreUnavailable(f"the store {kind} failed at {what}: {type(error).__name__}") from None


class ForeignStore:
    """Pass everything on; only the capabilities of the foreign store are this one's too.

    Unless that is accepted, its first record is written twice, and StoreUnfenced raised if it lets that pass.
    """

    def __init__(self, kind: str, made: Any, allow_unfenced: bool = False) -> None:
        self._kind = kind
        self._made = made
        self._trusted = allow_unfenced
        self.capabilities = stores.Capabilities(
            self if isinstance(made, stores.Copies) else None, self if isinstance(made, stores.Sweeps) else None
        )

    def __repr__(self) -> str:
        return f"ForeignStore({self._kind!r})"

    def _asked(self, verb: str, name: str) -> contextlib.AbstractContextManager[None]:
        return translated(self._kind, f"{verb} of {name}")

    def _each(self, verb: str, name: str, found: Iterable[_T]) -> Iterator[_T]:
        with self._asked(verb, name):
            following = iter(found)
        while True:
            with self._asked(verb, name):
                try:
                    item = next(following)
                except StopIteration:
                    return
            yield item

    @property
    def visibility(self) -> float:
        """Ask the store."""
        with translated(self._kind, "visibility"):
            return float(self._made.visibility)

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Create; a content that fails is not the store's fault and raises what it raised."""
        if self._trusted or "/log/" not in name:
            self._create(name, content)
            return
        record = b"".join(content)
        self._create(name, [record])
        try:
            self._create(name, [record])
        except errors.AlreadyExists:
            self._trusted = True
            return
        raise errors.StoreUnfenced(
            f"the store {self._kind!r} allows a name to be written twice, so two workers could run one session: "
            "use another store, or accept it with allowUnfenced"
        )

    def _create(self, name: str, content: Iterable[bytes]) -> None:
        failed: list[Exception] = []

        def watched() -> Iterator[bytes]:
            try:
                yield from content
            except Exception as error:
                failed.append(error)
                raise

        try:
            with self._asked("create", stores.checked(name)):
                self._made.create(name, watched())
        except errors.WorkerError:
            if not failed:
                raise
        if failed:
            raise failed[0]

    def read(self, name: str) -> Iterator[bytes]:
        """Read."""
        with self._asked("read", stores.checked(name)):
            found = self._made.read(name)
        return self._each("read", name, found)

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """List."""
        with self._asked("list", prefix):
            found = self._made.list(prefix)
        return self._each("list", prefix, found)

    def delete(self, name: str) -> None:
        """Delete."""
        with self._asked("delete", stores.checked(name)):
            self._made.delete(name)

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Describe the copy."""
        with self._asked("stat_copy", session):
            found: stores.Copy | None = self._made.stat_copy(session)
        return found

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Write the copy."""
        with self._asked("put_copy", session):
            made: stores.Copy = self._made.put_copy(name, session, uploaded, replaces)
        return made

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Read the copy."""
        with self._asked("read_copy", session):
            found = self._made.read_copy(session)
        return self._each("read_copy", session, found)

    def delete_copy(self, session: str) -> None:
        """Delete the copy."""
        with self._asked("delete_copy", session):
            self._made.delete_copy(session)

    def sweep(self, prefix: str) -> None:
        """Remove unfinished creates."""
        with self._asked("sweep", prefix):
            self._made.sweep(prefix)
