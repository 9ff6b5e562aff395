"""What a podTemplate says against the restricted standard is refused at admission; what is made keeps the standard."""

import re
from typing import Any

import pytest

from forbidden_templates import ALLOWED, NEVER, TABLE, Forbidden
from functional.callers import ApiError
from functional.world import Place, World
from scenes.operator import samples
from whatsapp_kube.requests import Ref, path
from whatsapp_operator.manifests import move_pod, purge_pod, store_check_pod, worker_pod
from whatsapp_session import names

Manifest = dict[str, Any]
PRIVILEGED = {"spec": {"containers": [{"name": "bot", "image": "bot:1", "securityContext": {"privileged": True}}]}}


@pytest.fixture(scope="module")
def forum(world: World) -> Place:
    """A namespace in which the admission policy is known to be in force."""
    place = world.namespace()
    place.wait_refused("podTemplate.podSecurity", podTemplate=PRIVILEGED)
    return place


def named(row: Forbidden) -> str:
    """Return the last word of the field of a row."""
    return re.sub(r"\[[^]]*\]$", "", row.field).rpartition(".")[2]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_admission_names_the_field_and_the_chart_value_that_allows_it(forum: Place, row: Forbidden) -> None:
    with pytest.raises(ApiError) as error:
        forum.session("refused", podTemplate=row.template)
    assert error.value.status == 422
    assert named(row) in error.value.message
    assert f"podTemplate.podSecurity={row.allowed_by}" in error.value.message
    assert "evaluat" not in error.value.message, "a rule that cannot be evaluated is no sentence"


@pytest.mark.parametrize("row", NEVER, ids=lambda row: row.id)
def test_the_definition_refuses_what_no_chart_value_allows(forum: Place, row: Forbidden) -> None:
    with pytest.raises(ApiError, match="must not"):
        forum.session("refused", podTemplate=row.template)


@pytest.mark.parametrize("name", ALLOWED)
def test_admission_lets_a_cautious_template_pass(forum: Place, name: str) -> None:
    forum.session("passes", podTemplate={"spec": ALLOWED[name]})
    forum.admin.delete(names.SESSION_KIND, forum.name, "passes")


STORES: dict[str, Manifest] = {
    "filesystem": {},
    "s3": {"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "login"}}},
    "mongodb": {"mongodb": {"uriSecretRef": {"name": "login", "key": "uri"}, "database": "d"}},
    "custom": {"custom": {"name": "mine", "image": "mine:1", "claimName": "files"}},
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("name", ALLOWED)
def test_every_pod_of_the_operators_passes_pod_security_admission(forum: Place, name: str, store: str) -> None:
    one, other = samples.session({"podTemplate": {"spec": ALLOWED[name]}}), samples.store(**STORES[store])
    for made in (
        worker_pod.pod(one, other, samples.DEFAULTS),
        store_check_pod.pod(other, samples.DEFAULTS),
        move_pod.move_pod(one, samples.store(), other, samples.DEFAULTS),
        purge_pod.purge_pod(one, other, samples.DEFAULTS),
    ):
        assert "violates PodSecurity" not in said(forum, made)


@pytest.mark.parametrize("row", [*TABLE, *NEVER], ids=lambda row: row.id)
def test_the_pods_that_delete_or_move_archives_pass_whatever_the_template_says(forum: Place, row: Forbidden) -> None:
    one, other = samples.session({"podTemplate": row.template}), samples.store()
    made = purge_pod.purge_pod(one, other, samples.DEFAULTS), move_pod.move_pod(one, other, other, samples.DEFAULTS)
    assert [said(forum, pod) for pod in made] == ["", ""]


def test_the_largest_template_is_judged_and_may_be_changed(forum: Place) -> None:
    def containers(kind: str, image: str) -> list[Manifest]:
        ports = [{"containerPort": number} for number in range(1, 30)]
        env = [{"name": f"V{number}", "value": "x" * 100} for number in range(30)]
        mounts = [{"name": f"v{number}", "mountPath": f"/v{number}"} for number in range(60)]
        some = {"ports": ports, "env": env, "volumeMounts": mounts, "securityContext": {"runAsUser": 5}}
        return [{"name": f"{kind}{number}", "image": image, **some} for number in range(32)]

    volumes = [{"name": f"v{number}", "emptyDir": {}} for number in range(64)]
    spec = {"containers": containers("c", "a"), "initContainers": containers("i", "a"), "volumes": volumes}
    forum.session("large", operatingMode="Suspended", podTemplate={"spec": spec})
    spec |= {"containers": containers("c", "b"), "volumes": [*volumes[1:], {"name": "last", "emptyDir": {}}]}
    forum.update("large", podTemplate={"spec": spec})
    spec["containers"][-1]["securityContext"]["privileged"] = True
    with pytest.raises(ApiError, match=r"podTemplate\.podSecurity=privileged"):
        forum.update("large", podTemplate={"spec": spec})


def test_a_container_that_is_added_later_is_left_to_pod_security(world: World, forum: Place) -> None:
    free = world.namespace(enforce="privileged")
    late = {"name": "late", "image": "x", "securityContext": {"privileged": True}}
    for place, refused in ((forum, True), (free, False)):
        pod = worker_pod.pod(samples.session(), samples.store(), samples.DEFAULTS)
        assert said(place, pod) == ""
        pod["metadata"].pop("ownerReferences")
        place.admin.create(pod)
        target = path(Ref("Pod", place.name, pod["metadata"]["name"]), "ephemeralcontainers")
        body = {"spec": {"ephemeralContainers": [late]}}
        if refused:
            with pytest.raises(ApiError, match="violates PodSecurity"):
                place.admin.send("PATCH", target, body, "application/strategic-merge-patch+json")
        else:
            place.admin.send("PATCH", target, body, "application/strategic-merge-patch+json")
        place.empty()


def test_the_workers_image_and_the_namespaces_secrets_are_open_to_a_free_template(forum: Place) -> None:
    mounts = [{"name": "theirs", "mountPath": "/theirs"}]
    spec = {
        "containers": [{"name": "worker", "image": "mine:1", "command": ["sh"], "volumeMounts": mounts}],
        "volumes": [{"name": "theirs", "secret": {"secretName": "theirs"}}],
    }
    forum.session("free", operatingMode="Suspended", podTemplate={"spec": spec})


def said(place: Place, pod: Manifest) -> str:
    """Return what the server says of a pod, "" if it takes it."""
    account = {"name": pod["spec"]["serviceAccountName"], "namespace": place.name}
    if place.admin.get("ServiceAccount", place.name, account["name"]) is None:
        place.admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    pod["metadata"]["namespace"] = place.name
    try:
        place.admin.send("POST", f"{path(Ref('Pod', place.name, ''))}?dryRun=All", pod)
    except ApiError as error:
        return error.message
    return ""
