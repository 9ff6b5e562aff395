"""The chart is the only source of manifests."""

import itertools
import json
from pathlib import Path

import pytest
import yaml

from functional.callers import wait
from functional.chart import CHART, ROOT, Manifest, helm, render
from functional.conftest import INSTALL, kubectl
from functional.world import World


def deployment(values: Manifest) -> Manifest:
    """Render the operator's pod."""
    found = next(item for item in render(values) if item["kind"] == "Deployment")
    pod: Manifest = found["spec"]["template"]["spec"]
    return pod


def test_the_committed_manifests_are_what_the_chart_renders() -> None:
    options = ["--namespace", "whatsapp-operator", "--set", "namespace.create=true", "--kube-version", "1.30.0"]
    options.append("--no-hooks")
    rendered = helm("template", "whatsapp-session-operator", str(CHART), *options)
    assert INSTALL.read_text() == rendered, "deploy/install.yaml is old: make install-yaml"


def test_the_chart_has_no_lint() -> None:
    helm("lint", "--strict", "--kube-version", "1.30.0", str(CHART))


def test_every_rendered_manifest_is_accepted_by_the_server(world: World, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(render({"namespace.create": True})))
    # The namespace first: a dry run makes none for the objects in it.
    kubectl(world, "create", "namespace", "here")
    kubectl(world, "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", str(file))


def test_values_reach_the_operators_command() -> None:
    pod = deployment(
        {
            "imageRegistry": "registry.example.com/team/",
            "worker.hostAliases": [{"ip": "10.0.0.1", "hostnames": ["web.whatsapp.com", "other"]}],
            "worker.extraBrowserArgs": ["--lang=de"],
            "worker.imagePullSecrets": ["registry"],
            "watchNamespaces": ["bots"],
        }
    )
    (container,) = pod["containers"]
    assert container["image"] == "registry.example.com/team/whatsapp-session-operator:0.1.0"
    for argument in (
        "--worker-image=registry.example.com/team/whatsapp-session-worker:0.1.0",
        "--worker-host-alias=10.0.0.1=web.whatsapp.com,other",
        "--worker-extra-browser-arg=--lang=de",
        "--worker-image-pull-secret=registry",
        "--namespace=bots",
    ):
        assert argument in container["args"]


def test_what_every_pod_has_is_said_once_and_reaches_all_of_them() -> None:
    scheduling = {"worker.nodeSelector": {"disk": "ssd"}, "worker.podLabels": {"team": "bots"}}
    ids = {f"podSecurityContext.{name}": None for name in ("runAsUser", "runAsGroup", "fsGroup")}
    values = {**scheduling, **ids, "storePods.resources": {"limits": {"memory": "256Mi"}}}
    pod = deployment(values)
    (argument,) = [item for item in pod["containers"][0]["args"] if item.startswith("--pod-settings=")]
    assert json.loads(argument.partition("=")[2]) == {
        "securityContext": {},
        "nodeSelector": {"disk": "ssd"},
        "labels": {"team": "bots"},
        "storePodResources": {"limits": {"memory": "256Mi"}},
    }
    hook = next(item for item in render(values) if item["kind"] == "Job")["spec"]["template"]["spec"]
    no_ids = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["securityContext"] == hook["securityContext"] == no_ids


def test_values_of_an_older_release_keep_the_user_of_every_pod() -> None:
    pod = deployment({"podSecurityContext": None, "storePods": None, "uninstall": None})
    assert pod["securityContext"]["runAsUser"] == 10001
    (argument,) = [item for item in pod["containers"][0]["args"] if item.startswith("--pod-settings=")]
    assert json.loads(argument.partition("=")[2])["securityContext"]["fsGroup"] == 10001


def test_the_operators_own_command_line_understands_what_the_chart_writes() -> None:
    from whatsapp_operator import options

    (container,) = deployment({"worker.hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}]})["containers"]
    chosen = options.parse(container["args"], {})
    assert chosen.worker_resources["limits"] == {"memory": "2Gi", "ephemeral-storage": "4Gi"}
    assert chosen.health_port == 8080


@pytest.mark.parametrize(
    ("given", "said"), [("baseline", "baseline"), ("privileged", "privileged"), (None, "restricted")], ids=str
)
def test_the_standard_of_pod_templates_reaches_operator_and_policy(given: str | None, said: str) -> None:
    # None: the values of an older release, as `helm upgrade --reuse-values` has them.
    values = {"podTemplate.podSecurity": given, "podTemplate.allowed": None, "podTemplate.restricted": True}
    (container,) = deployment(values)["containers"]
    assert f"--pod-security={said}" in container["args"]
    policies = {item["metadata"]["name"] for item in render(values) if item["kind"] == "ValidatingAdmissionPolicy"}
    assert ("whatsapp-session-pod-security" in policies) == (said != "privileged")


def test_a_standard_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AssertionError, match="must be restricted, baseline or privileged"):
        render({"podTemplate.podSecurity": "strict"})


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("crds.install", {"CustomResourceDefinition"}),
        ("clusterScoped.install", {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}),
    ],
)
def test_what_a_cluster_has_once_can_be_left_out(value: str, kinds: set[str]) -> None:
    with_it = {item["kind"] for item in render({value: True})}
    without = {item["kind"] for item in render({value: False})}
    assert with_it - without == kinds


def test_an_uninstall_keeps_the_definitions_and_with_them_the_sessions() -> None:
    definitions = [item for item in render({}) if item["kind"] == "CustomResourceDefinition"]
    assert len(definitions) == 2
    for item in definitions:
        assert item["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_hook_of_an_uninstall_holds_these_rights_and_no_more() -> None:
    (role,) = [item for item in render({}) if item["kind"] == "ClusterRole" and "hook" in str(item["metadata"])]
    assert role["rules"] == [
        {
            "apiGroups": ["whatsapp-operator.dev"],
            "resources": ["whatsappsessions", "sessionstores"],
            "verbs": ["get", "list", "patch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
    ]


@pytest.mark.parametrize("file", sorted((ROOT / "deploy" / "samples").glob("*.yaml")), ids=lambda file: file.name)
def test_a_sample_is_accepted_unchanged(world: World, file: Path) -> None:
    # All but the quick start build on its namespace.
    for one in dict.fromkeys([ROOT / "deploy" / "samples" / "quickstart.yaml", file]):
        kubectl(world, "apply", "-f", str(one))
    if file.name != "quickstart.yaml":
        kubectl(world, "delete", "--wait=false", "-f", str(file))


def test_the_kustomization_is_the_rendered_manifests(world: World) -> None:
    built = yaml.safe_load_all(kubectl(world, "kustomize", str(ROOT / "deploy")))
    committed = [item for item in yaml.safe_load_all(INSTALL.read_text()) if item]

    def by_name(item: Manifest) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    assert sorted(built, key=by_name) == sorted(committed, key=by_name)


def test_every_field_is_explained(world: World) -> None:
    for kind in ("whatsappsession", "sessionstore"):
        text = kubectl(world, "explain", f"{kind}.spec", "--recursive")
        assert "<empty>" not in text
        assert "FIELDS" in text


def test_a_store_and_sessions_show_in_their_category(world: World, tmp_path: Path) -> None:
    place = world.namespace()
    place.store()
    place.session("support")
    tries = itertools.count()

    def listed() -> str:
        """Return what kubectl lists; it remembers a server's kinds, so each try has its own folder."""
        try:
            return kubectl(world, "get", "whatsapp", "-n", place.name, f"--cache-dir={tmp_path / str(next(tries))}")
        except AssertionError as error:
            if "doesn't have a resource type" in str(error):
                return ""  # the server lists new kinds a moment after it serves them
            raise

    found = wait(listed, "kubectl to know the category")
    assert "sessionstore.whatsapp-operator.dev/default" in found
    assert "whatsappsession.whatsapp-operator.dev/support" in found
    head = kubectl(world, "get", "was", "-n", place.name, "-o", "wide").splitlines()[0]
    assert head.split() == ["NAME", "PHASE", "STRATEGY", "SAVED", "AGE", "ACCOUNT", "POD", "STORE"]


def test_two_replicas_have_a_budget_and_prefer_two_nodes_and_one_has_neither(world: World, tmp_path: Path) -> None:
    two = render({"replicas": 2, "leasePriority.install": True, "namespace.create": True})
    kinds = {item["kind"] for item in two}
    assert {"PodDisruptionBudget", "FlowSchema", "PriorityLevelConfiguration"} <= kinds
    (found,) = [item["spec"] for item in two if item["kind"] == "Deployment"]
    assert found["replicas"] == 2
    assert found["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    assert "podAntiAffinity" in found["template"]["spec"]["affinity"]
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump_all([item for item in two if item["kind"] != "Namespace"]))
    kubectl(world, "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", str(file))
    one = render({})
    assert {"PodDisruptionBudget", "FlowSchema"}.isdisjoint(item["kind"] for item in one)
    (found,) = [item["spec"] for item in one if item["kind"] == "Deployment"]
    assert (found["replicas"], found["strategy"]) == (1, {"type": "Recreate"})
    assert "affinity" not in found["template"]["spec"]
