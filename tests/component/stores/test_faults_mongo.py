"""A MongoDB store behind a network that fails, and what is special in it."""

import datetime
import pathlib
import secrets
import time
from collections.abc import Callable, Iterator

import gridfs
import pymongo
import pytest

from component.stores import proxy, servers
from component.stores.proxy import How
from scenes.ports import free_port
from simulator import tls
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import mongo, retry, testing
from whatsapp_worker.stores.mongo import server
from whatsapp_worker.stores.mongo.gridfs import Bucket

LARGE = testing.content(5 << 20)
SMALL = testing.content(1000)
SHORT = retry.Patience(deadline=30.0, first=0.01, longest=0.1)
BRIEF = retry.Patience(deadline=0.5, first=0.01, longest=0.1)
OWNER = records.Owner(host="here", boot_id="b", data_path="/d")
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NAME, CHUNK = rb"(?s)insert\0.{4}whatsapp_names\0", rb"(?s)insert\0.{4}whatsapp_chunks\0"
NOTE, FIND = rb"(?s)(update|delete)\0.{4}whatsapp_uploads\0", rb"(?s)find\0.{4}whatsapp_chunks\0"
MORE = rb"(?s)getMore\0.{8}\x02collection\0.{4}whatsapp_chunks\0"
ANY = rb"(?s)(insert|find|delete)\0.{4}whatsapp_"


@pytest.fixture
def between(mongo_server: servers.MongoServer) -> Iterator[proxy.Proxy]:
    """A proxy in front of the server."""
    with proxy.running(mongo_server.port, http=False) as running:
        yield running


Open = Callable[[retry.Patience], mongo.MongoStore]


@pytest.fixture
def opened(between: proxy.Proxy, mongo_server: servers.MongoServer, tmp_path: pathlib.Path) -> Iterator[Open]:
    """Open stores on one empty place that is reached through the proxy."""
    database = f"t{secrets.token_hex(6)}"
    given = servers.write_mongo_secrets(tmp_path / "secrets", mongo_server.uri(between.port))
    made: list[mongo.MongoStore] = []

    def make(waiting: retry.Patience) -> mongo.MongoStore:
        made.append(mongo.MongoStore(database, given, waiting))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def store(opened: Open) -> mongo.MongoStore:
    """A store with patience."""
    return opened(SHORT)


@pytest.fixture
def plain(store: mongo.MongoStore, mongo_server: servers.MongoServer) -> Iterator[server.Database]:
    """The store's database through the plain client."""
    with servers.databases(mongo_server) as client:
        yield client[store._database]


@pytest.mark.parametrize("how", [How.REFUSE, How.LOSE, How.RESET, How.END], ids=lambda how: how.name.lower())
@pytest.mark.parametrize(
    ("request_", "content"),
    [(NAME, SMALL), (NAME, LARGE), (CHUNK, LARGE), (NOTE, LARGE)],
    ids=["small", "name", "chunk", "note"],
)
def test_a_write_that_is_disturbed_once_is_whole_and_counts_once(
    store: mongo.MongoStore, between: proxy.Proxy, request_: bytes, content: bytes, how: How
) -> None:
    fault = between.fault(how, request_)
    store.create("a/archives/1.zip", testing.pieces(content))
    assert fault.met == 1
    assert testing.read(store, "a/archives/1.zip") == content
    with pytest.raises(errors.AlreadyExists):
        store.create("a/archives/1.zip", testing.pieces(content))


@pytest.mark.parametrize("how", [How.REFUSE, How.LOSE, How.RESET, How.END], ids=lambda how: how.name.lower())
def test_a_reading_that_breaks_goes_on_where_it_broke(store: mongo.MongoStore, between: proxy.Proxy, how: How) -> None:
    content = testing.content(12 << 20)  # more than one batch of a cursor
    store.create("a/archives/1.zip", testing.pieces(content))
    first, later = between.fault(how, FIND, times=2), between.fault(how, MORE)
    assert testing.read(store, "a/archives/1.zip") == content
    assert (first.met, later.met) == (2, 1)


def test_a_copy_that_breaks_goes_on_where_it_broke(store: mongo.MongoStore, between: proxy.Proxy) -> None:
    store.create("RemoteAuth-a/archives/1.zip", testing.pieces(LARGE))
    written = between.fault(How.LOSE, rb"(?s)insert\0.{4}whatsapp-RemoteAuth-a\.(chunks|files)\0", times=6)
    store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    read = between.fault(How.LOSE, rb"(?s)(find|getMore)\0.{4,12}whatsapp-RemoteAuth-a\.chunks\0", times=2)
    assert b"".join(store.read_copy("RemoteAuth-a")) == LARGE
    assert (written.met, read.met > 0) == (6, True)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (13, errors.StoreDenied, "denies access"),
        (18, errors.StoreDenied, "denies access"),
        (14031, errors.StoreFull, "full"),
        (10107, errors.StoreUnavailable, "connection"),
        (50, errors.StoreUnavailable, "cannot serve"),
        (1, errors.StoreUnavailable, "cannot serve"),
    ],
    ids=["unauthorized", "authentication", "full", "no primary", "timeout", "internal"],
)
def test_a_failure_that_stays_is_a_typed_error_and_never_no_session(
    opened: Open, between: proxy.Proxy, code: int, kind: type[Exception], said: str
) -> None:
    store = opened(BRIEF)
    between.fault(How.ANSWER, ANY, times=10_000, answer=proxy.mongo_error(code))
    asked: list[Callable[[], object]] = [
        lambda: store.create("a/x", [SMALL]),
        lambda: store.read("a/x"),
        lambda: list(store.list("a/")),
        lambda: store.delete("a/x"),
    ]
    for ask in asked:
        with pytest.raises(kind, match=said) as caught:
            ask()
        assert not isinstance(caught.value, errors.NotFound)
        assert "pass-word" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("request_", [NAME, rb"(?s)find\0.{4}whatsapp_names\0"], ids=["insert", "find"])
def test_a_server_that_falls_silent_is_given_up_in_time(
    opened: Open, between: proxy.Proxy, monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    monkeypatch.setattr(server, "SOCKET_TIMEOUT", 0.5)
    store = opened(BRIEF)
    fault = between.fault(How.HANG, request_, times=10_000)
    begun = time.monotonic()
    with pytest.raises(errors.StoreUnavailable, match="in time"):
        store.create("a/x", [SMALL]) if request_ == NAME else store.read("a/x")
    assert fault.met >= 1
    assert time.monotonic() - begun < 60, "one time-out and the deadline together are about a second"


def test_a_log_on_a_bad_network_has_every_record_once(store: mongo.MongoStore, between: proxy.Proxy) -> None:
    journal = log.SessionLog(store, "RemoteAuth-a", OWNER)
    for number, how in enumerate((How.LOSE, How.REFUSE, How.RESET, How.END, How.LOSE), 1):
        fault = between.fault(how, NAME)
        journal.append(records.Claim(60))
        assert (fault.met, journal.head) == (1, number)
    again = log.SessionLog(store, "RemoteAuth-a", OWNER)
    again.newest()
    assert len(list(again.back(again.head))) == again.head == 5


def test_what_a_killed_writer_left_is_swept_and_nothing_else(
    store: mongo.MongoStore, plain: server.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for session in ("RemoteAuth-a", "RemoteAuth-b"):
        store.create(f"{session}/archives/1.zip", [LARGE])

    def killed() -> Iterator[bytes]:
        yield LARGE
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
        assert testing.read(store, f"{session}/archives/1.zip") == LARGE


def test_a_name_whose_insert_has_an_unknown_outcome_keeps_its_content(
    opened: Open, store: mongo.MongoStore, plain: server.Database, between: proxy.Proxy
) -> None:
    between.fault(How.LOSE, NAME)
    between.fault(How.REFUSE, NAME, times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        opened(BRIEF).create("RemoteAuth-a/archives/1.zip", [LARGE])
    between.faults.clear()
    assert testing.read(store, "RemoteAuth-a/archives/1.zip") == LARGE
    store.sweep("RemoteAuth-a/")
    assert testing.read(store, "RemoteAuth-a/archives/1.zip") == LARGE
    assert plain["whatsapp_uploads"].count_documents({}) == 0


def test_chunks_of_a_name_that_never_came_to_stand_go_with_the_sweep(
    opened: Open, store: mongo.MongoStore, plain: server.Database, between: proxy.Proxy
) -> None:
    between.fault(How.REFUSE, NAME, times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        opened(BRIEF).create("RemoteAuth-a/archives/1.zip", [LARGE])
    between.faults.clear()
    store.sweep("RemoteAuth-a/")
    assert plain["whatsapp_chunks"].count_documents({}) == plain["whatsapp_uploads"].count_documents({}) == 0


def test_a_copy_whose_removal_broke_off_is_swept(
    opened: Open, store: mongo.MongoStore, plain: server.Database, between: proxy.Proxy
) -> None:
    bucket = gridfs.GridFSBucket(plain, bucket_name="whatsapp-RemoteAuth-a")
    bucket.upload_from_stream_with_id("theirs, as ids may be", "RemoteAuth-a.zip", LARGE)
    between.fault(How.REFUSE, rb"(?s)delete\0.{4}whatsapp-RemoteAuth-a\.chunks\0", times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        opened(BRIEF).delete_copy("RemoteAuth-a")
    between.faults.clear()
    store.sweep("RemoteAuth-a/")
    assert store.stat_copy("RemoteAuth-a") is None
    assert plain["whatsapp-RemoteAuth-a.chunks"].count_documents({}) == 0
    assert plain["whatsapp_uploads"].count_documents({}) == 0


def test_chunks_of_a_copy_whose_document_may_appear_yet_are_left_to_the_sweep(
    opened: Open, store: mongo.MongoStore, plain: server.Database, between: proxy.Proxy
) -> None:
    store.create("RemoteAuth-a/archives/1.zip", [LARGE])
    between.fault(How.REFUSE, rb"(?s)insert\0.{4}whatsapp-RemoteAuth-a\.files\0", times=10_000)
    with pytest.raises(errors.StoreUnavailable):
        opened(BRIEF).put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    between.faults.clear()
    sizes = [len(chunk["data"]) for chunk in plain["whatsapp-RemoteAuth-a.chunks"].find({})]
    assert sum(sizes) == len(LARGE)
    store.sweep("RemoteAuth-a/")
    assert plain["whatsapp-RemoteAuth-a.chunks"].count_documents({}) == 0


def test_a_copy_whose_chunks_the_next_owner_has_swept_meanwhile_gives_way_to_the_next_owners(
    opened: Open,
    store: mongo.MongoStore,
    plain: server.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.create("RemoteAuth-a/archives/1.zip", [LARGE])
    insert, late = Bucket._insert, opened(SHORT)

    def slept(bucket: Bucket, collection: str, document: server.Document) -> None:
        if collection.endswith(".files"):
            monkeypatch.setattr(Bucket, "_insert", insert)
            store.sweep("RemoteAuth-a/")
            store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
        insert(bucket, collection, document)

    monkeypatch.setattr(Bucket, "_insert", slept)
    with pytest.raises(errors.CopyChanged):
        late.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, None)
    assert b"".join(store.read_copy("RemoteAuth-a")) == LARGE
    assert plain["whatsapp-RemoteAuth-a.files"].count_documents({}) == 1


def test_an_archive_with_a_missing_chunk_is_not_there(store: mongo.MongoStore, plain: server.Database) -> None:
    store.create("a/archives/1.zip", [LARGE])
    plain["whatsapp_chunks"].delete_one({"_id": {"$regex": "/00000002$"}})
    with pytest.raises(errors.NotFound, match="chunk 2"):
        testing.read(store, "a/archives/1.zip")


def test_gridfs_of_the_plain_client_and_ours_read_each_other(store: mongo.MongoStore, plain: server.Database) -> None:
    bucket = gridfs.GridFSBucket(plain, bucket_name="whatsapp-RemoteAuth-a")
    bucket.upload_from_stream("RemoteAuth-a.zip", LARGE)
    theirs = store.stat_copy("RemoteAuth-a")
    assert theirs is not None
    assert (theirs.size, theirs.source) == (len(LARGE), "")
    assert b"".join(store.read_copy("RemoteAuth-a")) == LARGE
    store.create("RemoteAuth-a/archives/1.zip", [LARGE[::-1]])
    ours = store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", NOW, theirs)
    assert ours.modified > theirs.modified, "a date in the past would leave the old one the newest"
    assert bucket.open_download_stream_by_name("RemoteAuth-a.zip").read() == LARGE[::-1]
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
        store = mongo.MongoStore("sessions", given, SHORT)
        store.create("a/x", [SMALL])
        assert testing.read(store, "a/x") == SMALL
        servers.write_mongo_secrets(tmp_path / "secrets", f"mongodb://localhost:{port}/?tls=true")
        with pytest.raises(errors.StoreDenied, match="certificate is not trusted"):
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
