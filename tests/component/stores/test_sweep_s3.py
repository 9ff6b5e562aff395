"""Uploads in parts that killed writers left in a bucket are found and aborted, however many there are."""

from collections.abc import Iterator
from typing import Any

import pytest

from component.stores import proxy, servers
from component.stores.disturbed import S3Place
from component.stores.proxy import How
from whatsapp_worker.stores import s3


@pytest.fixture
def store(s3_place: S3Place) -> s3.S3Store:
    """A store behind the proxy."""
    return s3_place.open()


@pytest.fixture
def client(s3_server: servers.S3Server) -> Iterator[Any]:
    """The plain client."""
    made = s3_server.client()
    yield made
    made.close()


def begin(client: Any, store: s3.S3Store, name: str) -> None:
    client.create_multipart_upload(Bucket=servers.BUCKET, Key=store.where.key(name))


def left(client: Any, store: s3.S3Store) -> int:
    return len(client.list_multipart_uploads(Bucket=servers.BUCKET, Prefix=store.where.prefix).get("Uploads", ()))


def test_more_uploads_than_one_page_holds_are_all_aborted(
    store: s3.S3Store, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whatsapp_worker.stores.s3.store._PAGE", 2)
    for number in range(5):
        begin(client, store, f"RemoteAuth-a/archives/{number}.zip")
        begin(client, store, "RemoteAuth-a/archives/same.zip")
    store.sweep("RemoteAuth-a/")
    assert left(client, store) == 0


def test_an_upload_that_is_gone_meanwhile_is_no_reason_to_leave_the_others(
    store: s3.S3Store, client: Any, s3_place: S3Place
) -> None:
    for number in range(3):
        begin(client, store, f"RemoteAuth-a/archives/{number}.zip")
    lost = s3_place.proxy.fault(How.LOSE, rb"^DELETE .*uploadId")
    store.sweep("RemoteAuth-a/")
    assert lost.met == 1, "the repetition is told that there is no such upload"
    assert left(client, store) == 0


def test_rights_to_nothing_of_it_are_no_error(store: s3.S3Store, client: Any, s3_place: S3Place) -> None:
    begin(client, store, "RemoteAuth-a/archives/1.zip")
    denied = proxy.s3_error(403, "AccessDenied")
    s3_place.proxy.fault(How.ANSWER, rb"^(GET .*uploads|DELETE .*uploadId)", times=10_000, answer=denied)
    store.sweep("RemoteAuth-a/")
    assert left(client, store) == 1
