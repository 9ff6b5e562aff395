"""Talk to the server: an address that is read again, time-outs on every call, errors of ours."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo
import pymongo.database
import pymongo.errors

from whatsapp_worker import errors
from whatsapp_worker.stores import credentials, retry

URI = "MONGODB_URI"
CONNECT_TIMEOUT = 5.0
SELECTION_TIMEOUT = 5.0
"""Seconds to find the primary."""
SOCKET_TIMEOUT = 15.0
"""Seconds without a byte after which a request is given up."""
Document = dict[str, Any]
Database = pymongo.database.Database[Document]
_T = TypeVar("_T")
_NO_ADDRESS = "the store's address (key uri of its secret) is not one of MongoDB"
_DENIED = (13, 18, 8000)
"""Unauthorized, AuthenticationFailed, Atlas' own."""
_FULL = (14031, 12501)
"""OutOfDiskSpace, quota exceeded."""


class Server:
    """A client for one database that follows changes of the secret."""

    def __init__(
        self,
        database: str,
        secrets: credentials.Files,
        waiting: retry.Patience,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.patience = waiting
        self._name = database
        self._secrets = secrets
        self._environ = environ
        self._lock = threading.Lock()
        self._known = ""
        self._client: pymongo.MongoClient[Document] | None = None
        self._closing: weakref.finalize[Any, Any] | None = None

    def database(self) -> Database:
        """Return the database through a client with the address of this moment."""
        with self._lock:
            uri = self._uri()
            if self._client is None or uri != self._known:
                self.close()
                self._client, self._known = _connect(uri), uri
                self._closing = weakref.finalize(self, self._client.close)
            return self._client[self._name]

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._closing is not None:
            self._closing()
        self._client = self._closing = None

    def _uri(self) -> str:
        found = self._secrets.read("uri")
        uri = found[0] if found else self._environ.get(URI, "")
        if not uri:
            raise errors.StoreDenied(f"no address for the store: give its secret with the key uri, or set {URI}")
        if not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise errors.StoreDenied(_NO_ADDRESS)
        return uri

    def ask(self, what: str, work: Callable[[Database], _T]) -> _T:
        """Run ``work`` with the database, again as patience allows; ``what`` names it in an error."""

        def once() -> _T:
            with translated(what):
                return work(self.database())

        return self.patience.call(once)


def _connect(uri: str) -> pymongo.MongoClient[Document]:
    return pymongo.MongoClient(
        uri,
        appname="whatsapp-worker",
        tz_aware=True,
        connectTimeoutMS=int(CONNECT_TIMEOUT * 1000),
        serverSelectionTimeoutMS=int(SELECTION_TIMEOUT * 1000),
        socketTimeoutMS=int(SOCKET_TIMEOUT * 1000),
        # Whatever the address says: a create counts when a majority has it, and who reads sees what a majority has.
        w="majority",
        readPreference="primary",
        readConcernLevel="majority",
        retryWrites=False,  # ours compare nonces, so they also know the outcome of the first try
        retryReads=False,
    )


class Walk:
    """A walk over the numbered chunks of one content that goes on where a connection broke.

    One query and a cursor: a query for each chunk costs a round trip, and on servers without an index a scan.
    """

    def __init__(self, collection: str, field: str, value: Callable[[int], Any], among: Document) -> None:
        self._collection = collection
        self._field = field
        self._value = value
        """The field's value in the chunk of a number; values grow with the numbers."""
        self._among = among
        self._number = 0
        self._cursor: Iterator[Document] | None = None

    def following(self, db: Database) -> Document | None:
        """Return the next chunk, None where it is missing."""
        wanted = self._value(self._number)
        try:
            if self._cursor is None:
                above = {**self._among.get(self._field, {}), "$gte": wanted}
                found = db[self._collection].find(self._among | {self._field: above})
                self._cursor = found.sort(self._field, 1).batch_size(8)
            chunk = next(self._cursor, None)
        except BaseException:
            self._cursor = None
            raise
        if chunk is None or chunk[self._field] != wanted:
            return None
        self._number += 1
        return chunk


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the client's exceptions into ours; the originals, which hold addresses, are not chained."""
    try:
        yield
    except pymongo.errors.DuplicateKeyError:
        raise errors.AlreadyExists(what) from None
    except pymongo.errors.NetworkTimeout:
        raise errors.StoreUnavailable(f"the store did not answer in time ({what})") from None
    except pymongo.errors.ConnectionFailure as error:
        raise _disconnected(error, what) from None
    except pymongo.errors.OperationFailure as error:
        raise _failed(error, what) from None
    except (pymongo.errors.ConfigurationError, pymongo.errors.InvalidURI, ValueError, TypeError):
        raise errors.StoreDenied(_NO_ADDRESS) from None
    except pymongo.errors.PyMongoError as error:
        raise errors.StoreUnavailable(f"the store could not be asked ({what}: {type(error).__name__})") from None


def _disconnected(error: pymongo.errors.ConnectionFailure, what: str) -> errors.StoreUnavailable:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return errors.StoreDenied("the store's certificate is not trusted: set tlsCAFile in its address")
    if "SSL" in str(error):
        return errors.StoreUnavailable(f"no TLS connection to the store ({what})")
    return errors.StoreUnavailable(f"no connection to the store, or it broke ({what}: {type(error).__name__})")


def _failed(error: pymongo.errors.OperationFailure, what: str) -> errors.StoreUnavailable:
    said = f"{what}: code {error.code}"
    if error.code in _DENIED:
        return errors.StoreDenied(f"the store denies access: check user, password and rights ({said})")
    if error.code in _FULL:
        return errors.StoreFull(f"the store is full ({said})")
    return errors.StoreUnavailable(f"the store cannot serve at present ({said})")
