"""An S3 store behind a network that fails: nothing is lost, nothing is wrong, every error says what is the matter."""

import datetime
import pathlib
import time
from collections.abc import Callable, Iterator

import botocore.auth
import pytest

from component.stores import proxy, servers
from component.stores.conftest import MakePlace
from component.stores.proxy import How
from scenes.ports import free_port
from whatsapp_worker import errors
from whatsapp_worker.repository import log, records
from whatsapp_worker.stores import retry, s3, testing
from whatsapp_worker.stores.s3 import requests

LARGE = testing.content(20 << 20)
SMALL = testing.content(1000)
SHORT = retry.Patience(deadline=20.0, first=0.01, longest=0.1)
"""Long enough for a busy machine: a test that ends well never waits for it."""
BRIEF = retry.Patience(deadline=0.5, first=0.01, longest=0.1)
OWNER = records.Owner(host="here", boot_id="b", data_path="/d")


@pytest.fixture
def between(s3_server: servers.S3Server) -> Iterator[proxy.Proxy]:
    """A proxy in front of the S3 server."""
    with proxy.running(s3_server.port, http=True) as running:
        yield running


@pytest.fixture
def place(make_place: MakePlace, between: proxy.Proxy, s3_server: servers.S3Server) -> tuple[str, pathlib.Path]:
    """An empty place that is reached through the proxy, and its secrets."""
    made = make_place("s3")
    assert made.settings.secrets is not None
    return made.address.replace(f":{s3_server.port}", f":{between.port}"), made.settings.secrets


def opened(place: tuple[str, pathlib.Path], waiting: retry.Patience = SHORT) -> s3.S3Store:
    return s3.S3Store(s3.parse(place[0].partition(":")[2]), place[1], waiting=waiting)


@pytest.fixture
def store(place: tuple[str, pathlib.Path]) -> s3.S3Store:
    """A store that has shown that it is exclusive, so that later requests are the tests' own."""
    made = opened(place)
    made.create("a/first", [b"first"])
    return made


PUT, PART, BEGIN = rb"^PUT [^?]* ", rb"^PUT .*partNumber", rb"^POST .*uploads"
COMPLETE, GET, HEAD = rb"^POST .*uploadId", rb"^GET [^?]* ", rb"^HEAD "


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        (How.REFUSE, b""),
        (How.LOSE, b""),
        (How.RESET, b""),
        (How.END, b""),
        (How.ANSWER, proxy.s3_error(500, "InternalError")),
        (How.ANSWER, proxy.s3_error(503, "SlowDown")),
        (How.ANSWER, proxy.s3_error(409, "ConditionalRequestConflict")),
        (How.ANSWER, proxy.s3_error(502)),
    ],
    ids=["reset", "answer lost", "answer cut", "answer truncated", "500", "503", "409", "bad gateway"],
)
@pytest.mark.parametrize(
    ("request_", "content"),
    [(PUT, SMALL), (BEGIN, LARGE), (PART, LARGE), (COMPLETE, LARGE)],
    ids=["put", "begin", "part", "complete"],
)
def test_a_write_that_is_disturbed_once_is_whole_and_counts_once(
    store: s3.S3Store, between: proxy.Proxy, request_: bytes, content: bytes, how: How, answer: bytes
) -> None:
    fault = between.fault(how, request_, answer=answer)
    store.create("a/archives/1.zip", testing.pieces(content))
    assert fault.met == 1
    assert testing.read(store, "a/archives/1.zip") == content
    with pytest.raises(errors.AlreadyExists):
        store.create("a/archives/1.zip", testing.pieces(content))


@pytest.mark.parametrize("how", [How.REFUSE, How.LOSE, How.RESET, How.END], ids=lambda how: how.name.lower())
@pytest.mark.parametrize("share", [0.01, 0.6, 0.999])
def test_a_reading_that_breaks_goes_on_where_it_broke(
    store: s3.S3Store, between: proxy.Proxy, how: How, share: float
) -> None:
    store.create("a/archives/1.zip", testing.pieces(LARGE))
    fault = between.fault(how, GET, times=3, share=share)
    assert testing.read(store, "a/archives/1.zip") == LARGE
    assert fault.met == 3


def test_an_object_written_anew_while_it_is_read_is_an_error(
    store: s3.S3Store, between: proxy.Proxy, s3_server: servers.S3Server
) -> None:
    store.create("a/archives/1.zip", [LARGE] * 4)  # more than is read ahead
    between.fault(How.RESET, GET, share=0.5)
    reading = store.read("a/archives/1.zip")
    next(reading)
    client = s3_server.client()
    client.put_object(Bucket=servers.BUCKET, Key=store.where.key("a/archives/1.zip"), Body=LARGE)
    client.close()
    with pytest.raises(errors.StoreUnavailable, match="written anew"):
        for _ in reading:
            pass


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (proxy.s3_error(403, "AccessDenied"), errors.StoreDenied, "denies access"),
        (proxy.s3_error(403), errors.StoreDenied, "denies access"),
        (proxy.s3_error(403, "RequestTimeTooSkewed"), errors.StoreDenied, "clock"),
        (proxy.s3_error(404), errors.StoreUnavailable, "cannot serve"),
        (proxy.s3_error(404, "NoSuchBucket"), errors.StoreDenied, "does not exist"),
        (proxy.s3_error(412, "PreconditionFailed"), errors.StoreUnavailable, "condition|does not show"),
        (proxy.s3_error(500, "InternalError"), errors.StoreUnavailable, "cannot serve"),
        (proxy.s3_error(503, "SlowDown"), errors.StoreUnavailable, "cannot serve"),
        (proxy.s3_error(507, "QuotaExceeded"), errors.StoreFull, "full"),
        (proxy.s3_error(405, "MethodNotAllowed"), errors.StoreDenied, "read-only"),
    ],
    ids=["403", "403 bare", "clock", "404 bare", "bucket", "412", "500", "503", "full", "read-only"],
)
def test_an_answer_that_stays_wrong_is_a_typed_error_and_never_no_session(
    place: tuple[str, pathlib.Path], between: proxy.Proxy, answer: bytes, kind: type[Exception], said: str
) -> None:
    store = opened(place, BRIEF)
    between.fault(How.ANSWER, times=10_000, answer=answer)
    asked: list[Callable[[], object]] = [
        lambda: store.create("a/x", [SMALL]),
        lambda: store.create("a/y", [LARGE]),
        lambda: store.read("a/x"),
        lambda: list(store.list("a/")),
        lambda: store.delete("a/x"),
    ]
    for ask in asked:
        with pytest.raises(kind, match=said) as caught:
            ask()
        assert not isinstance(caught.value, errors.NotFound)
        assert servers.SECRET_KEY not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
        assert caught.value.__cause__ is None
    # The answer to HEAD has no words, so the kind of the error may be another one; never that there is none.
    with pytest.raises(errors.StoreError) as caught:
        store.stat_copy("a")
    assert not isinstance(caught.value, errors.NotFound)


def test_a_name_that_a_stranger_says_exists_is_not_lost(place: tuple[str, pathlib.Path], between: proxy.Proxy) -> None:
    between.fault(How.ANSWER, PUT, answer=proxy.s3_error(412, "PreconditionFailed"))
    with pytest.raises(errors.StoreUnavailable, match="does not show it"):
        opened(place, BRIEF).create("a/archives/1.zip", [SMALL])


@pytest.mark.parametrize(
    ("request_", "ask"),
    [
        (PUT, lambda store: store.create("a/y", [SMALL])),
        (GET, lambda store: store.read("a/x")),
        (rb"^(HEAD|GET) ", lambda store: store.stat_copy("a")),
        (PART, lambda store: store.create("a/y", testing.pieces(LARGE))),
    ],
    ids=["put", "get", "head", "part"],
)
def test_a_server_that_falls_silent_is_given_up_in_time(
    place: tuple[str, pathlib.Path],
    between: proxy.Proxy,
    monkeypatch: pytest.MonkeyPatch,
    request_: bytes,
    ask: Callable[[s3.S3Store], object],
) -> None:
    # Long enough for a busy machine to answer what is not to hang.
    monkeypatch.setattr(requests, "READ_TIMEOUT", 5.0)
    store = opened(place, BRIEF)
    store.create("a/x", [SMALL])
    fault = between.fault(How.HANG, request_, times=10_000)
    begun = time.monotonic()
    with pytest.raises(errors.StoreUnavailable, match="in time"):
        ask(store)
    assert fault.met >= 1
    assert time.monotonic() - begun < 60, "one time-out and the deadline together are about five seconds"


def test_a_slow_server_is_waited_for(store: s3.S3Store, between: proxy.Proxy) -> None:
    fault = between.fault(How.DELAY, times=6, seconds=0.3)
    store.create("a/archives/1.zip", testing.pieces(LARGE))
    assert testing.read(store, "a/archives/1.zip") == LARGE
    assert fault.met == 6


def test_a_server_that_is_gone_is_unavailable(tmp_path: pathlib.Path) -> None:
    port = free_port()
    address = f"bucket?endpoint=http://127.0.0.1:{port}&region=us-east-1&forcePathStyle=true"
    store = s3.S3Store(s3.parse(address), servers.write_s3_secrets(tmp_path), waiting=BRIEF)
    with pytest.raises(errors.StoreUnavailable, match="no connection"):
        store.read("a/x")


def test_a_clock_an_hour_off_is_said_and_mended_without_a_restart(
    store: s3.S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        real = botocore.auth.get_current_datetime
        patched.setattr(
            botocore.auth,
            "get_current_datetime",
            lambda *given, **more: real(*given, **more) + datetime.timedelta(hours=1),
        )
        with pytest.raises(errors.StoreDenied, match="clock"):
            store.create("a/x", [SMALL])
    store.create("a/x", [SMALL])
    assert testing.read(store, "a/x") == SMALL


def test_changed_credentials_take_effect_without_a_restart(store: s3.S3Store, place: tuple[str, pathlib.Path]) -> None:
    servers.write_s3_secrets(place[1], secret="rotated")
    with pytest.raises(errors.StoreDenied, match="secret access key is wrong"):
        store.read("a/first")
    servers.write_s3_secrets(place[1])
    assert testing.read(store, "a/first") == b"first"


def test_without_any_credentials_the_error_says_where_they_come_from(
    place: tuple[str, pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    store = s3.S3Store(s3.parse(place[0].partition(":")[2]), waiting=BRIEF)
    with pytest.raises(errors.StoreDenied, match="web identity"):
        store.read("a/x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET_KEY)
    from_environment = s3.S3Store(s3.parse(place[0].partition(":")[2]), waiting=BRIEF)
    from_environment.create("a/x", [SMALL])


def test_a_server_that_lets_several_writers_win_is_refused(
    place: tuple[str, pathlib.Path], between: proxy.Proxy
) -> None:
    accepted = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    between.fault(How.ANSWER, rb"^PUT ", times=10_000, answer=accepted)
    with pytest.raises(errors.StoreUnfenced, match="allowUnfenced"):
        opened(place).create("a/x", [SMALL])
    s3.S3Store(s3.parse(place[0].partition(":")[2]), place[1], allow_unfenced=True).create("a/x", [SMALL])


def test_an_upload_that_was_given_up_leaves_no_parts(
    place: tuple[str, pathlib.Path], between: proxy.Proxy, s3_server: servers.S3Server
) -> None:
    store = opened(place, BRIEF)
    between.fault(How.ANSWER, rb"partNumber=2", times=10_000, answer=proxy.s3_error(500, "InternalError"))
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


def test_a_log_on_a_bad_network_has_every_record_once(store: s3.S3Store, between: proxy.Proxy) -> None:
    journal = log.SessionLog(store, "RemoteAuth-a", OWNER)
    for number, how in enumerate((How.LOSE, How.REFUSE, How.RESET, How.END, How.LOSE), 1):
        fault = between.fault(how, PUT)
        journal.append(records.Claim(60))
        assert fault.met == 1
        assert journal.head == number
    again = log.SessionLog(store, "RemoteAuth-a", OWNER)
    again.newest()
    assert again.head == 5
    assert len(list(again.back(again.head))) == 5


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
def test_the_server_is_told_to_encrypt_what_is_created(
    place: tuple[str, pathlib.Path], between: proxy.Proxy, query: str, headers: list[bytes]
) -> None:
    # The server here knows no keys: what counts is what it is asked.
    answer = proxy.s3_error(403, "AccessDenied")
    for header in headers:
        for request_, content in ((PUT, SMALL), (BEGIN, LARGE)):
            asked = between.fault(How.ANSWER, request_ + rb"(?s:.*)" + header, answer=answer)
            with pytest.raises(errors.StoreDenied):
                opened((place[0] + query, place[1]), BRIEF).create("a/x", testing.pieces(content))
            assert asked.met == 1


def test_a_web_identity_is_exchanged_for_credentials(
    place: tuple[str, pathlib.Path], between: proxy.Proxy, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        "<AssumeRoleWithWebIdentityResult><Credentials>"
        f"<AccessKeyId>{servers.ACCESS_KEY}</AccessKeyId><SecretAccessKey>{servers.SECRET_KEY}</SecretAccessKey>"
        "<SessionToken></SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    ).encode()
    (tmp_path / "token").write_text("the-pod's-token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/sessions")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{between.port}")
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
    answer = head + str(len(given)).encode() + b"\r\n\r\n" + given
    exchange = between.fault(How.ANSWER, rb"Action=AssumeRoleWithWebIdentity", answer=answer)
    store = s3.S3Store(s3.parse(place[0].partition(":")[2]), waiting=SHORT)
    store.create("a/x", [SMALL])
    assert testing.read(store, "a/x") == SMALL
    assert exchange.met == 1


@pytest.mark.parametrize(("request_", "content"), [(PUT, SMALL), (PART, LARGE)], ids=["put", "part"])
def test_the_server_refuses_what_was_damaged_on_its_way(
    store: s3.S3Store, between: proxy.Proxy, request_: bytes, content: bytes
) -> None:
    damaged = between.fault(How.FLIP, request_)
    store.create("a/archives/1.zip", testing.pieces(content))
    assert damaged.met == 1
    assert testing.read(store, "a/archives/1.zip") == content


def test_a_server_without_conditions_for_uploads_in_parts_still_keeps_archives(
    store: s3.S3Store, between: proxy.Proxy
) -> None:
    unknown = between.fault(How.ANSWER, COMPLETE + rb"(?s:.*)(?i:if-(none-)?match)", 99, answer=proxy.s3_error(501))
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


def test_a_server_that_copies_no_parts_costs_the_copy_and_nothing_else(
    place: tuple[str, pathlib.Path], between: proxy.Proxy
) -> None:
    unknown = between.fault(How.ANSWER, PART + rb"(?s:.*)(?i:x-amz-copy-source)", 99, answer=proxy.s3_error(501))
    name, session = f"{testing.SESSION}/archives/1.zip", testing.SESSION
    for consent in (False, True):
        store = s3.S3Store(s3.parse(place[0].partition(":")[2]), place[1], allow_unfenced=consent, waiting=SHORT)
        if not consent:
            store.create(name, [SMALL])
        with pytest.raises(errors.StoreUnavailable, match="does not support"):
            store.put_copy(name, session, datetime.datetime.now(datetime.UTC), None)
        assert store.stat_copy(session) is None
    assert unknown.met == 2


def test_a_server_without_any_conditions_is_used_with_consent_only(
    place: tuple[str, pathlib.Path], between: proxy.Proxy
) -> None:
    between.fault(How.ANSWER, rb"(?i:if-none-match)", 99, answer=proxy.s3_error(501, "NotImplemented"))
    with pytest.raises(errors.StoreUnfenced, match="does not support If-None-Match"):
        opened(place).create("a/x", [SMALL])
    accepted = s3.S3Store(s3.parse(place[0].partition(":")[2]), place[1], allow_unfenced=True, waiting=SHORT)
    accepted.create("a/x", [SMALL])
    with pytest.raises(errors.AlreadyExists):
        accepted.create("a/x", [LARGE[:10]])
    assert testing.read(accepted, "a/x") == SMALL
