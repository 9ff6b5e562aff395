"""Talk to the server: the address is read at each use, every call has a time-out, errors are translated."""

import dataclasses
import os
import pathlib
import re
import threading
import urllib.parse
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo
import pymongo.common
import pymongo.database
import pymongo.errors

from whatsapp_worker import errors
from whatsapp_worker.stores import clock_difference, credentials, network, retry, route
from whatsapp_worker.stores.mongo import address

URI = "MONGODB_URI"
CONNECT_TIMEOUT = 5.0
SELECTION_TIMEOUT = 5.0
"""Seconds to find the primary."""
SOCKET_TIMEOUT = 15.0
"""Seconds without a byte after which a request is given up."""
Document = dict[str, Any]
Database = pymongo.database.Database[Document]
_T = TypeVar("_T")
_ADDRESS = "the store's address (key uri of its Secret)"
_DENIED = (13, 18, 8000)
"""Unauthorized, AuthenticationFailed, Atlas' own."""
_FULL = (14031, 12501)
"""OutOfDiskSpace, quota exceeded."""
_UNKNOWN = (59, 115, 148, 238, 303)
"""CommandNotFound, CommandNotSupported, ReadConcernMajorityNotEnabled, NotImplemented, FeatureNotSupported."""
_COMMANDS = frozenset({"insert", "find", "getMore", "update", "delete", "aggregate", "createIndexes", "count", "hello"})
_REFUSED = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]+): \[SSL")
"""What the client says of a server whose certificate it refuses."""
_OPTIONS = frozenset(pymongo.common.VALIDATORS)
"""Names that may be told: those of MongoDB's own."""


class Unsupported(errors.StoreDenied):
    """The server does not know a command, or an option of it."""


class Server:
    """A client for one database that follows changes of the secret."""

    def __init__(
        self,
        database: str,
        secrets: credentials.Files,
        waiting: retry.Patience,
        network: pathlib.Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.patience = waiting
        self._name = database
        self._secrets = secrets
        self._environ = environ
        self._network = network
        self._lock = threading.Lock()
        self._known: tuple[str, route.Route] | None = None
        self._client: pymongo.MongoClient[Document] | None = None
        self._closing: weakref.finalize[Any, Any] | None = None

    def database(self) -> Database:
        """Return the database through a client with the address of this moment."""
        with self._lock:
            now = self._uri(), route.read(self._network)
            if self._client is None or now != self._known:
                self.close()
                self._client, self._known = _connect(*now), now
                self._closing = weakref.finalize(self, self._client.close)
            return self._client[self._name]

    def _trusted(self) -> route.Route:
        """Return the route of the last client, with the authorities that its address names."""
        uri, way = self._known or ("", route.DIRECT)
        named = re.search("[?&;]tlsCAFile=([^&;]*)", uri, re.IGNORECASE)
        return way if named is None else dataclasses.replace(way, ca_file=urllib.parse.unquote(named[1]))

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._closing is not None:
            self._closing()
        self._client = self._closing = None

    def _uri(self) -> str:
        found = self._secrets.read("uri")
        uri = found[0] if found else self._environ.get(URI, "")
        if not uri:
            raise errors.StoreDenied(f"the store has no address; give a Secret with the key uri, or set {URI}")
        fault = address.fault(uri)
        if fault is not None:
            raise errors.StoreDenied(f"{_ADDRESS} {fault}")
        return uri

    def ask(self, what: str, work: Callable[[Database], _T]) -> _T:
        """Run ``work`` with the database, again as patience allows; ``what`` names it in an error."""

        def once() -> _T:
            with translated(f"mongodb:{self._name}, {what}", self._trusted):
                return work(self.database())

        return self.patience.call(once)


def _connect(uri: str, way: route.Route) -> pymongo.MongoClient[Document]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            client = _client(uri, way)
        except OSError as error:
            text = f"{_ADDRESS} names a file (tlsCAFile, tlsCertificateKeyFile) that the worker cannot read"
            raise errors.StoreDenied(f"{text}: {type(error).__name__}") from None
    # Of a value that it does not understand the client only warns, and goes on without the option: without TLS, say.
    # Options that it does not know are those of other clients.
    for each in told:
        if not str(each.message).startswith(("Unknown option", "Duplicate URI option")):
            client.close()
            raise errors.StoreDenied(f"{_ADDRESS} has an option with an invalid value{_named(uri, each)}")
    return client


def _named(uri: str, told: warnings.WarningMessage) -> str:
    """Return the option that a warning names; "" for one of which not even the name is known."""
    given = {name.lower() for name, _, _ in (each.partition("=") for each in re.split("[?&;]", uri)[1:])}
    said = set(re.findall("[a-z]+", str(told.message).lower()))
    found = sorted(given & said & {name.lower() for name in _OPTIONS})
    return f": {', '.join(found)}" if found else ""


def _tls(uri: str, way: route.Route) -> dict[str, Any]:
    """Return the options for a CA bundle, which asks for TLS; an address that names a file of its own means that."""
    if way.ca_file is None or "tlscafile=" in uri.lower():
        return {}
    return {"tls": True, "tlsCAFile": way.ca_file}


def _client(uri: str, way: route.Route) -> pymongo.MongoClient[Document]:
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
        **_tls(uri, way),
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
def translated(what: str, trusted: Callable[[], route.Route]) -> Iterator[None]:
    """Turn the client's exceptions into ours; the originals, which hold addresses, are not chained."""
    try:
        yield
    except pymongo.errors.DuplicateKeyError:
        raise errors.AlreadyExists(what) from None
    except pymongo.errors.NetworkTimeout:
        raise errors.StoreUnavailable(f"the store did not answer in time ({what})") from None
    except pymongo.errors.ConnectionFailure as error:
        raise _disconnected(error, what, trusted) from None
    except pymongo.errors.OperationFailure as error:
        raise _failed(error, what) from None
    except (pymongo.errors.ConfigurationError, pymongo.errors.InvalidURI, ValueError, TypeError) as error:
        raise errors.StoreDenied(_misconfigured(error)) from None
    except pymongo.errors.PyMongoError as error:
        raise errors.StoreUnavailable(f"the request to the store failed ({what}: {type(error).__name__})") from None


def _misconfigured(error: Exception) -> str:
    """Say what a client without structure in its errors means; its own words may quote the address."""
    said = str(error)
    if "wire version" in said:
        oldest = pymongo.common.MIN_SUPPORTED_SERVER_VERSION
        return f"this worker does not support the version of the MongoDB server; use {oldest} or newer"
    if "dnspython" in said:
        return f"{_ADDRESS} begins with mongodb+srv://, but this image lacks a package for it; use mongodb://"
    if re.search("DNS|nameserver|resolution lifetime|NXDOMAIN|SRV", said):
        return f"{_ADDRESS} names a host for mongodb+srv:// that has no SRV record in DNS"
    return f"{_ADDRESS} has options that contradict each other; compare them with MongoDB's manual"


def _disconnected(
    error: pymongo.errors.ConnectionFailure, what: str, trusted: Callable[[], route.Route]
) -> errors.StoreUnavailable:
    said = str(error)
    if (where := _REFUSED.search(said)) is not None:
        host, port = where[1].strip("[]"), int(where[2])
        dates = clock_difference.of_certificate(error, host, port, trusted(), speaks_http=False)
        if dates is not None:
            return errors.StoreDenied(f"no TLS connection to the store ({what}): {dates}")
    if "CERTIFICATE_VERIFY_FAILED" in said:
        text = "name the authority that signed it in spec.caBundle, or set tlsCAFile in its address"
        return errors.StoreDenied(f"the worker does not trust the store's certificate; {text}")
    if "belongs to a set named" in said or "configured to connect to a replica set" in said:
        return errors.StoreDenied(f"{_ADDRESS} has another replicaSet than the server")
    why = network.why(error)
    if why is None and "ReplicaSetNoPrimary" in said:
        why = "the replica set has no primary at present"
    if "SSL" in said:
        return errors.StoreUnavailable(f"no TLS connection to the store ({what}: {why})")
    return errors.StoreUnavailable(f"no connection to the store, or it broke ({what}: {why or type(error).__name__})")


def _failed(error: pymongo.errors.OperationFailure, what: str) -> errors.StoreUnavailable:
    said = f"{what}: code {error.code}"
    if error.code in _DENIED:
        return errors.StoreDenied(f"the store denies access; check user, password and rights ({said})")
    if error.code in _FULL:
        return errors.StoreFull(f"the store is full; make room in it ({said})")
    if error.code in _UNKNOWN:
        return Unsupported(f"the MongoDB server does not support {_feature(error)}, which the store needs ({said})")
    return errors.StoreUnavailable(f"the store cannot serve the request now ({said})")


def _feature(error: pymongo.errors.OperationFailure) -> str:
    if error.code == 148:
        return "read concern majority"
    said = re.search("(?:command|Command)[^A-Za-z]{1,5}`?'?([A-Za-z]+)", str((error.details or {}).get("errmsg", "")))
    known = said is not None and said[1] in _COMMANDS
    return f"the command {said[1]}" if known and said is not None else "a command"
