"""A server that lacks a feature is served without it where that is safe, and named with the feature where it is not."""

import datetime
import pathlib
from collections.abc import Iterator

import pytest

from component.stores import proxy, servers
from component.stores.conftest import MakePlace
from component.stores.proxy import How
from scenes.ports import free_port
from whatsapp_worker import errors
from whatsapp_worker.stores import mongo, retry, s3, testing

LARGE = testing.content(12 << 20)
SMALL = testing.content(1000)
BRIEF = retry.Patience(deadline=2.0, first=0.01, longest=0.1)
EVER = 10_000
PUT, PART, BEGIN = rb"^PUT [^?]* ", rb"^PUT .*partNumber", rb"^POST .*uploads"
CRC32 = rb"(?s:.*)(?i:x-amz-(sdk-)?checksum)"


@pytest.fixture
def lesser_s3(s3_server: servers.S3Server) -> Iterator[proxy.Proxy]:
    """An S3 server from which something in front of it takes features away."""
    with proxy.running(s3_server.port, http=True) as running:
        yield running


@pytest.fixture
def bucket(make_place: MakePlace, lesser_s3: proxy.Proxy, s3_server: servers.S3Server) -> tuple[str, pathlib.Path]:
    """An empty place on that server, and its secrets."""
    made = make_place("s3")
    assert made.settings.secrets is not None
    address = made.address.replace(f":{s3_server.port}", f":{lesser_s3.port}")
    return address.partition(":")[2], made.settings.secrets


@pytest.mark.parametrize(
    "answer",
    [proxy.s3_error(501, "NotImplemented"), proxy.s3_error(400, "UnsupportedHeader")],
    ids=["501", "400"],
)
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_server_without_newer_checksums_gets_older_ones(
    bucket: tuple[str, pathlib.Path], lesser_s3: proxy.Proxy, answer: bytes, content: bytes
) -> None:
    for request in (PUT, PART, BEGIN):
        lesser_s3.fault(How.ANSWER, request + CRC32, EVER, answer=answer)
    proven = lesser_s3.fault(How.DELAY, rb"^PUT (?s:.*)(?i:content-md5: )", EVER)
    store = s3.S3Store(s3.parse(bucket[0]), bucket[1], waiting=BRIEF)
    for number in (1, 2):
        store.create(f"a/{number}", testing.pieces(content))
        assert testing.read(store, f"a/{number}") == content
        with pytest.raises(errors.AlreadyExists):
            store.create(f"a/{number}", testing.pieces(content))
    assert proven.met >= 2


def test_a_server_without_conditions_is_named_with_the_header(
    bucket: tuple[str, pathlib.Path], lesser_s3: proxy.Proxy
) -> None:
    lesser_s3.fault(How.ANSWER, rb"(?i:if-none-match)", EVER, answer=proxy.s3_error(501, "NotImplemented"))
    with pytest.raises(errors.StoreUnfenced) as refused:
        s3.S3Store(s3.parse(bucket[0]), bucket[1], waiting=BRIEF).create("a/x", [SMALL])
    assert f"the S3 server at 127.0.0.1:{lesser_s3.port} does not support If-None-Match" in str(refused.value)
    assert "allowUnfenced" in str(refused.value)


@pytest.mark.parametrize(
    ("request_", "query", "content", "feature"),
    [
        (BEGIN, "", LARGE, "multipart uploads"),
        (rb"(?i:x-amz-server-side-encryption)", "&sse=AES256", SMALL, r"spec\.s3\.serverSideEncryption"),
    ],
    ids=["uploads in parts", "encryption"],
)
def test_a_server_without_a_feature_that_is_needed_is_named_with_it(
    bucket: tuple[str, pathlib.Path],
    lesser_s3: proxy.Proxy,
    request_: bytes,
    query: str,
    content: bytes,
    feature: str,
) -> None:
    lesser_s3.fault(How.ANSWER, request_, EVER, answer=proxy.s3_error(501, "NotImplemented"))
    store = s3.S3Store(s3.parse(bucket[0] + query), bucket[1], allow_unfenced=True, waiting=BRIEF)
    with pytest.raises(errors.StoreDenied, match=f"127.0.0.1:{lesser_s3.port} does not support .*{feature}"):
        store.create("a/x", testing.pieces(content))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda port: f"127.0.0.1:{free_port()}", "it refuses connections"),
        (lambda port: f"no-such-host.invalid:{port}", "the host is not known"),
    ],
    ids=["port", "name"],
)
def test_each_mistake_in_an_endpoint_has_a_sentence_of_its_own(
    bucket: tuple[str, pathlib.Path], lesser_s3: proxy.Proxy, change: object, says: str
) -> None:
    address = bucket[0].replace(f"127.0.0.1:{lesser_s3.port}", change(lesser_s3.port))  # type: ignore[operator]
    with pytest.raises(errors.StoreUnavailable, match=says):
        s3.S3Store(s3.parse(address), bucket[1], waiting=retry.Patience(deadline=0.0)).read("a/x")


def test_https_where_plain_http_is_spoken_is_said(make_place: MakePlace) -> None:
    made = make_place("s3")
    address = made.address.partition(":")[2].replace("http://", "https://")
    with pytest.raises(errors.StoreUnavailable, match="does not speak TLS"):
        s3.S3Store(s3.parse(address), made.settings.secrets, waiting=BRIEF).read("a/x")


def test_what_is_no_s3_server_is_said(bucket: tuple[str, pathlib.Path], lesser_s3: proxy.Proxy) -> None:
    page = b"<html><body>welcome to nginx<br></body>"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: "
    lesser_s3.fault(How.ANSWER, rb"^GET ", EVER, answer=head + str(len(page)).encode() + b"\r\n\r\n" + page)
    with pytest.raises(errors.StoreUnavailable, match="without an S3 error code"):
        list(s3.S3Store(s3.parse(bucket[0]), bucket[1], waiting=BRIEF).list("a/"))


@pytest.fixture
def lesser_mongo(mongo_server: servers.MongoServer) -> Iterator[proxy.Proxy]:
    """A MongoDB server from which something in front of it takes commands away."""
    with proxy.running(mongo_server.port, http=False) as running:
        yield running


def test_a_mongodb_server_without_indexes_keeps_copies_all_the_same(
    make_place: MakePlace, lesser_mongo: proxy.Proxy, mongo_server: servers.MongoServer, tmp_path: pathlib.Path
) -> None:
    secrets = servers.write_mongo_secrets(tmp_path / "login", mongo_server.uri(lesser_mongo.port))
    refused = lesser_mongo.fault(How.ANSWER, rb"createIndexes", EVER, answer=proxy.mongo_error(59, "CommandNotFound"))
    store = mongo.MongoStore(make_place("mongodb").address.partition(":")[2], secrets, BRIEF)
    try:
        store.create("RemoteAuth-a/archives/1.zip", testing.pieces(LARGE))
        store.put_copy("RemoteAuth-a/archives/1.zip", "RemoteAuth-a", datetime.datetime.now(datetime.UTC), None)
        assert b"".join(store.read_copy("RemoteAuth-a")) == LARGE
    finally:
        store.close()
    assert refused.met


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (b"insert", 115, "does not support a command, which the store needs"),
        (b"find", 148, "does not support read concern majority"),
    ],
    ids=["command", "read concern"],
)
def test_a_mongodb_server_without_what_is_needed_is_named(
    make_place: MakePlace,
    lesser_mongo: proxy.Proxy,
    mongo_server: servers.MongoServer,
    tmp_path: pathlib.Path,
    command: bytes,
    code: int,
    says: str,
) -> None:
    secrets = servers.write_mongo_secrets(tmp_path / "login", mongo_server.uri(lesser_mongo.port))
    lesser_mongo.fault(How.ANSWER, rb"\x02" + command + rb"\x00", EVER, answer=proxy.mongo_error(code))
    store = mongo.MongoStore(make_place("mongodb").address.partition(":")[2], secrets, BRIEF)
    try:
        with pytest.raises(errors.StoreDenied, match=says):
            store.create("a/x", [SMALL]) if command == b"insert" else store.read("a/x")
    finally:
        store.close()
