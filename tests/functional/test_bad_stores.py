"""Wrong stores are refused by the API server with a sentence that says how to fix them."""

from typing import Any

import pytest

from functional.callers import ApiError
from functional.world import Place, session_manifest
from whatsapp_session import names

Manifest = dict[str, Any]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "exactly one backend"),
        ({"filesystem": {"claimName": "a"}, "s3": {"bucket": "archives"}}, "exactly one backend"),
        ({"filesystem": {"claimName": "a", "path": "/x"}}, "spec.filesystem.path must be a relative path"),
        ({"filesystem": {"claimName": "a", "path": "a/../../b"}}, "spec.filesystem.path must be a relative path"),
        ({"filesystem": {"claimName": "a", "path": "a\nb"}}, "must not contain line breaks"),
        ({"filesystem": {"claimName": "a", "path": "x" * 64}}, "at most 63 characters between two '/'"),
        ({"filesystem": {"claimName": "a..b"}}, "must be the name of a PersistentVolumeClaim"),
        ({"filesystem": {}}, "claimName: Required value"),
        (
            {"s3": {"bucket": "https://s3.example.com/archives"}},
            "spec.s3.bucket must be the name of a bucket, not a URL",
        ),
        ({"s3": {"bucket": "arn:aws:s3:::archives"}}, "not a URL or an ARN"),
        ({"s3": {"bucket": "archives/team-a"}}, "into spec.s3.remoteDataPath"),
        ({"s3": {"bucket": "ab"}}, "3 to 63 letters"),
        ({"s3": {"bucket": "a b c"}}, "3 to 63 letters"),
        ({"s3": {"bucket": "192.168.0.1"}}, "spec.s3.bucket must not be an IP address"),
        ({"s3": {"bucket": "a..b"}}, "contain '..'"),
        ({"s3": {"bucket": "archives", "remoteDataPath": "a b"}}, "of letters, digits, '/'"),
        ({"s3": {"bucket": "archives", "region": "-a"}}, "must be the name of a region"),
        ({"s3": {"bucket": "archives", "endpoint": "ftp://s3.example.com"}}, "must be an http or https URL"),
        ({"s3": {"bucket": "archives", "endpoint": "https://"}}, "must have a host"),
        ({"s3": {"bucket": "archives", "endpoint": "https://s3:70000"}}, "must have a port from 1 to 65535"),
        (
            {"s3": {"bucket": "archives", "endpoint": "https://s3/?region=x"}},
            "spec.s3.endpoint must not contain '?' or '#'",
        ),
        ({"s3": {"bucket": "archives", "endpoint": "https://s3/\n"}}, "must not contain blanks"),
        ({"s3": {"bucket": "archives", "endpoint": "http://my_minio:9000"}}, "S3 clients do not accept '_'"),
        (
            {"mongodb": {"uriSecretRef": {"name": "a", "key": "b"}, "database": "local"}},
            "which MongoDB reserves",
        ),
        ({"custom": {"name": "sqlite", "image": "a b\n"}}, "must be an image such as"),
        ({"custom": {"name": "sqlite", "image": "Team/Store:1"}}, "must be an image such as"),
        ({"custom": {"name": "sqlite", "image": "store:1@sha256:abc"}}, "must be an image such as"),
        (
            {"custom": {"name": "sqlite", "options": {f"a{number}": "x" * 4000 for number in range(5)}}},
            "at most 16384 characters in all",
        ),
        (
            {"custom": {"name": "sqlite", "envFrom": [{"prefix": "1", "secretRef": {"name": "a"}}]}},
            "must be the beginning",
        ),
        ({"custom": {"name": "sqlite", "envFrom": [{"configMapRef": {"name": "a..b"}}]}}, "the name of a ConfigMap"),
        (
            {"filesystem": {"claimName": "a"}, "caBundle": {"configMapKeyRef": {"name": "ca"}}},
            "spec.caBundle is not for spec.filesystem",
        ),
        (
            {"s3": {"bucket": "archives"}, "caBundle": {}},
            "set spec.caBundle.configMapKeyRef or spec.caBundle.secretKeyRef",
        ),
        (
            {"s3": {"bucket": "archives"}, "caBundle": {"configMapKeyRef": {"name": "CA"}}},
            "must be the name of a ConfigMap",
        ),
        (
            {"s3": {"bucket": "archives"}, "caBundle": {"secretKeyRef": {"name": "ca", "key": "../x"}}},
            "must be a key of the Secret",
        ),
        (
            {
                "mongodb": {"uriSecretRef": {"name": "a", "key": "b"}, "database": "whatsapp"},
                "proxySecretRef": {"name": "proxy", "key": "url"},
            },
            "spec.proxySecretRef is for spec.s3 and spec.custom only",
        ),
        ({"s3": {}}, "bucket: Required value"),
        ({"s3": {"bucket": "s3://archives"}}, "spec.s3.bucket must be the name of a bucket, not a URL"),
        ({"s3": {"bucket": "archives", "remoteDataPath": "/a/"}}, "must be a prefix such as sessions/team-a"),
        ({"s3": {"bucket": "archives", "remoteDataPath": "a/../b"}}, "must be a prefix such as sessions/team-a"),
        ({"s3": {"bucket": "archives", "endpoint": "s3.example.com"}}, "must be an http or https URL"),
        ({"s3": {"bucket": "archives", "endpoint": "https://me:secret@s3"}}, "spec.s3.credentialsSecretRef"),
        ({"s3": {"bucket": "archives", "region": "Frankfurt am Main"}}, "must be the name of a region"),
        ({"s3": {"bucket": "archives", "serverSideEncryption": {"type": "rot13"}}}, '"AES256", "aws:kms"'),
        (
            {"s3": {"bucket": "archives", "serverSideEncryption": {"type": "AES256", "kmsKeyId": "k"}}},
            "kmsKeyId is for type aws:kms only",
        ),
        ({"mongodb": {"database": "whatsapp"}}, "uriSecretRef: Required value"),
        ({"mongodb": {"uriSecretRef": {"name": "a", "key": "b"}, "database": "a/b"}}, "must be the name of a database"),
        ({"custom": {"name": "s3"}}, "spec.custom.name must not be file, s3 or mongodb"),
        ({"custom": {"name": "my store"}}, "must be the name of an entry point"),
        ({"custom": {"name": "sqlite", "envFrom": [{}]}}, "must set either secretRef or configMapRef"),
        (
            {"custom": {"name": "sqlite", "envFrom": [{"prefix": "WHATSAPP_", "secretRef": {"name": "a"}}]}},
            "must not begin with WHATSAPP_",
        ),
        ({"filesystem": {"claimName": "a"}, "encryption": {}}, "keySecretRef: Required value"),
        ({"filesystem": {"claimName": "../b"}}, "must be the name of a PersistentVolumeClaim"),
        ({"custom": {"name": "sqlite", "claimName": "A b"}}, "must be the name of a PersistentVolumeClaim"),
        ({"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "A/b"}}}, "must be the name of a Secret"),
        ({"mongodb": {"uriSecretRef": {"name": "a", "key": "b/c"}, "database": "d"}}, "must be a key of the Secret"),
        (
            {"s3": {"bucket": "archives"}, "serviceAccount": {"annotations": {"a b": "c"}}},
            "spec.serviceAccount.annotations must be valid annotation keys",
        ),
        ({"s3": {"bucket": "archives"}, "podLabels": {"a b": "c"}}, "spec.podLabels must be valid labels"),
        ({"s3": {"bucket": "archives"}, "podLabels": {"a": "c d"}}, "spec.podLabels must be valid labels"),
        ({"s3": {"bucket": "archives"}, "podLabels": {"x" * 64: ""}}, "spec.podLabels must be valid labels"),
        (
            {
                "s3": {"bucket": "archives"},
                "serviceAccount": {"annotations": {f"a{number}": "x" * 4000 for number in range(60)}},
            },
            "at most 200000 characters in all",
        ),
    ],
    ids=str,
)
def test_a_wrong_store_is_refused_with_a_sentence(place: Place, spec: Manifest, sentence: str) -> None:
    manifest = session_manifest(place.name, "default", spec) | {"kind": names.STORE_KIND}
    with pytest.raises(ApiError) as error:
        place.admin.create(manifest)
    assert sentence in error.value.message


@pytest.mark.parametrize(
    "spec",
    [
        {"s3": {"bucket": "archives"}},
        {
            "s3": {
                "bucket": "my.archives",
                "remoteDataPath": "team-a/whatsapp",
                "region": "eu-central-1",
                "endpoint": "http://store.bots.svc:7070",
                "forcePathStyle": True,
                "credentialsSecretRef": {"name": "login"},
                "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "arn:aws:kms:eu-central-1:1:key/2"},
            }
        },
        {"mongodb": {"uriSecretRef": {"name": "login", "key": "uri"}, "database": "whatsapp"}, "allowUnfenced": True},
        {"custom": {"name": "sqlite", "options": {"a": "b"}, "envFrom": [{"secretRef": {"name": "login"}}]}},
        {"custom": {"name": "sqlite", "claimName": "files"}},
        {"filesystem": {"claimName": "a"}, "encryption": {"keySecretRef": {"name": "key", "key": "value"}}},
        {
            "s3": {"bucket": "archives"},
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/whatsapp"}},
            "podLabels": {"azure.workload.identity/use": "true", "team": ""},
        },
    ],
    ids=["bucket", "every setting of s3", "mongodb", "custom", "custom with files", "encrypted", "cloud identity"],
)
def test_a_store_of_each_kind_is_accepted(place: Place, spec: Manifest) -> None:
    made = place.admin.create(session_manifest(place.name, "default", spec) | {"kind": names.STORE_KIND})
    assert made["spec"].items() >= {"allowUnfenced": spec.get("allowUnfenced", False)}.items()


DIGEST = "sha256:28c80b379c75242c6fe793dfbf212f43c602140a0de5ebe3d9c2a3a7b9f9f983"


@pytest.mark.parametrize(
    "spec",
    [
        *({"custom": {"name": "mine", "image": image}} for image in (
            "store", "store:1", "team/store", "localhost:5000/store:1.0", f"registry.example.com/a/b@{DIGEST}",
            f"10.0.0.1:5000/a_b/c__d.e-f:V1.0_x@{DIGEST}", "[fd00::1]:5000/store", "Registry.example.com/store:Latest",
        )),
        *({"s3": {"bucket": "archives", "endpoint": endpoint}} for endpoint in (
            "http://[fd00::1]:9000", "https://10.0.0.1", "https://x.example.com/storage/v1/s3", "http://minio:9000/",
            "https://s3.example.com.:443",
        )),
        *({"filesystem": {"claimName": "a", "path": path}} for path in ("", "Büro/Verkauf 2", "a/b/", ".", "...")),
        *({"s3": {"bucket": bucket}} for bucket in ("abc", "My_Archives", "a.b-c.9", "x" * 63)),
    ],
    ids=str,
)  # fmt: skip
def test_unusual_settings_that_work_are_accepted(place: Place, spec: Manifest) -> None:
    place.admin.create(session_manifest(place.name, "default", spec) | {"kind": names.STORE_KIND})
