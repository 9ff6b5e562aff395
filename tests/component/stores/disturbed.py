"""Empty places in stores that are reached through a proxy, and the requests that it can spoil there."""

import pathlib
from collections.abc import Callable
from dataclasses import dataclass

from component.stores.proxy import Proxy
from whatsapp_worker.stores import mongo, retry, s3, testing

LARGE = testing.content(12 << 20)
"""Two parts of an upload to S3, and more than one batch of a cursor."""
MEDIUM = testing.content(3 << 20)
"""Several chunks of MongoDB's, whose server is slower."""
SMALL = testing.content(1000)
PATIENT = retry.Patience(deadline=30.0, first=0.01, longest=0.1)
"""Long enough for a busy machine: a test that ends well never waits for it."""
BRIEF = retry.Patience(deadline=0.5, first=0.01, longest=0.1)


@dataclass(slots=True)
class S3Place:
    """A folder of a bucket."""

    proxy: Proxy
    address: str
    secrets: pathlib.Path

    def open(
        self, waiting: retry.Patience = PATIENT, query: str = "", *, secrets: bool = True, allow_unfenced: bool = False
    ) -> s3.S3Store:
        """Open it; with ``secrets`` by the files with the credentials, else by what the process has."""
        where = s3.parse(self.address.partition(":")[2] + query)
        given = self.secrets if secrets else None
        return s3.S3Store(where, given, allow_unfenced=allow_unfenced, waiting=waiting)

    def ready(self) -> s3.S3Store:
        """Open it, and let it show that it is exclusive: later requests are the test's own."""
        made = self.open()
        made.create("a/first", [b"first"])
        return made


@dataclass(slots=True)
class MongoPlace:
    """A database."""

    proxy: Proxy
    database: str
    secrets: pathlib.Path
    close: Callable[[Callable[[], None]], object]
    """Takes what is to be closed with the test."""

    def open(self, waiting: retry.Patience = PATIENT) -> mongo.MongoStore:
        """Open it."""
        made = mongo.MongoStore(self.database, self.secrets, waiting)
        self.close(made.close)
        return made

    def ready(self) -> mongo.MongoStore:
        """Open it."""
        return self.open()


DisturbedPlace = S3Place | MongoPlace

# The requests of an S3 store.
PUT, PART, BEGIN = rb"^PUT [^?]* ", rb"^PUT .*partNumber", rb"^POST .*uploads"
COMPLETE, GET = rb"^POST .*uploadId", rb"^GET [^?]* "
# The commands of a MongoDB store.
NAME, CHUNK = rb"(?s)insert\0.{4}whatsapp_names\0", rb"(?s)insert\0.{4}whatsapp_chunks\0"
NOTE, FIND = rb"(?s)(update|delete)\0.{4}whatsapp_uploads\0", rb"(?s)find\0.{4}whatsapp_chunks\0"
MORE = rb"(?s)getMore\0.{8}\x02collection\0.{4}whatsapp_chunks\0"
