"""The manifests of a session: what differs from the golden ones, and why."""

import dataclasses
import json
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import (
    lease,
    move_pod,
    pod_template,
    purge_pod,
    pvc,
    store_check_pod,
    worker_environment,
    worker_pod,
)
from whatsapp_operator.manifests.pod_shape import PodSettings
from whatsapp_session import names, worker_config

Manifest = dict[str, Any]

SIDECAR = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod(spec: Manifest | None = None, **store: Any) -> Manifest:
    """Return the pod for a spec."""
    return worker_pod.pod(samples.session(spec), samples.store(**store), samples.DEFAULTS)


def container(manifest: Manifest) -> Manifest:
    """Return the worker container."""
    found: Manifest = next(item for item in manifest["spec"]["containers"] if item["name"] == "worker")
    return found


def env(manifest: Manifest) -> dict[str, str]:
    """Return the worker's plain variables."""
    return {item["name"]: item["value"] for item in container(manifest)["env"] if "value" in item}


def test_the_worker_understands_its_environment() -> None:
    session = samples.session({"browser": {"args": ["--lang=de"], "userAgent": "Mine/1"}, "clientId": ""})
    defaults = dataclasses.replace(samples.DEFAULTS, extra_browser_args=("--one",))
    config = worker_environment.config(session, samples.store(), defaults)
    told = worker_environment.environment(session, samples.store(), defaults)
    environ = {item["name"]: item.get("value", "from the pod") for item in told}
    assert config.resource is not None
    said = "from the pod"
    resource = dataclasses.replace(
        config.resource, pod_name=said, pod_uid=said, node_name=said, namespace="from the pod"
    )
    assert worker_config.from_env(environ) == dataclasses.replace(config, resource=resource)
    assert config.browser_args == ("--lang=de", "--one")
    assert config.client_id == ""


def test_a_store_with_a_path_mounts_that_directory_only() -> None:
    made = pod(filesystem={"claimName": "archives", "path": "team/a"})
    assert {"name": "store", "mountPath": names.STORE_DIR, "subPath": "team/a"} in container(made)["volumeMounts"]


def test_the_labels_of_a_store_do_not_override_ours() -> None:
    made = pod(podLabels={"cloud": "yes", names.LABEL_SESSION: "other"})
    assert made["metadata"]["labels"]["cloud"] == "yes"
    assert made["metadata"]["labels"][names.LABEL_SESSION] == "support"


def test_noauth_has_no_store_and_its_sessions_service_account() -> None:
    made = worker_pod.pod(samples.session({"auth": {"strategy": "NoAuth"}}), None, samples.DEFAULTS)
    assert made["spec"]["serviceAccountName"] == "wasession-support"
    assert "WHATSAPP_STORE" not in env(made)
    assert all("persistentVolumeClaim" not in volume for volume in made["spec"]["volumes"])


@pytest.mark.parametrize(("given", "used"), [(None, "wa-support"), ("mine", "mine")], ids=["made", "named"])
def test_localauth_keeps_the_profile_on_a_claim(given: str | None, used: str) -> None:
    local = {} if given is None else {"claimName": given}
    session = samples.session({"auth": {"strategy": "LocalAuth", "localAuth": local}})
    made = worker_pod.pod(session, None, samples.DEFAULTS)
    volume = next(item for item in made["spec"]["volumes"] if item["name"] == "data")
    assert volume["persistentVolumeClaim"] == {"claimName": used}
    assert env(made)["WHATSAPP_DATA_PATH"] == "/var/lib/whatsapp/data/.wwebjs_auth"
    assert (pvc.pvc(session) is None) == (given is not None)


@pytest.mark.parametrize("on_delete", ["Retain", "Delete"])
def test_a_claim_goes_with_its_session_only_if_asked(on_delete: str) -> None:
    local = {"onDelete": on_delete, "size": "3Gi", "storageClassName": "fast"}
    made = pvc.pvc(samples.session({"auth": {"strategy": "LocalAuth", "localAuth": local}}))
    assert made is not None
    assert ("ownerReferences" in made["metadata"]) == (on_delete == "Delete")
    assert made["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "3Gi"}},
        "storageClassName": "fast",
    }


def test_secrets_are_mounted_and_never_in_the_environment() -> None:
    ref = {"name": "phone", "key": "number"}
    made = pod({"linking": {"method": "PairingCode", "phoneNumberSecretRef": ref}, "browser": {"proxySecretRef": ref}})
    secrets = [volume for volume in made["spec"]["volumes"] if "secret" in volume]
    assert [volume["name"] for volume in secrets] == ["phone-number", "proxy"]
    assert all(volume["secret"]["optional"] for volume in secrets), "the worker says what is missing"
    assert all(item.get("valueFrom", {}).get("secretKeyRef") is None for item in container(made)["env"])
    assert env(made)["WHATSAPP_PHONE_NUMBER_FILE"] == "/var/run/secrets/whatsapp/phone-number/value"


def test_the_defaults_of_the_operator_reach_every_worker() -> None:
    defaults = dataclasses.replace(
        samples.DEFAULTS,
        pods=PodSettings(host_aliases=({"ip": "10.0.0.1", "hostnames": ["web.whatsapp.com"]},)),
        extra_browser_args=("--lang=de",),
        resources={"limits": {"memory": "1Gi"}},
    )
    made = worker_pod.pod(samples.session(), samples.store(), defaults)
    assert made["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["web.whatsapp.com"]}]
    assert json.loads(env(made)["WHATSAPP_BROWSER_ARGS"]) == ["--lang=de"]
    assert container(made)["resources"] == {"limits": {"memory": "1Gi"}}


def test_every_pod_that_runs_the_workers_image_may_pull_it() -> None:
    defaults = dataclasses.replace(samples.DEFAULTS, pods=PodSettings(image_pull_secrets=("registry",)))
    session, store = samples.session(), samples.store()
    made = [
        worker_pod.pod(session, store, defaults),
        store_check_pod.pod(store, defaults),
        purge_pod.purge_pod(session, store, defaults),
        move_pod.move_pod(session, store, store, defaults),
    ]
    assert [each["spec"]["imagePullSecrets"] for each in made] == [[{"name": "registry"}]] * 4


def test_a_podtemplate_adds_a_secret_for_the_images_of_its_own() -> None:
    defaults = dataclasses.replace(samples.DEFAULTS, pods=PodSettings(image_pull_secrets=("registry",)))
    session = samples.session({"podTemplate": {"spec": {"imagePullSecrets": [{"name": "bots"}, {"name": "registry"}]}}})
    made = worker_pod.pod(session, samples.store(), defaults)
    assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": "bots"}]


def test_the_lease_tells_the_worker_whose_login_is_saved() -> None:
    session = samples.session(status={"worker": {"last": {"accountHash": "aa"}}})
    annotations = lease.lease(session, None)["metadata"]["annotations"]
    assert annotations == {"whatsapp-operator.dev/known-account": "aa"}


def test_a_pod_template_is_merged_by_name_and_path() -> None:
    made = pod(
        {
            "podTemplate": {
                "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
                "spec": {
                    "nodeSelector": {"disk": "fast"},
                    "tolerations": [],
                    "containers": [
                        {
                            "name": "worker",
                            "env": [{"name": "TZ", "value": "UTC"}],
                            "resources": {"limits": {"memory": "3Gi"}},
                            "volumeMounts": [{"mountPath": "/tmp", "name": "big"}],
                        },
                        {"name": "bot", "image": "bot:1"},
                    ],
                    "volumes": [{"name": "big", "emptyDir": {}}],
                },
            }
        }
    )
    worker, bot = made["spec"]["containers"]
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["metadata"]["annotations"]["note"] == "b"
    assert made["spec"]["nodeSelector"] == {"disk": "fast"}
    assert made["spec"]["tolerations"] == []
    assert bot == {"name": "bot", "image": "bot:1", "securityContext": SIDECAR}
    assert worker["image"] == "worker:1"
    assert worker["resources"] == {"limits": {"memory": "3Gi"}}
    assert env(made) == env(pod()) | {"TZ": "UTC"}
    assert [mount for mount in worker["volumeMounts"] if mount["mountPath"] == "/tmp"] == [
        {"name": "big", "mountPath": "/tmp"}
    ]
    assert [volume["name"] for volume in made["spec"]["volumes"]][-1] == "big"


def test_a_variable_is_replaced_as_a_whole() -> None:
    base = {"env": [{"name": "A", "value": "1"}]}
    source = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert pod_template.merged(base, {"env": [source]}) == {"env": [source]}


def test_what_has_no_name_is_left_to_the_api_server() -> None:
    overlay = {"containers": [{"image": "x"}, "y", {"name": "worker", "tty": True}]}
    found = pod_template.merged({"containers": [{"name": "worker"}]}, overlay)
    assert found == {"containers": [{"name": "worker", "tty": True}, {"image": "x"}, "y"]}


def test_merging_changes_neither_side() -> None:
    base, overlay = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert pod_template.merged(base, overlay) == {"a": {"b": 1, "c": 2}}
    assert (base, overlay) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert worker_pod.template_hash({"a": 1, "b": {"c": 2, "d": 3}}) == worker_pod.template_hash(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_the_hash_of_a_released_template_stays_as_it_is() -> None:
    """An upgrade must not replace every pod: a change here needs a reason and a line in the changelog."""
    assert worker_pod.wanted(samples.session(), pod()).template_hash == "fe39fb508662ade8"
