"""The fake of the seam to the API server and the real one keep the same promises."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fakes.kube import FakeKube
from functional.world import World
from whatsapp_kube import managed_fields
from whatsapp_kube.errors import Asked, Conflict, Refused, Unreachable
from whatsapp_kube.requests import Ref
from whatsapp_operator import connection, kube
from whatsapp_operator.kube import Kube, Listing
from whatsapp_session import names

Manifest = dict[str, Any]
Story = Callable[[Listing, str], Awaitable[None]]


def session(namespace: str, **status: Any) -> Manifest:
    """Return a session, or a part of its status to apply."""
    head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
    metadata = {"name": "support", "namespace": namespace}
    return {**head, "metadata": metadata, **({"status": status} if status else {})}


def ref(namespace: str) -> Ref:
    """Return the session's name."""
    return Ref(names.SESSION_KIND, namespace, "support")


async def what_does_not_exist_is_none(seam: Kube, namespace: str) -> None:
    assert await seam.get(ref(namespace)) is None
    await seam.delete(ref(namespace), uid="any")


async def a_name_is_taken_once(seam: Kube, namespace: str) -> None:
    made = await seam.create(session(namespace))
    assert made["metadata"]["uid"]
    with pytest.raises(Conflict):
        await seam.create(session(namespace))


async def a_dry_run_makes_nothing(seam: Kube, namespace: str) -> None:
    await seam.create(session(namespace), dry_run=True)
    assert await seam.get(ref(namespace)) is None


async def a_deletion_with_another_uid_is_refused(seam: Kube, namespace: str) -> None:
    made = await seam.create(session(namespace))
    with pytest.raises(Conflict):
        await seam.delete(ref(namespace), uid="another")
    await seam.delete(ref(namespace), uid=made["metadata"]["uid"])
    assert await seam.get(ref(namespace)) is None


async def two_managers_share_a_status(seam: Kube, namespace: str) -> None:
    await seam.create(session(namespace))
    await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")
    await seam.apply(session(namespace, session={"state": "Claiming"}), manager="worker", subresource="status")
    found = await seam.get(ref(namespace))
    assert found is not None
    assert found["status"] == {"phase": "Starting", "session": {"state": "Claiming"}}
    body = session(namespace) | {"status": {}}
    cleared = await seam.apply(body, manager="worker", subresource="status")
    assert cleared["status"] == {"phase": "Starting"}


async def the_same_again_changes_no_version(seam: Kube, namespace: str) -> None:
    await seam.create(session(namespace))
    first = await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")
    again = await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def an_old_version_is_refused(seam: Kube, namespace: str) -> None:
    made = await seam.create(session(namespace))
    await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")
    stale = session(namespace, phase="Pending")
    stale["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await seam.apply(stale, manager="operator", subresource="status")


async def a_status_without_its_object_is_a_conflict(seam: Kube, namespace: str) -> None:
    with pytest.raises(Conflict):
        await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")


async def a_finalizer_holds_an_object_until_it_is_removed(seam: Kube, namespace: str) -> None:
    made = await seam.create(session(namespace))
    held = await seam.finalize(ref(namespace), version=made["metadata"]["resourceVersion"], finalizers=["a.dev/x"])
    assert held is not None
    assert held["metadata"]["finalizers"] == ["a.dev/x"]
    await seam.delete(ref(namespace), uid=made["metadata"]["uid"])
    going = await seam.get(ref(namespace))
    assert going is not None
    assert "deletionTimestamp" in going["metadata"]
    version = going["metadata"]["resourceVersion"]
    with pytest.raises(Refused):
        await seam.finalize(ref(namespace), version=version, finalizers=["a.dev/x", "a.dev/new"])
    await seam.finalize(ref(namespace), version=version, finalizers=[])
    assert await seam.get(ref(namespace)) is None


async def finalizers_of_an_old_version_are_not_set(seam: Kube, namespace: str) -> None:
    made = await seam.create(session(namespace))
    await seam.apply(session(namespace, phase="Starting"), manager="operator", subresource="status")
    with pytest.raises(Conflict):
        await seam.finalize(ref(namespace), version=made["metadata"]["resourceVersion"], finalizers=["a.dev/x"])


async def the_objects_of_a_namespace_are_listed(seam: Listing, namespace: str) -> None:
    assert await kube.items(seam, names.SESSION_KIND, namespace) == []
    made = await seam.create(session(namespace))
    (found,) = await kube.items(seam, names.SESSION_KIND, namespace)
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    everywhere = await kube.items(seam, names.SESSION_KIND, "")
    assert made["metadata"]["uid"] in {item["metadata"]["uid"] for item in everywhere}


async def objects_are_listed_by_their_labels(seam: Listing, namespace: str) -> None:
    labelled = session(namespace)
    labelled["metadata"]["labels"] = {"a.dev/x": "1", "a.dev/y": "2"}
    await seam.create(labelled)
    found = [len(await kube.items(seam, names.SESSION_KIND, namespace, {"a.dev/x": "1", "a.dev/y": y})) for y in "12"]
    assert found == [0, 1]


async def finalizers_of_what_is_gone_are_none(seam: Kube, namespace: str) -> None:
    assert await seam.finalize(ref(namespace), version="1", finalizers=[]) is None


async def what_was_applied_is_what_the_object_says(seam: Listing, namespace: str) -> None:
    subject = {"kind": "ServiceAccount", "name": "support", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
    manifests: list[Manifest] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False},
        {"apiVersion": f"{group}/v1", "kind": "Role", "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "support"},
            "subjects": [subject],
        },
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"leaseDurationSeconds": 60}},
    ]
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": names.SESSION_KIND,
        "name": "support",
        "uid": "7d0a3c0e-0000-4000-8000-000000000000",
        "controller": False,
        "blockOwnerDeletion": False,
    }
    metadata = {"name": "support", "namespace": namespace, "labels": {"a.dev/x": "1"}, "annotations": {"a.dev/y": "2"}}
    for manifest in manifests:
        manifest["metadata"] = {**metadata, "ownerReferences": [owner]}
        await seam.apply(manifest, manager=names.OPERATOR_MANAGER)
        (found,) = await kube.items(seam, manifest["kind"], namespace, {"a.dev/x": None})
        applied = managed_fields.applied(found, names.OPERATOR_MANAGER)
        assert applied == managed_fields.of_manifest(manifest), manifest["kind"]


STORIES = [
    what_was_applied_is_what_the_object_says,
    the_objects_of_a_namespace_are_listed,
    objects_are_listed_by_their_labels,
    a_finalizer_holds_an_object_until_it_is_removed,
    finalizers_of_an_old_version_are_not_set,
    finalizers_of_what_is_gone_are_none,
    what_does_not_exist_is_none,
    a_name_is_taken_once,
    a_dry_run_makes_nothing,
    a_deletion_with_another_uid_is_refused,
    two_managers_share_a_status,
    the_same_again_changes_no_version,
    an_old_version_is_refused,
    a_status_without_its_object_is_a_conflict,
]


async def on_the_server(world: World, story: Story, namespace: str) -> None:
    """Run a story on the real seam."""
    loaded = await connection.find(str(world.plane.kubeconfig), None)
    async with kube.ClusterKube(loaded) as seam:
        await story(seam, namespace)
    await asyncio.sleep(0.1)  # aiohttp ends its TLS connections in callbacks of the loop


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_fake_keeps_the_promise(story: Story) -> None:
    asyncio.run(story(FakeKube(), "bots"))  # type: ignore[arg-type]  # stories are coroutine functions


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_server_keeps_the_promise(world: World, story: Story) -> None:
    asyncio.run(on_the_server(world, story, world.namespace().name))


def test_a_server_that_does_not_answer_is_a_transient_error(world: World) -> None:
    async def ask() -> None:
        loaded = await connection.find(str(world.plane.kubeconfig), None)
        nowhere = dataclasses.replace(loaded, server="https://127.0.0.1:9")
        async with kube.ClusterKube(nowhere) as seam:
            await seam.get(ref("bots"))

    with pytest.raises(Unreachable, match="does not answer"):
        asyncio.run(ask())


def test_a_field_that_does_not_exist_is_refused_with_its_name(world: World) -> None:
    async def misspell(seam: Kube, namespace: str) -> None:
        with pytest.raises(Refused, match="opratingMode"):
            await seam.create(session(namespace) | {"spec": {"opratingMode": "Running"}})
        with pytest.raises(Refused) as error:
            await seam.create(session(namespace) | {"spec": {"browser": {"url": "http://x"}}})
        assert [cause.field for cause in error.value.causes] == ["spec.browser.url"]
        assert error.value.asked == Asked("create", names.SESSION_KIND, "support")

    asyncio.run(on_the_server(world, misspell, world.namespace().name))
