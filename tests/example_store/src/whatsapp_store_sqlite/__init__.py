"""Keep WhatsApp sessions in one SQLite file."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from whatsapp_worker import errors, stores

_TABLES = """
create table if not exists names (name text primary key, size integer not null);
create table if not exists chunks (name text, number integer, content blob, primary key (name, number));
create table if not exists sessions (session text primary key, content blob not null);
"""


def open_store(rest: str, options: Mapping[str, str]) -> "SqliteStore":
    """Open ``sqlite:FILE``; without a file in the address the option ``file`` names it."""
    return SqliteStore(_file(rest, options))


def open_simple(rest: str, options: Mapping[str, str]) -> "SimpleStore":
    """Open ``sqlite-simple:FILE``."""
    return SimpleStore(_file(rest, options))


def _file(rest: str, options: Mapping[str, str]) -> pathlib.Path:
    named = rest or options.get("file", "")
    if not named:
        raise errors.ConfigurationError("the SQLite store needs a file: sqlite:FILE, or the option file")
    return pathlib.Path(named)


@contextlib.contextmanager
def _connected(file: pathlib.Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(file, timeout=30, isolation_level=None)
        try:
            connection.executescript(_TABLES)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise errors.StoreUnavailable(f"the SQLite file could not be used ({error})") from error


@contextlib.contextmanager
def _transaction(file: pathlib.Path) -> Iterator[sqlite3.Connection]:
    with _connected(file) as connection:
        connection.execute("begin immediate")
        try:
            yield connection
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")


class SqliteStore:
    """The four primitives: a transaction makes a name and its chunks appear together."""

    visibility = 0.0

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Insert; the primary key decides who wins."""
        stores.checked(name)
        with _transaction(self.file) as connection:
            try:
                connection.execute("insert into names values (?, 0)", (name,))
            except sqlite3.IntegrityError:
                raise errors.AlreadyExists(name) from None
            size = 0
            for number, chunk in enumerate(content):
                connection.execute("insert into chunks values (?, ?, ?)", (name, number, bytes(chunk)))
                size += len(chunk)
            connection.execute("update names set size = ? where name = ?", (size, name))

    def read(self, name: str) -> Iterator[bytes]:
        """Look for the name now; read chunk by chunk."""
        stores.checked(name)
        with _connected(self.file) as connection:
            if connection.execute("select 1 from names where name = ?", (name,)).fetchone() is None:
                raise errors.NotFound(name)
        return self._chunks(name)

    def _chunks(self, name: str) -> Iterator[bytes]:
        with _connected(self.file) as connection:
            rows = connection.execute("select content from chunks where name = ? order by number", (name,))
            for (content,) in rows:
                yield content

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """List by range: no wildcard can be smuggled into it."""
        folder = stores.checked(prefix.rstrip("/"))
        with _connected(self.file) as connection:
            wanted = (f"{folder}/", f"{folder}0")  # "0" follows "/"
            rows = connection.execute("select name, size from names where name > ? and name < ? order by name", wanted)
            return iter([stores.Entry(name, size) for name, size in rows.fetchall()])

    def delete(self, name: str) -> None:
        """Delete name and chunks together."""
        with _transaction(self.file) as connection:
            connection.execute("delete from chunks where name = ?", (stores.checked(name),))
            connection.execute("delete from names where name = ?", (name,))


class SimpleStore:
    """The guide's four verbs, and no word about who wins."""

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file

    def session_exists(self, session: str) -> bool:
        """Look for the session."""
        with _connected(self.file) as connection:
            return connection.execute("select 1 from sessions where session = ?", (session,)).fetchone() is not None

    def save(self, session: str, path: pathlib.Path) -> None:
        """Keep the zip file, whatever was there before."""
        with _transaction(self.file) as connection:
            connection.execute("insert or replace into sessions values (?, ?)", (session, path.read_bytes()))

    def extract(self, session: str, path: pathlib.Path) -> None:
        """Write the zip file."""
        with _connected(self.file) as connection:
            (content,) = connection.execute("select content from sessions where session = ?", (session,)).fetchone()
        path.write_bytes(content)

    def delete(self, session: str) -> None:
        """Forget the session."""
        with _transaction(self.file) as connection:
            connection.execute("delete from sessions where session = ?", (session,))
