"""Write and read the archive as wwebjs-mongo does: GridFS, bucket ``whatsapp-<session>``, file ``<session>.zip``."""

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import bson

from whatsapp_worker import errors, stores
from whatsapp_worker.stores.mongo import server

CHUNK = 255 << 10
"""Bytes of a chunk: GridFS' own default."""
_TICK = datetime.timedelta(milliseconds=1)


class Bucket:
    """The GridFS files of one session.

    GridFS' own writer is not used: it dates a file by the clock of the moment, and the newest date wins.
    """

    def __init__(self, server: server.Server, session: str, uploads: str) -> None:
        self._server = server
        self._session = session
        self._file = f"{session}.zip"
        self._files, self._chunks = f"whatsapp-{session}.files", f"whatsapp-{session}.chunks"
        self._uploads = uploads

    def _documents(self) -> list[server.Document]:
        """Return the documents of the session's files, the newest first."""
        found = self._server.ask(self._file, lambda db: list(db[self._files].find({"filename": self._file})))
        return sorted(found, key=lambda document: (document["uploadDate"], str(document["_id"])), reverse=True)

    def newest(self) -> stores.Copy | None:
        """Describe the file that a reader gets."""
        found = self._documents()
        return _described(found[0]) if found else None

    def put(
        self, name: str, content: Iterable[bytes], uploaded: datetime.datetime, replaces: stores.Copy | None
    ) -> stores.Copy:
        """Write the chunks, then the file's document; then remove what it replaces."""
        if self.newest() != replaces:
            raise self._changed()
        if replaces is not None:
            uploaded = max(uploaded, replaces.modified + _TICK)
        made = bson.ObjectId()
        self._note(made)
        self._make_indexes()
        try:
            length, chunks = self._send(made, content)
        except BaseException:
            with contextlib.suppress(errors.WorkerError):  # the note stays, and the sweep does it
                self._drop(made)
            raise
        document = {
            "_id": made,
            "length": length,
            "chunkSize": CHUNK,
            "uploadDate": uploaded,
            "filename": self._file,
            "metadata": {"archive": name},
        }
        # If this fails the document may appear yet: chunks and note are left to the sweep, which looks.
        self._insert(self._files, document)
        if self._stored(made) != chunks:  # a later owner has swept them: it did not know that a document would follow
            self._remove(made)
            raise self._changed()
        self._settle(made)
        self._forget(made)
        return _described(document | {"uploadDate": _milliseconds(uploaded)})

    def _send(self, made: bson.ObjectId, content: Iterable[bytes]) -> tuple[int, int]:
        number = length = 0
        for whole in content:
            for at in range(0, len(whole), CHUNK):
                piece = whole[at : at + CHUNK]
                chunk = {"_id": bson.ObjectId(), "files_id": made, "n": number, "data": piece}
                self._insert(self._chunks, chunk)
                number, length = number + 1, length + len(piece)
        stored = self._stored(made)
        if stored != number:
            raise errors.StoreUnavailable(f"the store holds {stored} of {number} chunks of {self._file}")
        return length, number

    def _stored(self, made: bson.ObjectId) -> int:
        found = self._server.ask(self._file, lambda db: db[self._chunks].count_documents({"files_id": made}))
        return int(found)

    def _settle(self, made: bson.ObjectId) -> None:
        """Remove older files; give way to a newer one, in the order in which readers choose."""
        for document in self._documents():
            if document["_id"] == made:
                continue
            if (document["uploadDate"], str(document["_id"])) > (self._date(made), str(made)):
                self._remove(made)
                raise self._changed()
            self._remove(document["_id"])

    def _date(self, made: bson.ObjectId) -> datetime.datetime:
        found = self._server.ask(self._file, lambda db: db[self._files].find_one({"_id": made}))
        if found is None:
            raise self._changed()
        date: datetime.datetime = found["uploadDate"]
        return date

    def _insert(self, collection: str, document: server.Document) -> None:
        with contextlib.suppress(errors.AlreadyExists):  # the try before had succeeded: no id is used twice
            self._server.ask(self._file, lambda db: db[collection].insert_one(document))

    def _make_indexes(self) -> None:
        def make(db: server.Database) -> None:
            db[self._files].create_index([("filename", 1), ("uploadDate", 1)])
            db[self._chunks].create_index([("files_id", 1), ("n", 1)], unique=True)

        # They make readers of the copy faster; what is written is right without them.
        with contextlib.suppress(server.Unsupported):
            self._server.ask(self._file, make)

    def _changed(self) -> errors.CopyChanged:
        return errors.CopyChanged(f"the copy of {self._session} was written by another program")

    def read(self) -> Iterator[bytes]:
        """Yield the newest file's chunks; raises NotFound now, or where a chunk is missing."""
        found = self._documents()
        if not found:
            raise errors.NotFound(self._file)
        return self._read(found[0])

    def _read(self, document: server.Document) -> Iterator[bytes]:
        walk = server.Walk(self._chunks, "n", int, {"files_id": document["_id"]})
        sent = 0
        while sent < document["length"]:
            chunk = self._server.ask(self._file, walk.following)
            if chunk is None or not chunk["data"]:
                raise errors.NotFound(f"{self._file}: only {sent} of {document['length']} bytes are there")
            yield bytes(chunk["data"])
            sent += len(chunk["data"])

    def delete(self) -> None:
        """Remove every file of the session's name."""
        for document in self._documents():
            self._remove(document["_id"])

    def _remove(self, file_id: Any) -> None:
        self._note(file_id)
        self._server.ask(self._file, lambda db: db[self._files].delete_one({"_id": file_id}))
        self._drop(file_id)

    def drop_noted(self, note: Mapping[str, Any]) -> None:
        """Remove the chunks of a file that has no document, and the note of it; the first notes named no file."""
        file_id = note["file"] if "file" in note else bson.ObjectId(note["_id"])
        standing = self._server.ask(self._file, lambda db: db[self._files].find_one({"_id": file_id}))
        if standing is None:
            self._drop(file_id)
        else:
            self._forget(file_id)

    def _drop(self, file_id: Any) -> None:
        self._server.ask(self._file, lambda db: db[self._chunks].delete_many({"files_id": file_id}))
        self._forget(file_id)

    def _note(self, file_id: Any) -> None:
        """Let the sweep know that a file is being written or removed."""
        # "file" besides "_id": the ids of other programs' files may be of any type.
        note = {"name": f"{self._session}/copy", "bucket": self._session, "file": file_id}
        self._server.ask(self._file, lambda db: db[self._uploads].replace_one({"_id": str(file_id)}, note, upsert=True))

    def _forget(self, file_id: Any) -> None:
        self._server.ask(self._file, lambda db: db[self._uploads].delete_one({"_id": str(file_id)}))


def _milliseconds(moment: datetime.datetime) -> datetime.datetime:
    """Return the moment as BSON keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _described(document: server.Document) -> stores.Copy:
    source = str((document.get("metadata") or {}).get("archive", ""))
    return stores.Copy(int(document["length"]), document["uploadDate"], str(document["_id"]), source)
