"""Wrong input is refused by the API server with a sentence that says how to mend it."""

from typing import Any

import pytest

from functional.callers import ApiError
from functional.world import Place, session_manifest
from whatsapp_session import names

Manifest = dict[str, Any]


def remote(**settings: Any) -> Manifest:
    """Return a spec with settings of RemoteAuth."""
    return {"auth": {"strategy": "RemoteAuth", "remoteAuth": settings}}


LOCAL: Manifest = {"auth": {"strategy": "LocalAuth", "localAuth": {}}}


def template(**spec: Any) -> Manifest:
    """Return a spec with a pod template."""
    return {"podTemplate": {"spec": spec}}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"auth": {"strategy": "Magic"}}, '"NoAuth", "LocalAuth", "RemoteAuth"'),
        ({"auth": {"strategy": "LocalAuth"}}, "strategy LocalAuth needs spec.auth.localAuth"),
        ({"auth": {"localAuth": {}}}, "spec.auth.localAuth belongs to strategy LocalAuth"),
        ({"auth": {"strategy": "NoAuth", "remoteAuth": {}}}, "spec.auth.remoteAuth belongs to strategy RemoteAuth"),
        (remote(backupSyncInterval="30s"), "of at least 1m, such as 5m"),
        (remote(backupSyncInterval="soon"), "must be a duration of whole hours, minutes and seconds"),
        (remote(backupSyncInterval=""), "must be a duration of whole hours, minutes and seconds"),
        (remote(generations=0), "greater than or equal to 1"),
        (
            {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "mine", "onDelete": "Delete"}}},
            "a claim of yours (claimName) is never deleted",
        ),
        ({"clientId": "a/b"}, "may hold letters, digits, '-' and '_' only"),
        ({"linking": {"timeout": "1d"}}, "0s means no limit"),
        ({"linking": {"method": "PairingCode"}}, "needs spec.linking.phoneNumberSecretRef"),
        ({"linking": {"expectedAccount": "me"}}, "in digits with its country code"),
        ({"failover": {"leaseDuration": "11m"}}, "from 30s to 10m"),
        ({"warnings": {"archiveSize": "500MB"}}, "such as 500Mi"),
        ({"warnings": {"memory": "0Gi"}}, "such as 2Gi"),
        ({"browser": {"url": "http://web.whatsapp.com"}}, "must be an https address"),
        ({"browser": {"args": ["--user-data-dir=/x"]}}, "may not open debugging, change the profile"),
        ({"browser": {"args": ["--remote-debugging-port=1"]}}, "may not open debugging"),
        ({"browser": {"cdpPort": 80}}, "greater than or equal to 1024"),
        ({"browser": {"cdpPort": 8080}}, "on which the worker answers its probes"),
        ({"browser": {"channel": "chromium-headless-shell"}}, 'supported values: "chromium"'),
        ({"browser": {"pageOwner": "Bot"}}, 'supported values: "Worker"'),
        ({"browser": {"args": ["--zygote-cmd-prefix=/bin/x"]}}, "or start programs"),
        ({"browser": {"args": ["--ppapi-plugin-launcher=/bin/x"]}}, "or start programs"),
        ({"browser": {"args": ["--incognito"]}}, "change the profile"),
        ({"browser": {"args": ["no-sandbox"]}}, "a switch that begins with '--'"),
        ({"browser": {"args": ["--"]}}, "a switch that begins with '--'"),
        (template(serviceAccountName="mine"), "may not set the service account"),
        (template(hostNetwork=True), "may not share the host's network"),
        (template(restartPolicy="Always"), "restartPolicy is the operator's"),
        (template(volumes=[{"name": "x", "hostPath": {"path": "/"}}]), "may not mount the host's directories"),
        (template(volumes=[{"name": "store", "emptyDir": {}}]), "are the operator's; use other names"),
        (template(volumes=[{"emptyDir": {}}]), "spec.podTemplate.spec.volumes[0].name: Required value"),
        (template(containers=[{"image": "x"}]), "spec.podTemplate.spec.containers[0].name: Required value"),
        (template(initContainers=[{"image": "x"}]), "spec.podTemplate.spec.initContainers[0].name: Required value"),
        (template(containers="worker"), "spec.podTemplate.spec.containers in body must be of type array"),
        (template(containers=[{"name": "x", "env": [{"value": "1"}]}]), "containers[0].env[0].name: Required value"),
        (template(containers=[{"name": "x", "volumeMounts": [{"name": "v"}]}]), "mountPath: Required value"),
        ({"podTemplate": {"metadata": {"labels": {names.LABEL_SESSION: "other"}}}}, "use another prefix"),
        ({"operatingMode": "Paused"}, '"Running", "Suspended"'),
    ],
    ids=str,
)
def test_a_wrong_session_is_refused_with_a_sentence(place: Place, spec: Manifest, sentence: str) -> None:
    with pytest.raises(ApiError) as error:
        place.session("support", **spec)
    assert error.value.status == 422
    assert sentence in error.value.message


@pytest.mark.parametrize("name", ["a.b", "x" * 61], ids=["dots", "long"])
def test_a_name_that_a_pod_could_not_bear_is_refused(place: Place, name: str) -> None:
    with pytest.raises(ApiError) as error:
        place.session(name)
    assert "must be a DNS label of at most 60 characters" in error.value.message


def test_the_longest_name_is_accepted(place: Place) -> None:
    assert place.session("x" * 60)["metadata"]["name"] == "x" * 60


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"clientId": "one"}, {"clientId": "two"}, "spec.clientId is immutable"),
        ({}, {"clientId": "late"}, "spec.clientId is immutable"),
        ({"clientId": "one"}, {"clientId": None}, "spec.clientId is immutable"),
        ({}, {"auth": {"strategy": "NoAuth", "remoteAuth": None}}, "spec.auth.strategy is immutable"),
        (LOCAL, {"auth": {"localAuth": {"size": "2Gi"}}}, "are read when the claim is made and are immutable"),
        (LOCAL, {"auth": {"localAuth": {"onDelete": "Delete"}}}, "are read when the claim is made and are immutable"),
        (LOCAL, {"auth": {"localAuth": {"storageClassName": "fast"}}}, "are read when the claim is made"),
    ],
    ids=["changed", "set later", "removed", "strategy", "size", "onDelete", "class"],
)
def test_what_names_the_archives_cannot_change(place: Place, before: Manifest, after: Manifest, sentence: str) -> None:
    place.session("support", **before)
    with pytest.raises(ApiError) as error:
        place.update("support", **after)
    assert sentence in error.value.message


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "a store needs exactly one backend"),
        ({"filesystem": {"claimName": "a"}, "s3": {"bucket": "archives"}}, "a store needs exactly one backend"),
        ({"filesystem": {"claimName": "a", "path": "/x"}}, "must be a relative path"),
        ({"filesystem": {"claimName": "a", "path": "a/../../b"}}, "must be a relative path"),
        ({"filesystem": {}}, "claimName: Required value"),
        ({"s3": {}}, "bucket: Required value"),
        ({"s3": {"bucket": "s3://archives"}}, "without the endpoint or s3://"),
        ({"s3": {"bucket": "archives", "remoteDataPath": "/a/"}}, "must be a prefix such as sessions/team-a"),
        ({"s3": {"bucket": "archives", "remoteDataPath": "a/../b"}}, "must be a prefix such as sessions/team-a"),
        ({"s3": {"bucket": "archives", "endpoint": "s3.example.com"}}, "must be an http or https address"),
        ({"s3": {"bucket": "archives", "endpoint": "https://me:secret@s3"}}, "credentials belong into the Secret"),
        ({"s3": {"bucket": "archives", "region": "Frankfurt am Main"}}, "must be the name of a region"),
        ({"s3": {"bucket": "archives", "serverSideEncryption": {"type": "rot13"}}}, '"AES256", "aws:kms"'),
        (
            {"s3": {"bucket": "archives", "serverSideEncryption": {"type": "AES256", "kmsKeyId": "k"}}},
            "belongs to type aws:kms",
        ),
        ({"mongodb": {"database": "whatsapp"}}, "uriSecretRef: Required value"),
        ({"mongodb": {"uriSecretRef": {"name": "a", "key": "b"}, "database": "a/b"}}, "must be the name of a database"),
        ({"custom": {"name": "s3"}}, "file, s3 and mongodb are taken"),
        ({"custom": {"name": "my store"}}, "must be the name of an entry point"),
        ({"custom": {"name": "sqlite", "envFrom": [{}]}}, "names either a secretRef or a configMapRef"),
        (
            {"custom": {"name": "sqlite", "envFrom": [{"prefix": "WHATSAPP_", "secretRef": {"name": "a"}}]}},
            "WHATSAPP_ is the operator's",
        ),
        ({"filesystem": {"claimName": "a"}, "encryption": {}}, "keySecretRef: Required value"),
        ({"filesystem": {"claimName": "../b"}}, "must be the name of a PersistentVolumeClaim"),
        ({"custom": {"name": "sqlite", "claimName": "A b"}}, "must be the name of a PersistentVolumeClaim"),
        ({"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "A/b"}}}, "credentialsSecretRef.name in body"),
        ({"mongodb": {"uriSecretRef": {"name": "a", "key": "b/c"}, "database": "d"}}, "uriSecretRef.key in body"),
        ({"s3": {"bucket": "archives"}, "serviceAccount": {"annotations": {"a b": "c"}}}, "must be annotations' names"),
        ({"s3": {"bucket": "archives"}, "podLabels": {"a b": "c"}}, "spec.podLabels must be labels"),
        ({"s3": {"bucket": "archives"}, "podLabels": {"a": "c d"}}, "spec.podLabels must be labels"),
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


def test_an_absent_spec_gets_every_default(place: Place) -> None:
    manifest = session_manifest(place.name, "support", {})
    del manifest["spec"]
    made = place.admin.create(manifest)
    assert made["spec"] == {
        "operatingMode": "Running",
        "auth": {
            "strategy": "RemoteAuth",
            "remoteAuth": {
                "storeRef": {"name": "default"},
                "backupSyncInterval": "5m",
                "generations": 3,
                "interop": "EverySave",
                "onDelete": "Retain",
            },
        },
        "linking": {"method": "QRCode", "timeout": "30m"},
        "browser": {"url": "https://web.whatsapp.com/", "channel": "chromium", "pageOwner": "Worker"},
        "failover": {"leaseDuration": "60s"},
    }
