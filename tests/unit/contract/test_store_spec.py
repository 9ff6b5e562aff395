"""The contract's shape of a store."""

from typing import Any

import pytest

from whatsapp_session import store_spec
from whatsapp_session.session_spec import SecretKeyRef, SpecError

FILES = {"claimName": "archives"}
SECRET = {"name": "login", "key": "uri"}


def backend(**spec: Any) -> store_spec.Backend:
    """Return the backend of a parsed store."""
    return store_spec.parse_store(spec).backend


def test_a_filesystem_store_is_read() -> None:
    assert backend(filesystem=FILES | {"path": "team-a"}) == store_spec.FilesystemBackend("archives", "team-a")


def test_an_s3_store_is_read() -> None:
    assert backend(s3={"bucket": "archives"}) == store_spec.S3Backend("archives")
    assert backend(
        s3={
            "bucket": "archives",
            "remoteDataPath": "team/a",
            "region": "eu-central-1",
            "endpoint": "https://s3.example.com",
            "forcePathStyle": True,
            "credentialsSecretRef": {"name": "login"},
            "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "key"},
        }
    ) == store_spec.S3Backend(
        "archives", "team/a", "eu-central-1", "https://s3.example.com", True, "login", store_spec.Sse.KMS, "key"
    )


def test_a_mongodb_store_is_read() -> None:
    found = backend(mongodb={"uriSecretRef": SECRET, "database": "whatsapp"})
    assert found == store_spec.MongoBackend(SecretKeyRef("login", "uri"), "whatsapp")


def test_a_custom_store_is_read() -> None:
    sources = [{"secretRef": {"name": "login"}, "prefix": "SQL_"}, {"configMapRef": {"name": "settings"}}]
    custom = {"name": "sqlite", "options": {"a": "b"}, "image": "mine:1", "envFrom": sources, "claimName": "files"}
    assert backend(custom=custom) == (
        store_spec.CustomBackend(
            "sqlite",
            {"a": "b"},
            "mine:1",
            (
                store_spec.EnvSource(store_spec.SourceKind.SECRET, "login", "SQL_"),
                store_spec.EnvSource(store_spec.SourceKind.CONFIG_MAP, "settings"),
            ),
            "files",
        )
    )


def test_a_bundle_of_certificates_and_a_proxy_are_read() -> None:
    raw = {
        "s3": {"bucket": "archives"},
        "caBundle": {"configMapKeyRef": {"name": "authority", "key": "ca.crt"}},
        "proxySecretRef": {"name": "proxy", "key": "url"},
    }
    found = store_spec.parse_store(raw)
    assert found.ca_bundle == store_spec.CaBundle(store_spec.CaKind.CONFIG_MAP, SecretKeyRef("authority", "ca.crt"))
    assert found.proxy == SecretKeyRef("proxy", "url")
    with pytest.raises(SpecError, match=r"spec\.caBundle must name"):
        store_spec.parse_store(raw | {"caBundle": {"other": {}}})


def test_a_store_of_files_has_a_claim() -> None:
    claims = [
        store_spec.pvc_name(backend(**spec))
        for spec in (
            {"filesystem": {"claimName": "a"}},
            {"custom": {"name": "x", "claimName": "b"}},
            {"s3": {"bucket": "archives"}},
        )
    ]
    assert claims == ["a", "b", None]


def test_encryption_and_fencing_are_read() -> None:
    plain = store_spec.parse_store({"filesystem": FILES})
    assert (plain.encryption_key, plain.allow_unfenced) == (None, False)
    ref = {"name": "archive-key", "key": "value"}
    found = store_spec.parse_store({"filesystem": FILES, "encryption": {"keySecretRef": ref}, "allowUnfenced": True})
    assert (found.encryption_key, found.allow_unfenced) == (SecretKeyRef("archive-key", "value"), True)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (None, "exactly one backend"),
        ({}, "exactly one backend"),
        ({"filesystem": FILES, "s3": {"bucket": "archives"}}, "exactly one backend"),
        ({"tape": {}}, "exactly one backend"),
        ({"filesystem": {}}, "spec.filesystem.claimName"),
        ({"s3": {}}, "spec.s3.bucket"),
        ({"s3": {"bucket": "archives", "serverSideEncryption": {"type": "rot13"}}}, "AES256, aws:kms"),
        ({"mongodb": {"database": "whatsapp"}}, "spec.mongodb.uriSecretRef.name"),
        ({"mongodb": {"uriSecretRef": {"name": "login"}, "database": "whatsapp"}}, "spec.mongodb.uriSecretRef.key"),
        ({"mongodb": {"uriSecretRef": SECRET}}, "spec.mongodb.database"),
        ({"custom": {}}, "spec.custom.name"),
        ({"custom": {"name": "sqlite", "envFrom": [{}]}}, "secretRef or configMapRef"),
        ({"filesystem": FILES, "encryption": {"keySecretRef": {"name": "key"}}}, "spec.encryption.keySecretRef.key"),
    ],
    ids=str,
)
def test_what_is_not_understood_names_the_field(spec: dict[str, Any] | None, field: str) -> None:
    with pytest.raises(SpecError, match=field):
        store_spec.parse_store(spec)
