"""Whose account a worker has, and to which objects its rights reach."""

import dataclasses
from typing import Any

import pytest

from scenes.operator import samples
from whatsapp_operator.manifests import move_pod, purge_pod, rbac, store_check_pod, worker_pod
from whatsapp_operator.observed.state import Ownership, Pod
from whatsapp_session import names

Manifest = dict[str, Any]
ROLE_ARN = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/archives"}
BUCKET: Manifest = {"s3": {"bucket": "archives"}}
WITH_SECRET: Manifest = {"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "login"}}}
OWN, SHARED = "wasession-support", "wa-worker-default"


@pytest.mark.parametrize(
    ("spec", "account"),
    [
        ({}, OWN),
        (WITH_SECRET, OWN),
        ({"serviceAccount": {"annotations": ROLE_ARN}}, SHARED),
        ({"serviceAccount": {"annotations": ROLE_ARN, "shared": True}}, SHARED),
        ({"serviceAccount": {"annotations": ROLE_ARN, "shared": False}}, OWN),
        ({"serviceAccount": {"shared": True}}, SHARED),
        ({"serviceAccount": {"shared": False}}, OWN),
        (BUCKET, SHARED),
        ({**BUCKET, "serviceAccount": {"shared": False}}, OWN),
    ],
    ids=[
        "claim", "bucket", "annotated", "chosen", "annotated, own", "shared", "own", "cloud", "cloud, own",
    ],
)  # fmt: skip
def test_a_worker_has_its_own_account_unless_a_clouds_trust_may_name_the_stores(spec: Manifest, account: str) -> None:
    store, session = samples.store(**spec), samples.session()
    assert worker_pod.pod(session, store, samples.DEFAULTS)["spec"]["serviceAccountName"] == account
    made, role, binding = rbac.access(session, store, None)
    assert made["metadata"]["name"] == account
    assert made["metadata"].get("annotations", {}) == store.annotations
    assert made["automountServiceAccountToken"] is False
    assert [subject["name"] for subject in binding["subjects"]] == [account]
    assert binding["roleRef"]["kind"] == "Role"
    assert role["metadata"]["name"] == binding["roleRef"]["name"] == binding["metadata"]["name"] == OWN


def test_account_role_and_binding_go_with_their_session() -> None:
    for made in rbac.access(samples.session(), samples.store(), samples.pod()):
        (owner,) = made["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (samples.UID, False, False)
        assert "annotations" not in made["metadata"]


def test_an_account_of_cloud_identity_outlives_the_last_save_of_its_pod() -> None:
    store = samples.store(serviceAccount={"annotations": ROLE_ARN, "shared": False})
    account, role, _ = rbac.access(samples.session(), store, samples.pod())
    assert [owner["uid"] for owner in account["metadata"]["ownerReferences"]] == [samples.UID, samples.POD_UID]
    assert [owner["uid"] for owner in role["metadata"]["ownerReferences"]] == [samples.UID]


def running(account: str, ownership: Ownership = Ownership.OURS) -> Pod:
    """Return a worker pod that has an account."""
    return dataclasses.replace(samples.pod(), account=account, ownership=ownership)


@pytest.mark.parametrize(
    ("pod", "subjects"),
    [
        (running(SHARED), [SHARED, OWN]),
        (running(OWN), [OWN]),
        (running(SHARED, Ownership.PREDECESSOR), [OWN]),
        (running(SHARED, Ownership.FOREIGN), [OWN]),
    ],
    ids=["of an earlier version", "as wanted", "predecessor's", "somebody else's"],
)
def test_a_worker_that_runs_keeps_its_rights_until_its_successor_comes(pod: Pod, subjects: list[str]) -> None:
    _, _, binding = rbac.access(samples.session(), samples.store(), pod)
    assert [subject["name"] for subject in binding["subjects"]] == subjects


def test_pods_that_do_one_thing_to_a_store_have_its_account_and_no_token() -> None:
    session, store = samples.session(), samples.store()
    made = [
        store_check_pod.pod(store, samples.DEFAULTS),
        purge_pod.purge_pod(session, store, samples.DEFAULTS),
        move_pod.move_pod(session, store, store, samples.DEFAULTS),
    ]
    for pod in made:
        assert pod["spec"]["serviceAccountName"] == names.service_account("default")
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not [volume for volume in pod["spec"]["volumes"] if "projected" in volume]
