"""Each mistake in a MongoDB connection string has a sentence of its own, which repeats nothing of it."""

import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_worker import errors
from whatsapp_worker.stores import credentials, retry
from whatsapp_worker.stores.mongo import address, server

BRIEF = retry.Patience(deadline=0.0)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://hunter2", "must begin with mongodb:// or mongodb+srv://"),
        ("hunter2:27017", "must begin with mongodb:// or mongodb+srv://"),
        ("mongodb://u:hunter2@h /x", "blanks or line breaks"),
        ("mongodb://u:hunter2@h\n", "blanks or line breaks"),
        ("mongodb://u:hunter2@x@h/", "percent-encoded"),
        ("mongodb://u:hun/ter2@h/", "percent-encoded"),
        ("mongodb://u:hun:ter2@h/", "percent-encoded"),
        ("mongodb://u:hunter2%@h/", "percent-encoded"),
        ("mongodb://u:hunter2@", "names no host"),
        ("mongodb:///hunter2", "names no host"),
        ("mongodb://h,,i", "comma"),
        ("mongodb://[hunter2", "brackets"),
        ("mongodb://h:hunter2", "ports from 1 to 65535"),
        ("mongodb://h:0,i:1", "ports from 1 to 65535"),
        ("mongodb://h:70000", "ports from 1 to 65535"),
        ("mongodb+srv://h:27017", "one host without a port"),
        ("mongodb+srv://h,i", "one host without a port"),
        ("mongodb://h/?hunter2", "NAME=VALUE"),
        ("mongodb://h/?tls=true&hunter2=", "NAME=VALUE"),
        ("mongodb://h/?tls=hunter2", "an invalid value: tls"),
        ("mongodb://h/?authMechanism=hunter2", "an invalid value: authmechanism"),
        ("mongodb://h/?tlsCAFile=/hunter2", "names a file"),
        ("mongodb://h/?authSource=&x=1", "NAME=VALUE"),
        ("mongodb://h/?tls=true&tlsInsecure=true&tlsAllowInvalidCertificates=true", "contradict each other"),
    ],
)
def test_each_mistake_has_a_sentence_of_its_own(uri: str, says: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "uri").write_text(uri)
    # Of what stands in a file the blanks around it are none of it.
    if uri.strip() != uri:
        assert says in str(address.fault(uri))
        return
    asked = server.Server("sessions", credentials.Files(tmp_path), BRIEF)
    with pytest.raises(errors.StoreDenied, match=re.escape(says)) as refused:
        asked.ask("a/x", lambda db: db.client.address)
    assert "hunter" not in str(refused.value)
    assert "ter2" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://h",
        "mongodb://u:p%40%2F@h:1,[::1]:2,i/db?replicaSet=a&w=majority",
        "mongodb+srv://u:p@cluster.example.com/?retryWrites=true",
        "mongodb://h?tls=true",
        "mongodb://u@h/",
        "mongodb://h/?useUnifiedTopology=true",
    ],
)
def test_an_address_that_can_be_tried_has_no_fault(uri: str) -> None:
    assert address.fault(uri) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for uri in (text, f"mongodb://{text}", f"mongodb+srv://u:p@{text}"):
        assert address.fault(uri) != ""
