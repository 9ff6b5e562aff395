"""The end of sessions on a real node: what goes with them, and what stays when the product goes."""

import json

from deploy.demo import installation
from deploy.demo.console import wait_for
from e2e import release
from e2e.local_cluster import LocalCluster
from e2e.world import World
from whatsapp_session import names

DELETE = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}


def test_a_session_that_takes_its_archives_with_it_leaves_nothing_to_come_back_to(world: World) -> None:
    with world.session("purged", spec=DELETE) as session:
        session.link()
        again = session.manifest()
        assert session.resource()["metadata"]["finalizers"] == [names.FINALIZER_PURGE]
        world.kubectl.run("delete", "was", "support", "-n", "purged", "--timeout=240s", timeout=250)
        events = world.kubectl.run("get", "events", "-n", "purged", "-o", "jsonpath={.items[*].message}")
        assert "deleted the session's archives" in events
        wait_for(
            "the pod that purged to go",
            lambda: world.kubectl.get("pod", names.purge_pod("support"), "purged") is None or None,
            timeout=60,
        )
        world.kubectl.apply(again)
        # The same session in the same store: had an archive been left, it would be Connected.
        code = wait_for("a new code", lambda: session.status().get("qr"), timeout=240)
        assert code["attempt"] >= 1
        session.wait_for_condition("Linked", "False")


def test_a_namespace_with_such_a_session_can_be_deleted(world: World) -> None:
    with world.session("ended", spec=DELETE) as session:
        session.link()
        world.kubectl.run("delete", "namespace", "ended", "--timeout=240s", timeout=250)
        world.kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ended"}}))


def test_a_localauth_session_takes_the_claim_with_it_if_told_so(world: World) -> None:
    spec = {"auth": {"strategy": "LocalAuth", "localAuth": {"size": "1Gi", "onDelete": "Delete"}}}
    with world.session("claimed", spec=spec) as session:
        wait_for("a QR code", lambda: session.status().get("qr"), timeout=240)
        assert world.kubectl.get("pvc", "wa-support", "claimed") is not None
        world.kubectl.run("delete", "was", "support", "-n", "claimed", "--timeout=200s", timeout=210)
        wait_for(
            "the claim to go", lambda: world.kubectl.get("pvc", "wa-support", "claimed") is None or None, timeout=180
        )


def test_after_an_uninstall_nothing_hangs_and_workers_have_gone_on(cluster: LocalCluster, world: World) -> None:
    with world.session("orphaned", spec=DELETE) as session:
        device = session.link()
        before = (session.pod() or {})["metadata"]["uid"]
        world.wait_for_ends()  # what is about to go is not what the hook is tried on
        with release.uninstalled(cluster):
            left = world.kubectl.get("job", f"{installation.RELEASE}-uninstall", installation.NAMESPACE)
            assert left is None, "the hook cleans up after itself"
            assert not session.resource()["metadata"].get("finalizers")
            store = world.kubectl.get("wastore", "default", "orphaned") or {}
            assert not store["metadata"].get("finalizers")
            session.assert_same_login(device)
        # The operator that comes back holds it again, and has not disturbed it.
        wait_for(
            "the finalizer to come back",
            lambda: session.resource()["metadata"].get("finalizers"),
            timeout=120,
        )
        assert (session.pod() or {})["metadata"]["uid"] == before
        session.assert_same_login(device)
