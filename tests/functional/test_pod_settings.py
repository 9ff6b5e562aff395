"""Each setting reaches each pod: the chart as helm renders it, and the pods that the operator makes of its values."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from functional.chart import Manifest, render
from scenes.operator import samples
from whatsapp_operator import options
from whatsapp_operator.manifests import move_pod, purge_pod, store_check_pod, worker_pod
from whatsapp_operator.observed.parsing import parse_store_resource
from whatsapp_operator.observed.state import Store

OPERATORS, STORES = ("operator", "hook"), ("check", "move", "purge")
MADE = ("worker", *STORES)
ALL = (*OPERATORS, *MADE)
EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
SCHEDULING: Manifest = {
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "bots", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": SPREAD,
    "priorityClassName": "bots",
    "runtimeClassName": "sandboxed",
    "schedulerName": "packing",
}
AMOUNTS = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
OF_EACH: Manifest = {"podLabels": {"tier": "a"}, "podAnnotations": {"cost": "42"}, "imagePullSecrets": ["registry"]}
VALUES: Manifest = {
    "imageRegistry": "registry.example.com/team",
    "commonLabels": {"team": "bots"},
    "podSecurityContext": {"supplementalGroups": [7]},
    **SCHEDULING,
    **OF_EACH,
    **{f"worker.{name}": value for name, value in (SCHEDULING | OF_EACH).items()},
    "worker.hostAliases": [{"ip": "10.0.0.1", "hostnames": ["store"]}],
    **dict.fromkeys(("resources", "uninstall.resources", "worker.resources", "storePods.resources"), AMOUNTS),
}
ROUTE: Manifest = {
    "caBundle": {"configMapKeyRef": {"name": "company-ca", "key": "ca.crt"}},
    "proxySecretRef": {"name": "proxy", "key": "url"},
}


def pods(values: Manifest) -> dict[str, Manifest]:
    """Return each pod that a release with these values has, or makes for a session that moves from store to store."""
    rendered = render(values)
    job, deployment = (
        next(item["spec"]["template"] for item in rendered if item["kind"] == kind) for kind in ("Job", "Deployment")
    )
    chosen = options.parse(deployment["spec"]["containers"][0]["args"], {})
    defaults = options.worker_defaults(chosen, "cluster-uid")
    session, old, new = samples.session(), store("old"), store("new")
    return {
        "operator": deployment,
        "hook": job,
        "worker": worker_pod.pod(session, new, defaults),
        "check": store_check_pod.pod(new, defaults),
        "move": move_pod.move_pod(session, old, new, defaults),
        "purge": purge_pod.purge_pod(session, new, defaults),
    }


def store(name: str) -> Store:
    """Return a store behind a private authority and a proxy."""
    resource = samples.store_resource(s3={"bucket": "b"}, **ROUTE)
    resource["metadata"] |= {"name": name, "uid": f"{name}-uid"}
    return parse_store_resource(resource)


@pytest.fixture(scope="module")
def shaped() -> dict[str, Manifest]:
    """The pods of a release that sets everything."""
    return pods(VALUES)


@pytest.fixture(scope="module")
def plain() -> dict[str, Manifest]:
    """The pods of a release that sets nothing."""
    return pods({})


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set, what shows it in a pod, and the pods that it concerns."""

    name: str
    shows: Callable[[Manifest], Any]
    expected: Any
    of: tuple[str, ...] = ALL


def label(key: str) -> Callable[[Manifest], Any]:
    return lambda pod: pod["metadata"]["labels"].get(key)


def annotation(key: str) -> Callable[[Manifest], Any]:
    return lambda pod: pod["metadata"]["annotations"].get(key)


def container(pod: Manifest) -> Manifest:
    (only,) = pod["spec"]["containers"]
    return dict(only)


def of_the_spec(part: str) -> Callable[[Manifest], Any]:
    return lambda pod: pod["spec"].get(part)


def route(pod: Manifest) -> list[Any]:
    """Return the last directory of the way to a store: authority and proxy."""
    volumes = [item for item in pod["spec"]["volumes"] if item["name"] == "store-network"]
    return [] if not volumes else [next(iter(source)) for source in volumes[0]["projected"]["sources"]]


SETTINGS = [
    Setting("labels of all pods", label("team"), "bots"),
    Setting("labels", label("tier"), "a"),
    Setting("annotations", annotation("cost"), "42"),
    Setting("security context", lambda pod: pod["spec"]["securityContext"].get("supplementalGroups"), [7]),
    Setting("resources", lambda pod: container(pod)["resources"]["limits"]["memory"], "1Gi"),
    Setting("requests", lambda pod: container(pod)["resources"]["requests"]["memory"], "100Mi"),
    Setting("pull secrets", of_the_spec("imagePullSecrets"), [{"name": "registry"}]),
    Setting("registry", lambda pod: container(pod)["image"].startswith("registry.example.com/team/"), True),
    *(Setting(name, of_the_spec(name), value) for name, value in SCHEDULING.items() if name != "tolerations"),
    Setting("tolerations", lambda pod: pod["spec"]["tolerations"][-1:], SCHEDULING["tolerations"]),
    # Operator and hook talk to the API server only, whose address and authority every pod is given by Kubernetes.
    Setting("host aliases", of_the_spec("hostAliases"), [{"ip": "10.0.0.1", "hostnames": ["store"]}], MADE),
    Setting("authority and proxy of a store", route, ["configMap", "secret"], MADE),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("kind", ALL)
def test_a_setting_reaches_a_pod(shaped: Mapping[str, Manifest], kind: str, setting: Setting) -> None:
    if kind not in setting.of:
        assert not setting.shows(shaped[kind])
    elif setting.name == "affinity":
        assert setting.shows(shaped[kind]).items() >= setting.expected.items()
    else:
        assert setting.shows(shaped[kind]) == setting.expected


@pytest.mark.parametrize("kind", ALL)
def test_the_ids_of_a_pod_are_the_clusters_where_the_values_say_so(kind: str) -> None:
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    made = pods({f"podSecurityContext.{name}": None for name in ids})[kind]
    assert not set(ids) & {*made["spec"]["securityContext"], *container(made)["securityContext"]}


RULES: Mapping[str, Callable[[Manifest], bool]] = {
    "requests and limits of memory": lambda pod: all(
        "memory" in container(pod)["resources"][part] for part in ("requests", "limits")
    ),
    "a request for CPU": lambda pod: "cpu" in container(pod)["resources"]["requests"],
    "no latest image": lambda pod: not container(pod)["image"].endswith(":latest") and ":" in container(pod)["image"],
    "a root file system that is only read": lambda pod: container(pod)["securityContext"]["readOnlyRootFilesystem"],
    "a directory for temporary files": lambda pod: (
        "emptyDir" in next(item for item in pod["spec"]["volumes"] if item["name"] == "tmp")
        and {"name": "tmp", "mountPath": "/tmp"} in container(pod)["volumeMounts"]
    ),
    "no root": lambda pod: pod["spec"]["securityContext"]["runAsNonRoot"],
    "no capability": lambda pod: container(pod)["securityContext"]["capabilities"] == {"drop": ["ALL"]},
    "no more privileges": lambda pod: not container(pod)["securityContext"]["allowPrivilegeEscalation"],
    "the runtime's seccomp": lambda pod: pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
    "no token by default": lambda pod: pod["spec"]["automountServiceAccountToken"] is False,
    "may be evicted": lambda pod: annotation(EVICTABLE)(pod) == "true",
}
"""What the policies of many clusters demand of a pod, and of one that a node with it can be removed."""


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ALL)
def test_a_pod_keeps_the_rules_that_clusters_commonly_have(plain: Mapping[str, Manifest], kind: str, rule: str) -> None:
    assert RULES[rule](plain[kind])


@pytest.mark.parametrize("kind", ["hook", *STORES])
def test_resources_fit_a_quota_and_a_limit_range_of_a_tenant(plain: Mapping[str, Manifest], kind: str) -> None:
    """A quota that counts a resource refuses who does not name it; a LimitRange bounds size and ratio."""
    amounts = container(plain[kind])["resources"]
    assert amounts["requests"].keys() == amounts["limits"].keys() == {"cpu", "memory", "ephemeral-storage"}
    assert int(amounts["limits"]["cpu"].removesuffix("m")) <= 10 * int(amounts["requests"]["cpu"].removesuffix("m"))


@pytest.mark.parametrize("kind", ALL)
def test_who_wants_no_eviction_by_the_autoscaler_says_so(kind: str) -> None:
    words = {EVICTABLE: "false"}
    made = pods({"podAnnotations": words, "worker.podAnnotations": words})[kind]
    assert annotation(EVICTABLE)(made) == "false"


def test_no_mesh_is_to_inject_a_sidecar_into_the_hook_unless_the_values_say_so(plain: Mapping[str, Manifest]) -> None:
    """A job whose pod has a sidecar beside its container never ends."""
    words = {"sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled"}
    assert plain["hook"]["metadata"]["labels"].items() >= words.items()
    assert annotation("linkerd.io/inject")(plain["hook"]) == "disabled"
    wanted = pods({"podLabels": {"sidecar.istio.io/inject": "true"}})["hook"]
    assert label("sidecar.istio.io/inject")(wanted) == "true"


def test_common_labels_are_on_every_object_of_the_chart_and_change_no_selector() -> None:
    rendered = render({"commonLabels": {"team": "bots", "app.kubernetes.io/name": "mine"}, "namespace.create": True})
    assert [item["kind"] for item in rendered if item["metadata"]["labels"].get("team") != "bots"] == []
    deployment = next(item for item in rendered if item["kind"] == "Deployment")
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector["app.kubernetes.io/name"] == "whatsapp-session-operator"
    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= selector.items()
