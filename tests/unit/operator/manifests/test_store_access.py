"""How pods reach a store."""

import json
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import move_pod, purge_pod, store_access, store_check_pod, worker_pod
from whatsapp_session import worker_config

Manifest = dict[str, Any]
S3 = {"bucket": "archives"}
MONGO = {"uriSecretRef": {"name": "login", "key": "connection"}, "database": "whatsapp"}
CREDENTIALS = "/var/run/secrets/whatsapp/store"


def told(**spec: Any) -> dict[str, str]:
    """Return the variables that speak of the store."""
    config = store_access.told(worker_config.WorkerConfig(), samples.store(**spec))
    return {name: value for name, value in worker_config.to_env(config).items() if "STORE" in name or "ENC" in name}


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"filesystem": {"claimName": "a", "path": "b"}}, "file:/var/lib/whatsapp/store"),
        ({"s3": S3}, "s3:archives"),
        ({"s3": S3 | {"remoteDataPath": "team/a"}}, "s3:archives/team/a"),
        (
            {
                "s3": S3
                | {
                    "region": "eu-central-1",
                    "endpoint": "http://s3.example.com:9000",
                    "forcePathStyle": True,
                    "serverSideEncryption": {"type": "aws:kms", "kmsKeyId": "alias/key"},
                }
            },
            "s3:archives?region=eu-central-1&endpoint=http://s3.example.com:9000&forcePathStyle=true"
            "&sse=aws:kms&kmsKeyId=alias/key",
        ),
        ({"mongodb": MONGO}, "mongodb:whatsapp"),
        ({"custom": {"name": "sqlite"}}, "sqlite:"),
    ],
    ids=["filesystem", "bucket", "prefix", "every setting", "mongodb", "custom"],
)
def test_an_address_says_where_and_never_who(spec: Manifest, address: str) -> None:
    assert told(**spec)["WHATSAPP_STORE"] == address


def test_the_credentials_of_s3_are_files_and_the_session_token_may_lack() -> None:
    store = samples.store(s3=S3 | {"credentialsSecretRef": {"name": "login"}})
    keys = [{"key": key, "path": key} for key in ("accessKeyId", "secretAccessKey")]
    token = {"key": "sessionToken", "path": "sessionToken"}
    sources = [
        {"secret": {"name": "login", "items": keys}},
        {"secret": {"name": "login", "items": [token], "optional": True}},
    ]
    assert store_access.volumes(store) == [
        {"name": "store-credentials", "projected": {"defaultMode": 0o440, "sources": sources}}
    ]
    assert store_access.mounts(store) == [{"name": "store-credentials", "mountPath": CREDENTIALS, "readOnly": True}]
    assert told(s3=S3 | {"credentialsSecretRef": {"name": "login"}})["WHATSAPP_STORE_SECRETS"] == CREDENTIALS


def test_s3_without_a_secret_uses_the_clouds_own_identity() -> None:
    assert store_access.volumes(samples.store(s3=S3)) == []
    assert "WHATSAPP_STORE_SECRETS" not in told(s3=S3)


def test_the_connection_string_of_mongodb_is_a_file() -> None:
    assert store_access.volumes(samples.store(mongodb=MONGO)) == [
        {
            "name": "store-credentials",
            "secret": {
                "secretName": "login", "items": [{"key": "connection", "path": "uri"}], "defaultMode": 0o440
            },
        }
    ]  # fmt: skip
    assert told(mongodb=MONGO) == {"WHATSAPP_STORE": "mongodb:whatsapp", "WHATSAPP_STORE_SECRETS": CREDENTIALS}


@pytest.mark.parametrize("backend", [{"s3": S3 | {"credentialsSecretRef": {"name": "login"}}}, {"mongodb": MONGO}])
def test_a_pod_that_shall_say_what_lacks_starts_without_its_secrets(backend: Manifest) -> None:
    ref = {"keySecretRef": {"name": "archive-key", "key": "key"}}
    found = store_access.volumes(samples.store(**backend, encryption=ref), optional=True)
    sources = [
        source.get("secret", source)
        for volume in found
        for source in volume.get("projected", {"sources": [volume.get("secret")]})["sources"]
    ]
    assert len(sources) >= 2
    assert all(source["optional"] is True for source in sources)


def test_the_encryption_key_is_mounted_whatever_the_backend() -> None:
    ref = {"keySecretRef": {"name": "archive-key", "key": "key"}}
    store = samples.store(encryption=ref)
    source = {"secretName": "archive-key", "items": [{"key": "key", "path": "value"}], "defaultMode": 0o440}
    mount = {"name": "encryption", "mountPath": "/var/run/secrets/whatsapp/encryption", "readOnly": True}
    assert store_access.volumes(store)[1:] == [{"name": "encryption", "secret": source}]
    assert store_access.mounts(store)[1:] == [mount]
    assert told(encryption=ref)["WHATSAPP_ENCRYPTION_KEY_FILE"] == "/var/run/secrets/whatsapp/encryption/value"


def test_every_pod_of_a_store_gets_its_certificates_and_its_proxy() -> None:
    way = {
        "caBundle": {"configMapKeyRef": {"name": "authority", "key": "ca.crt"}},
        "proxySecretRef": {"name": "proxy", "key": "url"},
    }
    store = samples.store(s3=S3, **way)
    made = {
        "worker": worker_pod.pod(samples.session(), store, samples.DEFAULTS),
        "check": store_check_pod.pod(store, samples.DEFAULTS),
        "purge": purge_pod.purge_pod(samples.session(), store, samples.DEFAULTS),
        "move": move_pod.move_pod(samples.session(), samples.store(mongodb=MONGO), store, samples.DEFAULTS),
    }
    for kind, pod in made.items():
        (container,) = pod["spec"]["containers"]
        (mount,) = [item for item in container["volumeMounts"] if item["name"] == "store-network"]
        told = {item["name"]: item.get("value") for item in container["env"]}
        assert mount["mountPath"] == told["WHATSAPP_STORE_NETWORK"] == "/var/run/secrets/whatsapp/network", kind
        (volume,) = [item for item in pod["spec"]["volumes"] if item["name"] == "store-network"]
        paths = [source["items"][0]["path"] for part in volume["projected"]["sources"] for source in part.values()]
        assert paths == ["ca.crt", "proxy"], kind


def test_a_move_reaches_its_source_by_the_sources_own_route() -> None:
    source = samples.store(mongodb=MONGO, caBundle={"secretKeyRef": {"name": "authority", "key": "ca.crt"}})
    pod = move_pod.move_pod(samples.session(), source, samples.store(s3=S3), samples.DEFAULTS)
    (container,) = pod["spec"]["containers"]
    at = container["args"].index("--from-network")
    (mount,) = [item for item in container["volumeMounts"] if item["name"] == "source-store-network"]
    assert container["args"][at + 1] == mount["mountPath"] == "/var/run/secrets/whatsapp/source-network"


def test_a_custom_store_brings_its_image_options_and_variables() -> None:
    sources = [{"secretRef": {"name": "login"}, "prefix": "SQL_"}, {"configMapRef": {"name": "settings"}}]
    custom = {"name": "sqlite", "options": {"b": "2", "a": "1"}, "image": "mine:1", "envFrom": sources}
    made = worker_pod.pod(samples.session(), samples.store(custom=custom, allowUnfenced=True), samples.DEFAULTS)
    (container,) = made["spec"]["containers"]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert container["image"] == "mine:1"
    assert container["envFrom"] == [
        {"prefix": "SQL_", "secretRef": {"name": "login"}},
        {"configMapRef": {"name": "settings"}},
    ]
    assert json.loads(env["WHATSAPP_STORE_OPTIONS"] or "") == {"a": "1", "b": "2"}
    assert env["WHATSAPP_STORE_ALLOW_UNFENCED"] == "true"


def test_a_custom_stores_claim_is_in_each_of_its_pods_at_the_same_place() -> None:
    store = samples.store(custom={"name": "sqlite", "claimName": "files"})
    for place, prefix in ((store_access.OWN, ""), (store_access.SOURCE, "source-")):
        claim = {"persistentVolumeClaim": {"claimName": "files"}}
        assert store_access.volumes(store, place) == [{"name": f"{prefix}store", **claim}]
        mount = {"name": f"{prefix}store", "mountPath": "/var/lib/whatsapp/stores/default"}
        assert store_access.mounts(store, place) == [mount]


def test_a_sessions_own_image_wins_over_its_stores() -> None:
    template = {"spec": {"containers": [{"name": "worker", "image": "theirs:2"}]}}
    store = samples.store(custom={"name": "sqlite", "image": "mine:1"})
    made = worker_pod.pod(samples.session({"podTemplate": template}), store, samples.DEFAULTS)
    assert made["spec"]["containers"][0]["image"] == "theirs:2"


def test_the_worker_understands_what_it_is_told_of_every_store() -> None:
    for spec in ({"s3": S3}, {"mongodb": MONGO}, {"custom": {"name": "sqlite", "options": {"a": "1"}}}):
        config = store_access.told(worker_config.WorkerConfig(), samples.store(**spec, allowUnfenced=True))
        assert worker_config.from_env(worker_config.to_env(config)) == config


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, []),
        ({"s3": S3}, []),
        ({"s3": S3 | {"credentialsSecretRef": {"name": "a"}}}, ["accessKeyId and secretAccessKey"]),
        ({"mongodb": MONGO, "encryption": {"keySecretRef": {"name": "b", "key": "k"}}}, ["'login'", "'b'"]),
    ],
    ids=["claim", "identity", "s3", "mongodb and encryption"],
)
def test_people_are_told_which_secrets_a_store_needs(spec: Manifest, names: list[str]) -> None:
    found = store_access.secrets(samples.store(**spec).spec)
    assert len(found) == len(names)
    assert all(name in sentence for name, sentence in zip(names, found, strict=True))
