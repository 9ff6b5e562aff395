"""With which credentials an S3 store comes, and what it says of those that do not serve."""

import datetime
import pathlib

import botocore.auth
import pytest

from component.stores import servers
from component.stores.disturbed import BRIEF, SMALL, S3Place
from component.stores.proxy import How
from whatsapp_worker import errors
from whatsapp_worker.stores import s3, testing


@pytest.fixture
def store(s3_place: S3Place) -> s3.S3Store:
    """A store that has shown that it is exclusive, so that later requests are the tests' own."""
    return s3_place.ready()


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


def test_changed_credentials_take_effect_without_a_restart(store: s3.S3Store, s3_place: S3Place) -> None:
    servers.write_s3_secrets(s3_place.secrets, secret="rotated")
    with pytest.raises(errors.StoreDenied, match="secret access key is wrong"):
        store.read("a/first")
    servers.write_s3_secrets(s3_place.secrets)
    assert testing.read(store, "a/first") == b"first"


def test_without_any_credentials_the_error_says_where_they_come_from(
    s3_place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    store = s3_place.open(BRIEF, secrets=False)
    with pytest.raises(errors.StoreDenied, match="web identity"):
        store.read("a/x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET_KEY)
    from_environment = s3_place.open(BRIEF, secrets=False)
    from_environment.create("a/x", [SMALL])


def test_a_web_identity_is_exchanged_for_credentials(
    s3_place: S3Place, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{s3_place.proxy.port}")
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
    answer = head + str(len(given)).encode() + b"\r\n\r\n" + given
    exchange = s3_place.proxy.fault(How.ANSWER, rb"Action=AssumeRoleWithWebIdentity", answer=answer)
    store = s3_place.open(secrets=False)
    store.create("a/x", [SMALL])
    assert testing.read(store, "a/x") == SMALL
    assert exchange.met == 1
