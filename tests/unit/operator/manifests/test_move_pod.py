"""The pod that copies a session's archives: both stores in places of their own, no token."""

from typing import Any

from scenes.operator import samples
from whatsapp_operator.manifests import move_pod
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.state import Store

Manifest = dict[str, Any]
BUCKET: Manifest = {"bucket": "b", "credentialsSecretRef": {"name": "login"}}
MONGO: Manifest = {"database": "d", "uriSecretRef": {"name": "login", "key": "uri"}}


def store(name: str, **spec: Any) -> Store:
    manifest = samples.store_resource(**spec)
    manifest["metadata"] |= {"name": name}
    return parse_store_resource(manifest)


def made(source: Store, target: Store, spec: Manifest | None = None) -> tuple[Manifest, Manifest]:
    pod = move_pod.move_pod(samples.session(spec), source, target, samples.DEFAULTS)
    (container,) = pod["spec"]["containers"]
    return pod, container


def test_the_pod_has_both_stores_in_places_of_their_own_and_no_token() -> None:
    key = {"keySecretRef": {"name": "key", "key": "k"}}
    pod, container = made(store("default", encryption=key), store("archive", s3=BUCKET))
    places = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
    assert places.keys() == {"tmp", "store-credentials", "source-store", "source-encryption"}
    assert len(set(places.values())) == len(places)
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_each_kind_of_source_is_told_by_arguments() -> None:
    _, from_s3 = made(store("a", s3=BUCKET), store("b"))
    assert from_s3["args"][3:] == ["--from", "s3:b", "--from-secrets", "/var/run/secrets/whatsapp/source-store"]
    custom = {
        "name": "mine",
        "options": {"server": "x"},
        "image": "mine:1",
        "envFrom": [{"secretRef": {"name": "login"}}],
    }
    _, from_custom = made(store("a", custom=custom, allowUnfenced=True), store("b", mongodb=MONGO))
    assert from_custom["args"][3:] == ["--from", "mine:", "--from-options", '{"server": "x"}', "--from-unfenced"]
    assert (from_custom["image"], from_custom["envFrom"]) == ("mine:1", [{"secretRef": {"name": "login"}}])
    _, to_custom = made(store("a", s3=BUCKET), store("b", custom=custom))
    assert (to_custom["image"], to_custom["envFrom"]) == ("mine:1", [{"secretRef": {"name": "login"}}])


def test_the_pod_goes_where_the_sessions_template_says() -> None:
    template = {"podTemplate": {"spec": {"nodeSelector": {"zone": "a"}}}}
    pod, container = made(store("default"), store("archive", s3=BUCKET), template)
    assert pod["spec"]["nodeSelector"] == {"zone": "a"}
    assert pod["spec"]["terminationGracePeriodSeconds"] == move_pod.GRACE_SECONDS
    assert len(container["volumeMounts"]) == 3
