"""What is special in a MongoDB store: chunks, GridFS, and what a broken connection leaves to the sweep."""

import datetime
import pathlib
import secrets
from collections.abc import Iterator

import gridfs
import pymongo
import pytest

from component.stores import servers
from component.stores.disturbed import BRIEF, MEDIUM, NAME, PATIENT, SMALL, MongoPlace
from component.stores.proxy import How
from scenes.ports import free_port
from simulator import tls
from whatsapp_worker import errors
from whatsapp_worker.stores import mongo, testing
from whatsapp_worker.stores.mongo import server
from whatsapp_worker.stores.mongo.gridfs import Bucket

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def store(mongo_place: MongoPlace) -> mongo.MongoStore:
    """A store with patience."""
    return mongo_place.open()


@pytest.fixture
def plain(store: mongo.MongoStore, mongo_server: servers.MongoServer) -> Iterator[server.Database]:
    """The store's database through the plain client."""
    with servers.databases(mongo_server) as client:
        yield client[store._database]


def test_a_copy_that_breaks_goes_on_where_it_broke(mongo_place: MongoPlace, store: mongo.MongoStore) -> None:
    store.create("RemoteAuth-a/archives/1.zip", testing.pieces(MEDIUM))
    written = mongo_place.proxy.fault(How.LOSE, rb"(?s)insert\0.{4}whatsapp-RemoteAuth-a\.(chunks|files)\0", times=6)
    store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    read = mongo_place.proxy.fault(How.LOSE, rb"(?s)(find|getMore)\0.{4,12}whatsapp-RemoteAuth-a\.chunks\0", times=2)
    assert b"".join(store.read_copy("RemoteAuth-a")) == MEDIUM
    assert (written.met, read.met > 0) == (6, True)


def test_what_a_killed_writer_left_is_swept_and_nothing_else(
    store: mongo.MongoStore, plain: server.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for session in ("RemoteAuth-a", "RemoteAuth-b"):
        store.create(f"{session}/archives/1.zip", [MEDIUM])

    def killed() -> Iterator[bytes]:
        yield MEDIUM
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "_drop", lambda name, upload: None)  # who is killed cleans nothing
        for session in ("RemoteAuth-a", "RemoteAuth-b"):
            with pytest.raises(KeyboardInterrupt):
                store.create(f"{session}/archives/2.zip", killed())
    whole = plain["whatsapp_chunks"].count_documents({})
    store.sweep("RemoteAuth-a/")
    assert plain["whatsapp_uploads"].count_documents({}) == 1
    assert plain["whatsapp_chunks"].count_documents({}) < whole
    store.sweep("RemoteAuth-b/")
    assert plain["whatsapp_uploads"].count_documents({}) == 0
    for session in ("RemoteAuth-a", "RemoteAuth-b"):
        assert testing.read(store, f"{session}/archives/1.zip") == MEDIUM


def test_a_name_whose_insert_has_an_unknown_outcome_keeps_its_content(
    mongo_place: MongoPlace, store: mongo.MongoStore, plain: server.Database
) -> None:
    mongo_place.proxy.fault(How.LOSE, NAME)
    mongo_place.proxy.fault(How.REFUSE, NAME, times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        mongo_place.open(BRIEF).create("RemoteAuth-a/archives/1.zip", [MEDIUM])
    mongo_place.proxy.faults.clear()
    assert testing.read(store, "RemoteAuth-a/archives/1.zip") == MEDIUM
    store.sweep("RemoteAuth-a/")
    assert testing.read(store, "RemoteAuth-a/archives/1.zip") == MEDIUM
    assert plain["whatsapp_uploads"].count_documents({}) == 0


def test_chunks_of_a_name_that_never_came_to_stand_go_with_the_sweep(
    mongo_place: MongoPlace, store: mongo.MongoStore, plain: server.Database
) -> None:
    mongo_place.proxy.fault(How.REFUSE, NAME, times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        mongo_place.open(BRIEF).create("RemoteAuth-a/archives/1.zip", [MEDIUM])
    mongo_place.proxy.faults.clear()
    store.sweep("RemoteAuth-a/")
    assert plain["whatsapp_chunks"].count_documents({}) == plain["whatsapp_uploads"].count_documents({}) == 0


def test_a_copy_whose_removal_broke_off_is_swept(
    mongo_place: MongoPlace, store: mongo.MongoStore, plain: server.Database
) -> None:
    bucket = gridfs.GridFSBucket(plain, bucket_name="whatsapp-RemoteAuth-a")
    bucket.upload_from_stream_with_id("theirs, as ids may be", "RemoteAuth-a.zip", MEDIUM)
    mongo_place.proxy.fault(How.REFUSE, rb"(?s)delete\0.{4}whatsapp-RemoteAuth-a\.chunks\0", times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        mongo_place.open(BRIEF).delete_copy("RemoteAuth-a")
    mongo_place.proxy.faults.clear()
    store.sweep("RemoteAuth-a/")
    assert store.stat_copy("RemoteAuth-a") is None
    assert plain["whatsapp-RemoteAuth-a.chunks"].count_documents({}) == 0
    assert plain["whatsapp_uploads"].count_documents({}) == 0


def test_chunks_of_a_copy_whose_document_may_appear_yet_are_left_to_the_sweep(
    mongo_place: MongoPlace, store: mongo.MongoStore, plain: server.Database
) -> None:
    store.create("RemoteAuth-a/archives/1.zip", [MEDIUM])
    mongo_place.proxy.fault(How.REFUSE, rb"(?s)insert\0.{4}whatsapp-RemoteAuth-a\.files\0", times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        mongo_place.open(BRIEF).put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    mongo_place.proxy.faults.clear()
    sizes = [len(chunk["data"]) for chunk in plain["whatsapp-RemoteAuth-a.chunks"].find({})]
    assert sum(sizes) == len(MEDIUM)
    store.sweep("RemoteAuth-a/")
    assert plain["whatsapp-RemoteAuth-a.chunks"].count_documents({}) == 0


def test_a_copy_whose_chunks_the_next_owner_has_swept_meanwhile_gives_way_to_the_next_owners(
    mongo_place: MongoPlace,
    store: mongo.MongoStore,
    plain: server.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.create("RemoteAuth-a/archives/1.zip", [MEDIUM])
    insert, late = Bucket._insert, mongo_place.open()

    def slept(bucket: Bucket, collection: str, document: server.Document) -> None:
        if collection.endswith(".files"):
            monkeypatch.setattr(Bucket, "_insert", insert)
            store.sweep("RemoteAuth-a/")
            store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
        insert(bucket, collection, document)

    monkeypatch.setattr(Bucket, "_insert", slept)
    with pytest.raises(errors.CopyChanged):
        late.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    assert b"".join(store.read_copy("RemoteAuth-a")) == MEDIUM
    assert plain["whatsapp-RemoteAuth-a.files"].count_documents({}) == 1


def test_an_archive_with_a_missing_chunk_is_not_there(store: mongo.MongoStore, plain: server.Database) -> None:
    store.create("a/archives/1.zip", [MEDIUM])
    plain["whatsapp_chunks"].delete_one({"_id": {"$regex": "/00000002$"}})
    with pytest.raises(errors.NotFound, match="chunk 2"):
        testing.read(store, "a/archives/1.zip")


def test_gridfs_of_the_plain_client_and_ours_read_each_other(store: mongo.MongoStore, plain: server.Database) -> None:
    bucket = gridfs.GridFSBucket(plain, bucket_name="whatsapp-RemoteAuth-a")
    bucket.upload_from_stream("RemoteAuth-a.zip", MEDIUM)
    theirs = store.stat_copy("RemoteAuth-a")
    assert theirs is not None
    assert (theirs.size, theirs.source) == (len(MEDIUM), "")
    assert b"".join(store.read_copy("RemoteAuth-a")) == MEDIUM
    store.create("RemoteAuth-a/archives/1.zip", [MEDIUM[::-1]])
    ours = store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, theirs)
    assert ours.modified > theirs.modified, "a date in the past would leave the old one the newest"
    assert bucket.open_download_stream_by_name("RemoteAuth-a.zip").read() == MEDIUM[::-1]
    assert plain["whatsapp-RemoteAuth-a.files"].count_documents({}) == 1


def test_tls_is_a_matter_of_the_address_and_an_unknown_certificate_is_refused(tmp_path: pathlib.Path) -> None:
    certificate = tls.identity()
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(certificate.certificate)
    key.write_bytes(certificate.key)
    port = free_port()
    flags = ("-tls-listen", f"127.0.0.1:{port}", "-tls-cert", str(cert), "-tls-key", str(key))
    with servers.mongo_server(tmp_path / "server", *flags):
        given = servers.write_mongo_secrets(
            tmp_path / "secrets", f"mongodb://localhost:{port}/?tls=true&tlsCAFile={cert}"
        )
        store = mongo.MongoStore("sessions", given, PATIENT)
        store.create("a/x", [SMALL])
        assert testing.read(store, "a/x") == SMALL
        servers.write_mongo_secrets(tmp_path / "secrets", f"mongodb://localhost:{port}/?tls=true")
        with pytest.raises(errors.StoreDenied, match="not trust"):
            store.read("a/x")
        store.close()


def test_the_environment_may_hold_the_address(
    mongo_server: servers.MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mongo.MongoStore(f"t{secrets.token_hex(6)}", waiting=BRIEF)
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with pytest.raises(errors.StoreDenied, match="MONGODB_URI"):
        store.read("a/x")
    monkeypatch.setenv("MONGODB_URI", mongo_server.uri())
    store.create("a/x", [SMALL])
    store.close()


def test_what_is_written_counts_when_a_majority_has_it(
    mongo_server: servers.MongoServer, tmp_path: pathlib.Path
) -> None:
    weaker = f"{mongo_server.uri()}?w=1&readPreference=secondaryPreferred&readConcernLevel=local&retryWrites=true"
    given = servers.write_mongo_secrets(tmp_path, weaker)
    store = mongo.MongoStore("sessions", given)
    database = store._server.database()
    assert database.write_concern.document == {"w": "majority"}
    assert database.read_preference == pymongo.ReadPreference.PRIMARY
    assert database.read_concern.level == "majority"
    assert not database.client.options.retry_writes
    store.close()
