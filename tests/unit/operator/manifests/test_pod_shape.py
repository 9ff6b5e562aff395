"""Each pod of ours is composed with the same settings, and mounts a claim once whatever names it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.operator import samples
from whatsapp_operator.manifests import move_pod, pod_shape, purge_pod, store_check_pod, worker_pod
from whatsapp_operator.manifests.pod_shape import PodSettings
from whatsapp_operator.manifests.worker_environment import WorkerDefaults
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.state import Store
from whatsapp_session import names

Manifest = dict[str, Any]
KINDS: dict[str, Callable[[WorkerDefaults], Manifest]] = {
    "worker": lambda defaults: worker_pod.pod(samples.session(), samples.store(), defaults),
    "check": lambda defaults: store_check_pod.pod(samples.store(), defaults),
    "purge": lambda defaults: purge_pod.purge_pod(samples.session(), samples.store(), defaults),
    "move": lambda defaults: move_pod.move_pod(samples.session(), store("old"), samples.store(), defaults),
}


def store(name: str, **spec: Any) -> Store:
    manifest = samples.store_resource(**spec)
    manifest["metadata"] |= {"name": name}
    return parse_store_resource(manifest)


def with_settings(**settings: Any) -> WorkerDefaults:
    return dataclasses.replace(samples.DEFAULTS, pods=PodSettings(**settings))


def claims(pod: Manifest) -> list[str]:
    """Return the claims that the volumes name, each as often as it is named."""
    volumes = [item["persistentVolumeClaim"] for item in pod["spec"]["volumes"] if "persistentVolumeClaim" in item]
    return [volume["claimName"] for volume in volumes]


@pytest.mark.parametrize("kind", KINDS)
def test_the_charts_settings_reach_every_pod(kind: str) -> None:
    scheduling = {"nodeSelector": {"disk": "ssd"}, "priorityClassName": "bots", "tolerations": [{"key": "bots"}]}
    made = KINDS[kind](with_settings(labels={"team": "bots"}, annotations={"cost": "42"}, scheduling=scheduling))
    assert (made["metadata"]["labels"]["team"], made["metadata"]["annotations"]["cost"]) == ("bots", "42")
    spec = made["spec"]
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"disk": "ssd"}, "bots")
    assert spec["tolerations"] == [*pod_shape.tolerations(), {"key": "bots"}]


@pytest.mark.parametrize("kind", KINDS)
def test_no_id_is_asked_for_where_the_cluster_assigns_them(kind: str) -> None:
    made = KINDS[kind](with_settings(security_context={}))
    assert made["spec"]["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = made["spec"]["containers"]
    assert not {"runAsUser", "runAsGroup"} & container["securityContext"].keys()


@pytest.mark.parametrize("kind", ["check", "purge", "move"])
def test_the_resources_of_the_pods_beside_the_worker_can_be_set(kind: str) -> None:
    (container,) = KINDS[kind](with_settings(store_resources={"limits": {"cpu": "1"}}))["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "1"}}


def test_a_move_within_one_claim_has_one_volume_with_two_mounts() -> None:
    key = {"keySecretRef": {"name": "key", "key": "k"}}
    made = move_pod.move_pod(
        samples.session(),
        store("plain", filesystem={"claimName": "archives", "path": "a"}),
        store("encrypted", filesystem={"claimName": "archives", "path": "b"}, encryption=key),
        samples.DEFAULTS,
    )
    assert claims(made) == ["archives"]
    (container,) = made["spec"]["containers"]
    mounts = {item["subPath"]: item["name"] for item in container["volumeMounts"] if "subPath" in item}
    assert mounts == dict.fromkeys(("a", "b"), "store")


def test_a_template_that_names_the_workers_claim_again_makes_a_pod_with_one_volume_of_it() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "archives", "readOnly": True}}
    mount = {"name": "mine", "mountPath": "/old-archives"}
    template = {"volumes": [{"name": "mine", **claim}], "containers": [{"name": "worker", "volumeMounts": [mount]}]}
    session = samples.session({"podTemplate": {"spec": template}})
    made = worker_pod.sent(worker_pod.pod(session, samples.store(), samples.DEFAULTS))
    assert claims(made) == ["archives"]
    mounts = {item["mountPath"]: item for item in made["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/old-archives"] == {"name": "store", "mountPath": "/old-archives", "readOnly": True}
    assert "readOnly" not in mounts[names.STORE_DIR]


def of_claim(name: str, *, read_only: bool) -> Manifest:
    return {"persistentVolumeClaim": {"claimName": name, **({"readOnly": True} if read_only else {})}}


VOLUME = st.builds(of_claim, st.sampled_from("abc"), read_only=st.booleans()) | st.just({"emptyDir": {}})


@given(st.lists(VOLUME, max_size=6))
def test_each_claim_is_one_volume_and_each_mount_finds_what_it_named(found: list[Manifest]) -> None:
    volumes = [{"name": f"v{number}", **volume} for number, volume in enumerate(found)]
    mounts = [{"name": item["name"], "mountPath": f"/{item['name']}"} for item in volumes]
    pod = {"spec": {"volumes": volumes, "initContainers": [{"volumeMounts": mounts}], "containers": [{}]}}
    made = pod_shape.one_volume_per_claim(pod["spec"])
    assert sorted(claims({"spec": made})) == sorted(set(claims(pod)))
    left = {item["name"]: item for item in made["volumes"]}
    for before, mount in zip(volumes, made["initContainers"][0]["volumeMounts"], strict=True):
        after = left[mount["name"]]
        claim, now = before.get("persistentVolumeClaim", {}), after.get("persistentVolumeClaim", {})
        assert claim.get("claimName") == now.get("claimName")
        assert claim.get("readOnly", False) == (now.get("readOnly", False) or mount.get("readOnly", False))
