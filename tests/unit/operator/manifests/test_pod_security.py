"""No podTemplate makes a pod that is against the restricted standard, and what it says nothing of is filled in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forbidden_templates import ALLOWED, NEVER, TABLE, Forbidden
from scenes.operator import samples
from whatsapp_operator.manifests import move_pod, pod_security, purge_pod, store_check_pod, worker_pod
from whatsapp_operator.manifests.pod_security import Level, violations
from whatsapp_session import names

Manifest = dict[str, Any]

STORES: dict[str, Manifest] = {
    "filesystem": {},
    "s3": {"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "login"}}},
    "mongodb": {"mongodb": {"uriSecretRef": {"name": "login", "key": "uri"}, "database": "d"}},
    "custom": {"custom": {"name": "mine", "image": "mine:1", "claimName": "files"}},
    "encrypted": {"encryption": {"keySecretRef": {"name": "key", "key": "k"}}},
}
SECRETS = {
    "linking": {"method": "PairingCode", "phoneNumberSecretRef": {"name": "phone", "key": "number"}},
    "browser": {"proxySecretRef": {"name": "proxy", "key": "url"}},
}


def pods(template: Manifest | None = None, store: Manifest | None = None) -> dict[str, Manifest]:
    """Return every pod that the operator makes for a session and its store."""
    one = samples.session(SECRETS | ({"podTemplate": template} if template else {}))
    other = samples.store(**(store or {}))
    return {
        "worker": worker_pod.pod(one, other, samples.DEFAULTS),
        "check": store_check_pod.pod(other, samples.DEFAULTS),
        "move": move_pod.move_pod(one, samples.store(), other, samples.DEFAULTS),
        "purge": purge_pod.purge_pod(one, other, samples.DEFAULTS),
    }


@pytest.mark.parametrize("row", [*TABLE, *NEVER], ids=lambda row: row.id)
def test_what_the_standard_forbids_is_named_with_the_chart_value_that_allows_it(row: Forbidden) -> None:
    made = pods(row.template)["worker"]
    found = {item.field: item.message for item in violations(made)}
    assert row.field in found
    hint = "no chart value" if row.allowed_by is None else f"the chart value podTemplate.podSecurity={row.allowed_by}"
    assert found[row.field].startswith(row.field)
    assert found[row.field].endswith(f"{hint} allows it")


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("row", [*TABLE, *NEVER], ids=lambda row: row.id)
def test_a_chart_value_allows_what_it_says_and_no_more(row: Forbidden, level: Level) -> None:
    allowed = row.allowed_by is not None and [*Level].index(level) >= [*Level].index(Level(row.allowed_by))
    fields = [item.field for item in violations(pods(row.template)["worker"], level)]
    assert (row.field in fields) is not allowed


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", ALLOWED)
def test_every_pod_of_a_cautious_user_keeps_the_standard(name: str, store: str) -> None:
    for made in pods({"spec": ALLOWED[name]}, STORES[store]).values():
        assert violations(made) == ()


@pytest.mark.parametrize("row", [*TABLE, *NEVER], ids=lambda row: row.id)
def test_the_pods_of_a_refused_template_that_touch_the_store_keep_the_standard(row: Forbidden) -> None:
    made = pods(row.template)
    assert violations(made["move"]) == violations(made["purge"]) == ()


def test_the_pods_that_touch_the_store_keep_the_rest_of_a_refused_template() -> None:
    mounts = [{"name": "share", "mountPath": "/share"}, {"name": "ca", "mountPath": "/ca"}]
    spec = {
        "nodeSelector": {"disk": "fast"},
        "priorityClassName": "system-node-critical",
        "volumes": [
            {"name": "share", "nfs": {"server": "a", "path": "/"}},
            {"name": "ca", "configMap": {"name": "ca"}},
        ],
        "containers": [{"name": "worker", "image": "mine:1", "volumeMounts": mounts}],
    }
    made = pods({"spec": spec})["purge"]["spec"]
    (container,) = made["containers"]
    assert (made["nodeSelector"], container["image"]) == ({"disk": "fast"}, "mine:1")
    assert "priorityClassName" not in made
    assert [volume["name"] for volume in made["volumes"]][-1] == "ca"
    assert container["volumeMounts"][-1] == {"name": "ca", "mountPath": "/ca"}
    assert not [mount for mount in container["volumeMounts"] if mount["name"] == "share"]


def test_the_pods_that_touch_the_store_run_as_the_user_that_the_worker_was_given() -> None:
    given = {"runAsUser": 1000680000, "privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}
    made = pods({"spec": {"containers": [{"name": "worker", "securityContext": given}]}})
    for kind in ("move", "purge"):
        (container,) = made[kind]["spec"]["containers"]
        context = container["securityContext"]
        assert context == {**pod_security.container(), "runAsUser": 1000680000}


def test_a_sidecar_gets_the_standard_where_it_says_nothing() -> None:
    spec = {
        "containers": [
            {"name": "bot", "securityContext": {"runAsUser": 5, "capabilities": {"add": ["NET_BIND_SERVICE"]}}}
        ],
        "initContainers": [{"name": "native", "restartPolicy": "Always"}, {"name": "null", "securityContext": None}],
    }
    made = pods({"spec": spec})["worker"]["spec"]
    silent = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert [item["securityContext"] for item in made["initContainers"]] == [silent, silent]
    assert made["containers"][1]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "runAsUser": 5,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    assert (made["securityContext"]["runAsNonRoot"], made["securityContext"]["seccompProfile"]["type"]) == (
        True,
        "RuntimeDefault",
    )


def test_what_is_filled_in_does_not_contradict_what_the_chart_allows() -> None:
    spec = {
        "containers": [
            {"name": "a", "securityContext": {"privileged": True}},
            {"name": "b", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
        ]
    }
    _, one, two = pods({"spec": spec})["worker"]["spec"]["containers"]
    assert one["securityContext"] == {"privileged": True}
    assert two["securityContext"] == {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}


def test_what_is_filled_in_replaces_no_pod() -> None:
    """The hash is of what was there before, so that an upgrade which fills in more leaves the pods that run."""
    made = pods({"spec": {"containers": [{"name": "bot", "image": "bot:1"}]}})["worker"]
    annotations = made["metadata"]["annotations"]
    found = annotations.pop(names.ANNOTATION_TEMPLATE_HASH)
    del annotations[names.ANNOTATION_GENERATION], made["spec"]["containers"][1]["securityContext"]
    assert found == worker_pod.template_hash({"metadata": made["metadata"], "spec": made["spec"]})


@pytest.mark.parametrize(
    ("volume", "session", "store"),
    [
        ({"persistentVolumeClaim": {"claimName": "archives"}}, {}, samples.store()),
        (
            {"persistentVolumeClaim": {"claimName": "wa-support"}},
            {"auth": {"strategy": "LocalAuth", "localAuth": {}}},
            None,
        ),
    ],
    ids=["the store's claim", "the profile's claim"],
)
def test_the_workers_claim_under_another_name_is_no_sidecars(volume: Manifest, session: Manifest, store: Any) -> None:
    mount = {"name": "mine", "mountPath": "/x"}
    spec = {
        "volumes": [{"name": "mine", **volume}],
        "containers": [{"name": "bot", "image": "bot:1", "volumeMounts": [mount]}],
    }
    made = worker_pod.pod(samples.session(session | {"podTemplate": {"spec": spec}}), store, samples.DEFAULTS)
    assert [item.field for item in violations(made)] == ["spec.podTemplate.spec.containers[bot].volumeMounts[mine]"]


@pytest.mark.parametrize("volume", ["phone-number", "proxy"])
def test_a_sidecar_may_not_mount_the_secrets_of_the_worker(volume: str) -> None:
    spec = {"containers": [{"name": "bot", "volumeMounts": [{"name": volume, "mountPath": "/x"}]}]}
    assert len(violations(pods({"spec": spec})["worker"])) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({word for row in TABLE for word in json.dumps(row.template).split('"')[1::2]})
templates = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec"]), templates))
def test_nothing_that_somebody_wrote_makes_the_judgement_raise(pod: Manifest) -> None:
    violations(pod)
    spec = pod.get("spec")
    if isinstance(spec, dict):
        assert {item.field for item in violations({"spec": pod_security.filled(spec)})} <= {
            item.field for item in violations({"spec": spec})
        }
        pod_security.permitted(spec, Level.RESTRICTED)
