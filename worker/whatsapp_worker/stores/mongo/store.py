"""The four primitives and the sweep on one database, built on nothing but the insert of a unique ``_id``."""

import contextlib
import datetime
import functools
import pathlib
import re
import secrets
from collections.abc import Iterable, Iterator

from whatsapp_worker import errors, stores
from whatsapp_worker.stores import credentials, retry
from whatsapp_worker.stores.mongo import gridfs, server

INLINE = 256 << 10
"""Bytes of a content that stands in its name's document."""
CHUNK = 4 * gridfs.CHUNK
"""Bytes of a chunk's document: a multiple of GridFS', so that a copy is cut without joining."""
NAMES, CHUNKS, UPLOADS = "whatsapp_names", "whatsapp_chunks", "whatsapp_uploads"
_DATABASE = re.compile(r"[A-Za-z0-9_-]{1,63}")
_PAGE = 1000


class MongoStore:
    """Store names as documents: small contents in them, large ones in chunks written before.

    ``whatsapp_names`` holds ``{_id: name, size, nonce, data | upload, chunks}``, ``whatsapp_chunks`` the chunks and
    ``whatsapp_uploads`` what is being written or removed, so that a crash leaves nothing that is not known. The
    server's address comes from the file ``uri`` in the directory ``secrets``, else from ``MONGODB_URI``.
    """

    visibility = 10.0
    """Seconds: a primary that has lost its peers answers reads until it steps down (electionTimeoutMillis)."""

    def __init__(
        self,
        database: str,
        secrets: pathlib.Path | None = None,
        waiting: retry.Patience | None = None,
        network: pathlib.Path | None = None,
    ) -> None:
        if not _DATABASE.fullmatch(database):
            raise errors.ConfigurationError(
                "the name of a database has 1 to 63 letters, digits, '-' and '_'; the store's address must look like "
                "mongodb:DATABASE, the server's address belongs in the Secret"
            )
        if database.lower() in ("local", "config"):
            raise errors.ConfigurationError("MongoDB keeps the databases local and config for itself; name another")
        self._database = database
        self._server = server.Server(database, credentials.Files(secrets), waiting or retry.Patience(), network)

    def __repr__(self) -> str:
        return f"MongoStore(database={self._database!r})"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._server.close()

    def create(self, name: str, content: Iterable[bytes]) -> None:
        """Insert the name's document, large contents after their chunks; the unique ``_id`` decides."""
        stores.checked(name)
        nonce, cut = secrets.token_hex(16), _cut(content)
        first = next(cut, b"")
        if len(first) <= INLINE:
            self._insert_name(name, {"size": len(first), "nonce": nonce, "data": first})
            return
        self._server.ask(name, lambda db: db[UPLOADS].replace_one({"_id": nonce}, {"name": name}, upsert=True))
        try:
            size, count = self._send(name, nonce, _chain(first, cut))
        except BaseException:
            self._give_up(name, nonce)
            raise
        try:
            self._insert_name(name, {"size": size, "nonce": nonce, "upload": nonce, "chunks": count})
        except errors.AlreadyExists:
            self._give_up(name, nonce)
            raise
        # After any other failure the name may stand, or appear yet: chunks and note are left to the sweep, which looks.
        with contextlib.suppress(errors.StoreUnavailable):  # the sweep sees that the upload is in use
            self._server.ask(name, functools.partial(_forget, nonce))

    def _send(self, name: str, nonce: str, chunks: Iterable[bytes]) -> tuple[int, int]:
        size = count = 0
        for count, chunk in enumerate(chunks, 1):
            self._insert_chunk(name, {"_id": _chunk_id(nonce, count - 1), "size": len(chunk), "data": chunk})
            size += len(chunk)
        self._verify(name, nonce, size, count)
        return size, count

    def _give_up(self, name: str, upload: str) -> None:
        """Drop what no name refers to, nor ever will."""
        with contextlib.suppress(errors.WorkerError):
            self._drop(name, upload)

    def _insert_name(self, name: str, fields: server.Document) -> None:
        try:
            self._server.ask(name, lambda db: db[NAMES].insert_one({"_id": name} | fields))
        except errors.AlreadyExists:
            found = self._server.ask(name, lambda db: db[NAMES].find_one({"_id": name}, {"nonce": 1}))
            if found is None:
                raise errors.StoreUnavailable(f"the store reports that {name} exists but does not return it") from None
            if found["nonce"] != fields["nonce"]:
                raise

    def _insert_chunk(self, name: str, document: server.Document) -> None:
        # AlreadyExists: the try before had succeeded. No id is used twice.
        with contextlib.suppress(errors.AlreadyExists):
            self._server.ask(name, lambda db: db[CHUNKS].insert_one(document))

    def _verify(self, name: str, upload: str, size: int, count: int) -> None:
        mine = {"_id": _chunk_range(upload)}
        found = self._server.ask(name, lambda db: list(db[CHUNKS].find(mine, {"size": 1})))
        stored = (sum(document["size"] for document in found), len(found))
        if stored != (size, count):
            raise errors.StoreUnavailable(f"the store holds {stored} bytes and chunks of {name}, not {(size, count)}")

    def _drop(self, name: str, upload: str) -> None:
        self._server.ask(name, lambda db: db[CHUNKS].delete_many({"_id": _chunk_range(upload)}))
        self._server.ask(name, functools.partial(_forget, upload))

    def read(self, name: str) -> Iterator[bytes]:
        """Find the name's document now; a walk over the chunks goes on where a connection broke."""
        stores.checked(name)
        found = self._server.ask(name, lambda db: db[NAMES].find_one({"_id": name}))
        if found is None:
            raise errors.NotFound(name)
        if "upload" not in found:
            return iter([bytes(found["data"])])
        return self._chunks(name, found)

    def _chunks(self, name: str, about: server.Document) -> Iterator[bytes]:
        size, upload = 0, about["upload"]
        walk = server.Walk(CHUNKS, "_id", functools.partial(_chunk_id, upload), {"_id": {"$lt": f"{upload}0"}})
        for number in range(about["chunks"]):
            chunk = self._server.ask(name, walk.following)
            if chunk is None or len(chunk["data"]) != chunk["size"]:
                raise errors.NotFound(f"{name}: its chunk {number} is not there")
            size += len(chunk["data"])
            yield bytes(chunk["data"])
        if size != about["size"]:
            raise errors.NotFound(f"{name}: {size} of {about['size']} bytes are there")

    def list(self, prefix: str) -> Iterator[stores.Entry]:
        """Page through the names by their order."""
        after = stores.checked(prefix.rstrip("/")) + "/"
        end = after[:-1] + "0"  # the character after "/"
        while True:
            page = self._server.ask(prefix, functools.partial(_page, after, end))
            for document in page:
                yield stores.Entry(str(document["_id"]), int(document["size"]))
            if len(page) < _PAGE:
                return
            after = str(page[-1]["_id"])

    def delete(self, name: str) -> None:
        """Remove the name first, then its chunks; what a crash leaves is known to the sweep."""
        stores.checked(name)
        found = self._server.ask(name, lambda db: db[NAMES].find_one({"_id": name}, {"upload": 1}))
        if found is None:
            return
        upload = found.get("upload")
        if upload:
            self._server.ask(name, lambda db: db[UPLOADS].replace_one({"_id": upload}, {"name": name}, upsert=True))
        self._server.ask(name, lambda db: db[NAMES].delete_one({"_id": name}))
        if upload:
            self._drop(name, upload)

    def sweep(self, prefix: str) -> None:
        """Remove the chunks of uploads that no name refers to."""
        for found in self._server.ask(prefix, lambda db: list(db[UPLOADS].find({}))):
            name, upload = str(found["name"]), str(found["_id"])
            if not name.startswith(prefix):
                continue
            if found.get("bucket"):
                self._copies(found["bucket"]).drop_noted(found)
                continue
            holder = self._server.ask(name, functools.partial(_find, NAMES, name))
            if holder is None or holder.get("upload") != upload:
                self._drop(name, upload)
            else:
                self._server.ask(name, functools.partial(_forget, upload))

    def _copies(self, session: str) -> gridfs.Bucket:
        return gridfs.Bucket(self._server, stores.checked(session), UPLOADS)

    def stat_copy(self, session: str) -> stores.Copy | None:
        """Return the newest file of the session's bucket."""
        return self._copies(session).newest()

    def put_copy(
        self, name: str, session: str, uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Write the archive into the bucket chunk by chunk.

        The chunks are not shared with the archive's, though that would spare the second transfer: wwebjs-mongo
        deletes the file before its own with all chunks, and with them would go the generation to fall back to.
        """
        return self._copies(session).put(name, self.read(name), uploaded, replaces)

    def read_copy(self, session: str) -> Iterator[bytes]:
        """Stream the newest file of the bucket."""
        return self._copies(session).read()

    def delete_copy(self, session: str) -> None:
        """Remove every file of the session's name."""
        self._copies(session).delete()


def _find(collection: str, document_id: str, db: server.Database) -> server.Document | None:
    return db[collection].find_one({"_id": document_id})


def _forget(upload: str, db: server.Database) -> None:
    db[UPLOADS].delete_one({"_id": upload})


def _page(after: str, end: str, db: server.Database) -> list[server.Document]:
    found = db[NAMES].find({"_id": {"$gt": after, "$lt": end}}, {"size": 1})
    return list(found.sort("_id", 1).limit(_PAGE))


def _chunk_id(upload: str, number: int) -> str:
    return f"{upload}/{number:08d}"


def _chunk_range(upload: str) -> server.Document:
    return {"$gte": f"{upload}/", "$lt": f"{upload}0"}


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cut(content: Iterable[bytes]) -> Iterator[bytes]:
    filling = bytearray()
    for chunk in content:
        filling += chunk
        while len(filling) >= CHUNK:
            yield bytes(memoryview(filling)[:CHUNK])
            del filling[:CHUNK]
    if filling:
        yield bytes(filling)
