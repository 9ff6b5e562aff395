"""The chart's switch podTemplate.restricted: sessions set resources and scheduling, and read nobody's Secret."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from functional.callers import ApiError, wait
from functional.chart import render
from functional.world import Place, World, session_manifest
from whatsapp_session import names

Manifest = dict[str, Any]
ALLOWED = {
    "labels": ["team"],
    "annotations": ["prometheus.io/scrape"],
    "priorityClassNames": ["bots"],
    "tolerations": ["bots"],
}
BASE = "/apis/admissionregistration.k8s.io/v1"
LABEL = {"whatsapp-operator.dev/for-sessions": "true"}
KINDS = {"Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims"}
PAIRING: Manifest = {"linking": {"method": "PairingCode", "phoneNumberSecretRef": {"name": "theirs", "key": "number"}}}
PROXY: Manifest = {"browser": {"proxySecretRef": {"name": "theirs", "key": "url"}}}
LOCAL: Manifest = {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "theirs"}}}


@pytest.fixture(scope="module")
def office(world: World) -> Iterator[Place]:
    """A namespace in which the switch is on, with what was there before it was turned on."""
    place = world.namespace()
    for name, labels in (("theirs", {}), ("ours", LABEL)):
        secret(place, name, labels)
        claim(place, name, labels)
    place.session("before", operatingMode="Suspended", podTemplate=template(EARLIER), **PAIRING)
    place.store("before", s3={"bucket": "archives", "credentialsSecretRef": {"name": "theirs"}}, podLabels={"app": "x"})
    made = list(switched_on(place))
    yield place
    for target in made:
        place.admin.send("DELETE", target)


EARLIER = {"volumes": [{"name": "x", "secret": {"secretName": "theirs"}}], "tolerations": [{"operator": "Exists"}]}


def switched_on(place: Place) -> Iterator[str]:
    """Make the policies of the switch, for this namespace only; yields where each is."""
    values = {"podTemplate.restricted": True, **{f"podTemplate.allowed.{key}": value for key, value in ALLOWED.items()}}
    wanted = ("whatsapp-session-pod-template", "whatsapp-session-secrets", "whatsapp-session-claims")
    for item in render(values):
        kind, name = item["kind"], item["metadata"]["name"]
        if not kind.startswith("ValidatingAdmissionPolicy") or name not in wanted:
            continue
        if kind.endswith("Binding"):
            here = {"matchLabels": {"kubernetes.io/metadata.name": place.name}}
            item["spec"]["matchResources"] = {"namespaceSelector": here}
        plural = "validatingadmissionpolic" + ("ybindings" if kind.endswith("Binding") else "ies")
        place.admin.send("POST", f"{BASE}/{plural}", item)
        yield f"{BASE}/{plural}/{name}"
    place.wait_refused("podTemplate.restricted", podTemplate=template({"volumes": []}))
    place.wait_refused("for-sessions=true", **PAIRING)
    place.wait_refused("for-sessions=true", **LOCAL)


def template(spec: Manifest, **metadata: Manifest) -> Manifest:
    """Return a podTemplate."""
    return {"spec": spec} | ({"metadata": metadata} if metadata else {})


def secret(place: Place, name: str, labels: Manifest) -> None:
    """Make a Secret with every key that a session or a store could ask for."""
    metadata = {"name": name, "namespace": place.name, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"number": "15550100"}}
    place.admin.send("POST", f"/api/v1/namespaces/{place.name}/secrets", body)


def claim(place: Place, name: str, labels: Manifest) -> None:
    """Make a claim."""
    metadata = {"name": name, "namespace": place.name, "labels": labels}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    place.admin.send("POST", f"/api/v1/namespaces/{place.name}/persistentvolumeclaims", body)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"podTemplate": template({"volumes": [{"name": "x", "secret": {"secretName": "y"}}]})}, "resources and sched"),
        (
            {"podTemplate": template({"imagePullSecrets": [{"name": "theirs"}]})},
            "must only set resources and scheduling",
        ),
        ({"podTemplate": template({"hostAliases": []})}, "must only set resources and scheduling"),
        (
            {"podTemplate": template({"containers": [{"name": "bot", "image": "x"}]})},
            'the resources of the container "worker"',
        ),
        (
            {"podTemplate": template({"containers": [{"name": "worker", "env": []}]})},
            'the resources of the container "worker"',
        ),
        (
            {"podTemplate": template({"containers": [{"name": "worker", "image": "mine"}]})},
            'the resources of the container "worker"',
        ),
        ({"podTemplate": template({}, labels={"app": "payments"})}, "podTemplate.allowed.labels"),
        ({"podTemplate": template({}, annotations={"x/y": "z"})}, "podTemplate.allowed.annotations"),
        ({"podTemplate": template({"priorityClassName": "vip"})}, "podTemplate.allowed.priorityClassNames"),
        ({"podTemplate": template({"tolerations": [{"operator": "Exists"}]})}, "podTemplate.allowed.tolerations"),
        ({"podTemplate": template({"tolerations": [{"key": "other"}]})}, "podTemplate.allowed.tolerations"),
        ({"browser": {"url": "https://evil.example.com/"}}, "spec.browser.url must be https://web.whatsapp.com/"),
        ({"browser": {"args": ["--lang=de"]}}, "spec.browser.args must not be set"),
        (PAIRING, "spec.linking.phoneNumberSecretRef names the Secret theirs"),
        (PROXY, "spec.browser.proxySecretRef names the Secret theirs"),
        (LOCAL, "spec.auth.localAuth.claimName names the PersistentVolumeClaim theirs"),
        (
            {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "wa-bob"}}},
            "the PersistentVolumeClaim of another session",
        ),
    ],
    ids=str,
)
def test_a_session_is_kept_from_what_is_not_its_own(office: Place, spec: Manifest, sentence: str) -> None:
    with pytest.raises(ApiError) as error:
        office.session("refused", **spec)
    assert error.value.status == 422
    assert sentence in error.value.message
    assert "podTemplate." in error.value.message


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"custom": {"name": "mine", "image": "mine:1"}}, "neither image nor envFrom"),
        ({"custom": {"name": "mine", "envFrom": [{"secretRef": {"name": "ours"}}]}}, "neither image nor envFrom"),
        ({"s3": {"bucket": "archives"}, "podLabels": {"app": "payments"}}, "podTemplate.allowed.labels"),
        ({"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "theirs"}}}, "s3.credentialsSecretRef names"),
        (
            {"mongodb": {"uriSecretRef": {"name": "theirs", "key": "uri"}, "database": "d"}},
            "spec.mongodb.uriSecretRef names the Secret theirs",
        ),
        (
            {"s3": {"bucket": "archives"}, "encryption": {"keySecretRef": {"name": "theirs", "key": "k"}}},
            "spec.encryption.keySecretRef names the Secret theirs",
        ),
        ({"filesystem": {"claimName": "theirs"}}, "spec.filesystem.claimName names the PersistentVolumeClaim theirs"),
        ({"custom": {"name": "mine", "claimName": "theirs"}}, "spec.custom.claimName names"),
    ],
    ids=str,
)
def test_a_store_is_kept_from_what_is_not_its_own(office: Place, spec: Manifest, sentence: str) -> None:
    with pytest.raises(ApiError) as error:
        office.admin.create(session_manifest(office.name, "refused", spec) | {"kind": names.STORE_KIND})
    assert error.value.status == 422
    assert sentence in error.value.message


OURS = {"name": "ours", "key": "number"}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"linking": {"method": "PairingCode", "phoneNumberSecretRef": OURS}, "browser": {"proxySecretRef": OURS}},
        {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "ours"}}},
        {"auth": {"strategy": "LocalAuth", "localAuth": {"claimName": "wa-passes"}}},
        {
            "podTemplate": template(
                {
                    "nodeSelector": {"a": "b"},
                    "priorityClassName": "bots",
                    "tolerations": [{"key": "bots", "operator": "Exists"}],
                    "containers": [{"name": "worker", "resources": {"limits": {"cpu": "1"}}}],
                },
                labels={"team": "a"},
                annotations={"prometheus.io/scrape": "true"},
            )
        },
    ],
    ids=["nothing", "labelled Secrets", "a labelled claim", "its own claim", "what the lists allow"],
)
def test_a_session_may_have_what_is_for_sessions(office: Place, spec: Manifest) -> None:
    office.session("passes", **spec)
    office.admin.delete(names.SESSION_KIND, office.name, "passes")


def test_a_store_may_have_what_is_for_sessions(office: Place) -> None:
    office.store("passes", filesystem={"claimName": "ours"}, encryption={"keySecretRef": OURS}, podLabels={"team": "a"})


def test_the_label_is_what_opens_and_closes_a_secret(office: Place) -> None:
    secret(office, "shared", {})
    asks = {"linking": {"method": "PairingCode", "phoneNumberSecretRef": {"name": "shared", "key": "number"}}}
    office.wait_refused("names the Secret shared", **asks)
    target = f"/api/v1/namespaces/{office.name}/secrets/shared"
    office.admin.send("PATCH", target, {"metadata": {"labels": LABEL}}, "application/merge-patch+json")
    wait(partial(accepted, office, asks), "the label to be seen")


def accepted(place: Place, spec: Manifest) -> bool:
    """Return whether a session of a spec is taken."""
    try:
        place.session("asks", **spec)
    except ApiError:
        return False
    return True


def test_what_was_stored_before_the_switch_stays_until_it_is_changed(office: Place) -> None:
    patch = {"metadata": {"annotations": {"note": "kept"}, "finalizers": ["example.com/hold"]}}
    office.admin.merge(names.SESSION_KIND, office.name, "before", patch)
    office.admin.merge(names.SESSION_KIND, office.name, "before", {"metadata": {"finalizers": []}})
    office.update("before", linking={"timeout": "1h"})
    office.update("before", podTemplate=template(EARLIER | {"nodeSelector": {"disk": "fast"}}))
    office.admin.merge(names.STORE_KIND, office.name, "before", {"spec": {"s3": {"region": "eu-central-1"}}})
    for change in (
        {"linking": {"phoneNumberSecretRef": {"key": "password"}}},
        {"browser": {"args": ["--lang=de"]}},
        {"podTemplate": template(EARLIER | {"tolerations": [{"operator": "Exists", "effect": "NoExecute"}]})},
        {"podTemplate": template(EARLIER | {"volumes": [{"name": "x", "secret": {"secretName": "another"}}]})},
    ):
        with pytest.raises(ApiError, match=r"podTemplate\."):
            office.update("before", **change)
