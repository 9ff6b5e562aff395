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
EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
CA = {"configMapKeyRef": {"name": "ca", "key": "ca.crt"}}
KEY = {"keySecretRef": {"name": "key", "key": "k"}}
PROXY = {"name": "proxy", "key": "url"}
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
    assert spec["tolerations"] == [*pod_shape.tolerations(()), {"key": "bots"}]


@pytest.mark.parametrize("kind", KINDS)
def test_no_id_is_asked_for_where_the_cluster_assigns_them(kind: str) -> None:
    made = KINDS[kind](with_settings(security_context={}))
    assert made["spec"]["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = made["spec"]["containers"]
    assert not {"runAsUser", "runAsGroup"} & container["securityContext"].keys()


SEALED = {"s3": {"bucket": "b", "credentialsSecretRef": {"name": "login"}}, "caBundle": CA, "encryption": KEY}


@pytest.mark.parametrize("kind", ["worker", "check", "purge", "move"])
@pytest.mark.parametrize(("ids", "mode"), [({"fsGroup": 7}, 0o440), ({"runAsUser": 7}, 0o444), ({}, 0o444)], ids=str)
def test_secrets_and_token_are_readable_for_whatever_user_the_cluster_chooses(
    kind: str, ids: dict[str, int], mode: int
) -> None:
    defaults, session = with_settings(security_context=ids), samples.session({"browser": {"proxySecretRef": PROXY}})
    one, other = store("one", **SEALED), store("other", **SEALED)
    spec = {
        "worker": lambda: worker_pod.pod(session, one, defaults),
        "check": lambda: store_check_pod.pod(one, defaults),
        "purge": lambda: purge_pod.purge_pod(session, one, defaults),
        "move": lambda: move_pod.move_pod(session, one, other, defaults),
    }[kind]()["spec"]
    sources = [item.get("secret") or item.get("projected") for item in spec["volumes"]]
    modes = [source["defaultMode"] for source in sources if source]
    assert (set(modes), len(modes)) == ({mode}, {"worker": 5, "move": 6}.get(kind, 3))


def test_a_volume_of_a_template_keeps_its_mode() -> None:
    volume = {"name": "mine", "secret": {"secretName": "mine", "defaultMode": 0o440}}
    template = {"podTemplate": {"spec": {"securityContext": {"fsGroup": None}, "volumes": [volume]}}}
    made = worker_pod.pod(samples.session(template), samples.store(), samples.DEFAULTS)["spec"]["volumes"]
    assert volume in made
    assert {"defaultMode": 0o444}.items() <= next(item for item in made if item["name"] == "kube-api-access")[
        "projected"
    ].items()


@pytest.mark.parametrize(("auth", "said"), [({}, "true"), ({"strategy": "NoAuth"}, None)], ids=["kept", "not kept"])
def test_the_autoscaler_may_evict_a_worker_whose_login_is_kept(auth: Manifest, said: str | None) -> None:
    made = worker_pod.pod(samples.session({"auth": auth}), samples.store(), samples.DEFAULTS)
    assert made["metadata"]["annotations"].get(EVICTABLE) == said
    template = {"metadata": {"annotations": {EVICTABLE: "false"}}}
    kept = worker_pod.pod(samples.session({"auth": auth, "podTemplate": template}), samples.store(), samples.DEFAULTS)
    assert kept["metadata"]["annotations"][EVICTABLE] == "false"


@pytest.mark.parametrize("kind", ["check", "purge", "move"])
def test_the_resources_of_the_pods_beside_the_worker_can_be_set(kind: str) -> None:
    (container,) = KINDS[kind](with_settings(store_resources={"limits": {"cpu": "1"}}))["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "1"}}


def test_a_move_within_one_claim_has_one_volume_with_two_mounts() -> None:
    made = move_pod.move_pod(
        samples.session(),
        store("plain", filesystem={"claimName": "archives", "path": "a"}),
        store("encrypted", filesystem={"claimName": "archives", "path": "b"}, encryption=KEY),
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


def test_a_time_that_the_chart_names_for_lost_nodes_replaces_the_operators() -> None:
    given = {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 600,
    }
    found = pod_shape.tolerations([given])
    assert [(item["key"].partition("/")[2], item["tolerationSeconds"]) for item in found] == [
        ("not-ready", 30),
        ("unreachable", 600),
    ]
