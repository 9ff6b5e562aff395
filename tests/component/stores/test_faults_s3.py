"""What is special in an S3 store: conditions, parts, and answers of something in between."""

import datetime
import pathlib

import pytest

from component.stores import proxy, servers
from component.stores.disturbed import BEGIN, BRIEF, COMPLETE, GET, LARGE, PART, PUT, SMALL, S3Place
from component.stores.proxy import How
from scenes.ports import free_port
from whatsapp_worker import errors
from whatsapp_worker.stores import s3, testing


@pytest.fixture
def store(s3_place: S3Place) -> s3.S3Store:
    """A store that has shown that it is exclusive, so that later requests are the tests' own."""
    return s3_place.ready()


def test_an_object_written_anew_while_it_is_read_is_an_error(
    s3_place: S3Place, store: s3.S3Store, s3_server: servers.S3Server
) -> None:
    store.create("a/archives/1.zip", [LARGE] * 4)  # more than is read ahead
    s3_place.proxy.fault(How.RESET, GET, share=0.5)
    reading = store.read("a/archives/1.zip")
    next(reading)
    client = s3_server.client()
    client.put_object(Bucket=servers.BUCKET, Key=store.where.key("a/archives/1.zip"), Body=LARGE)
    client.close()
    with pytest.raises(errors.StoreUnavailable, match="changed while the worker read it"):
        for _ in reading:
            pass


def test_a_name_that_a_stranger_says_exists_is_not_lost(s3_place: S3Place) -> None:
    s3_place.proxy.fault(How.ANSWER, PUT, answer=proxy.s3_error(412, "PreconditionFailed"))
    with pytest.raises(errors.StoreUnavailable, match="does not return it"):
        s3_place.open(BRIEF).create("a/archives/1.zip", [SMALL])


def test_a_slow_server_is_waited_for(s3_place: S3Place, store: s3.S3Store) -> None:
    fault = s3_place.proxy.fault(How.DELAY, times=5, seconds=0.3)
    store.create("a/archives/1.zip", testing.pieces(LARGE))
    assert testing.read(store, "a/archives/1.zip") == LARGE
    assert fault.met == 5


def test_a_server_that_is_gone_is_unavailable(tmp_path: pathlib.Path) -> None:
    port = free_port()
    address = f"bucket?endpoint=http://127.0.0.1:{port}&region=us-east-1&forcePathStyle=true"
    store = s3.S3Store(s3.parse(address), servers.write_s3_secrets(tmp_path), waiting=BRIEF)
    with pytest.raises(errors.StoreUnavailable, match="no connection"):
        store.read("a/x")


def test_a_server_that_lets_several_writers_win_is_refused(s3_place: S3Place) -> None:
    accepted = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    s3_place.proxy.fault(How.ANSWER, rb"^PUT ", times=10_000, answer=accepted)
    with pytest.raises(errors.StoreUnfenced, match="allowUnfenced"):
        s3_place.open().create("a/x", [SMALL])
    s3_place.open(allow_unfenced=True).create("a/x", [SMALL])


def test_an_upload_that_was_given_up_leaves_no_parts(s3_place: S3Place, s3_server: servers.S3Server) -> None:
    store = s3_place.open(BRIEF)
    s3_place.proxy.fault(How.ANSWER, rb"partNumber=2", times=10_000, answer=proxy.s3_error(500, "InternalError"))
    with pytest.raises(errors.StoreUnavailable):
        store.create("RemoteAuth-a/archives/1.zip", testing.pieces(LARGE))
    client = s3_server.client()
    assert "Uploads" not in client.list_multipart_uploads(Bucket=servers.BUCKET, Prefix=store.where.prefix)
    for session in ("RemoteAuth-a", "RemoteAuth-b"):
        key = store.where.key(f"{session}/archives/2.zip")
        client.create_multipart_upload(Bucket=servers.BUCKET, Key=key)
    store.sweep("RemoteAuth-a/")
    left = client.list_multipart_uploads(Bucket=servers.BUCKET, Prefix=store.where.prefix)["Uploads"]
    client.close()
    assert [upload["Key"] for upload in left] == [store.where.key("RemoteAuth-b/archives/2.zip")]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("&sse=AES256", [rb"(?i:x-amz-server-side-encryption: AES256)"]),
        (
            "&sse=aws:kms&kmsKeyId=my-key",
            [rb"(?i:x-amz-server-side-encryption: aws:kms)", rb"(?i:server-side-encryption-aws-kms-key-id: my-key)"],
        ),
    ],
    ids=["AES256", "KMS"],
)
def test_the_server_is_told_to_encrypt_what_is_created(s3_place: S3Place, query: str, headers: list[bytes]) -> None:
    # The server here knows no keys: what counts is what it is asked.
    answer = proxy.s3_error(403, "AccessDenied")
    for header in headers:
        for request_, content in ((PUT, SMALL), (BEGIN, LARGE)):
            asked = s3_place.proxy.fault(How.ANSWER, request_ + rb"(?s:.*)" + header, answer=answer)
            with pytest.raises(errors.StoreDenied):
                s3_place.open(BRIEF, query).create("a/x", testing.pieces(content))
            assert asked.met == 1


@pytest.mark.parametrize(("request_", "content"), [(PUT, SMALL), (PART, LARGE)], ids=["put", "part"])
def test_the_server_refuses_what_was_damaged_on_its_way(
    s3_place: S3Place, store: s3.S3Store, request_: bytes, content: bytes
) -> None:
    damaged = s3_place.proxy.fault(How.FLIP, request_)
    store.create("a/archives/1.zip", testing.pieces(content))
    assert damaged.met == 1
    assert testing.read(store, "a/archives/1.zip") == content


def test_a_server_without_conditions_for_uploads_in_parts_still_keeps_archives(
    s3_place: S3Place, store: s3.S3Store
) -> None:
    unknown = s3_place.proxy.fault(
        How.ANSWER, COMPLETE + rb"(?s:.*)(?i:if-(none-)?match)", 99, answer=proxy.s3_error(501)
    )
    name, session = f"{testing.SESSION}/archives/1.zip", testing.SESSION
    store.create(name, testing.pieces(LARGE))
    with pytest.raises(errors.AlreadyExists):
        store.create(name, testing.pieces(LARGE))
    made = store.put_copy(name, session, datetime.datetime.now(datetime.UTC), None)
    store.create(f"{testing.SESSION}/archives/2.zip", [SMALL])
    with pytest.raises(errors.CopyChanged):
        store.put_copy(f"{testing.SESSION}/archives/2.zip", session, datetime.datetime.now(datetime.UTC), None)
    assert store.put_copy(name, session, datetime.datetime.now(datetime.UTC), made).size == len(LARGE)
    assert unknown.met == 5


def test_a_server_that_copies_no_parts_costs_the_copy_and_nothing_else(s3_place: S3Place) -> None:
    unknown = s3_place.proxy.fault(How.ANSWER, PART + rb"(?s:.*)(?i:x-amz-copy-source)", 99, answer=proxy.s3_error(501))
    name, session = f"{testing.SESSION}/archives/1.zip", testing.SESSION
    for consent in (False, True):
        store = s3_place.open(allow_unfenced=consent)
        if not consent:
            store.create(name, [SMALL])
        with pytest.raises(errors.StoreUnavailable, match="does not support"):
            store.put_copy(name, session, datetime.datetime.now(datetime.UTC), None)
        assert store.stat_copy(session) is None
    assert unknown.met == 2


def test_a_server_without_any_conditions_is_used_with_consent_only(s3_place: S3Place) -> None:
    s3_place.proxy.fault(How.ANSWER, rb"(?i:if-none-match)", 99, answer=proxy.s3_error(501, "NotImplemented"))
    with pytest.raises(errors.StoreUnfenced, match="does not support If-None-Match"):
        s3_place.open().create("a/x", [SMALL])
    accepted = s3_place.open(allow_unfenced=True)
    accepted.create("a/x", [SMALL])
    with pytest.raises(errors.AlreadyExists):
        accepted.create("a/x", [LARGE[:10]])
    assert testing.read(accepted, "a/x") == SMALL
