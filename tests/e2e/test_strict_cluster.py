"""Every pod as it is composed, on a node of a strict cluster, with stores behind a private authority and a proxy.

Worker, check, move, purge and the hook of the chart run to their end under OpenShift's rules, a tenant's quota and
LimitRange, the policies that clusters commonly have, and beside an injected sidecar: all at once in `make test`, each
of these alone in `make soak`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.demo import installation
from deploy.demo.console import wait_for
from e2e import injector, private_stores, release
from e2e.cluster_rules import COMPANY, FITTING, OPENSHIFT, policies, tenant
from e2e.injector import FIRST_UID, MESH, PLATFORM, SIDECAR
from e2e.local_cluster import LocalCluster
from e2e.namespaces_with_rules import OF_POLICIES, OF_WEBHOOKS, Rules, bound, items, make_namespace, wait_in_force
from e2e.private_stores import PrivateStores, unique
from e2e.store_servers import StoreServers
from e2e.stores_of_sessions import RECORDS, another_store, move, store_is_ready
from e2e.world import Session, World
from whatsapp_session import names

Manifest = dict[str, Any]
DELETE: Manifest = {"auth": {"strategy": "RemoteAuth", "remoteAuth": {"onDelete": "Delete"}}}
ASSIGNING = {PLATFORM: "openshift", OPENSHIFT: "enforced"}


EVERY = Rules("every-rule", {**ASSIGNING, COMPANY: "enforced", MESH: "ordinary"}, bounded=True)
ALONE = [
    Rules("only-openshift", ASSIGNING),
    # What a policy alone can emulate: no user is named, and the image's own is taken.
    Rules("no-user-named", {OPENSHIFT: "enforced"}),
    Rules("only-tenant", {}, bounded=True),
    Rules("only-policies", {COMPANY: "enforced"}),
    Rules("ordinary-sidecar", {MESH: "ordinary"}),
    Rules("native-sidecar", {MESH: "native", **ASSIGNING}),
]


@pytest.fixture(scope="module")
def host(cluster: LocalCluster) -> str:
    """The address of this machine for the cluster."""
    found = private_stores.address_for_pods(cluster)
    if found.startswith("127."):
        pytest.skip("the pods of this provider's clusters do not reach this machine")
    return found


@pytest.fixture(scope="module")
def private(servers: StoreServers, host: str) -> Iterator[PrivateStores]:
    """The servers of S3 and MongoDB behind a private authority and a proxy."""
    with private_stores.running(servers, host) as made:
        yield made


@pytest.fixture(scope="module")
def strict(cluster: LocalCluster, world: World, host: str) -> Iterator[None]:
    """The product with the values that fit, in a namespace with every rule."""
    before, kubectl = release.values(cluster), cluster.kubectl
    world.wait_for_ends()
    with injector.running(host) as webhook:
        rules = items([*policies(), webhook])
        kubectl.apply(rules)
        try:
            wait_in_force(kubectl, {**OF_POLICIES, **OF_WEBHOOKS})
            labels = [f"{name}={value}" for name, value in EVERY.labels.items()]
            kubectl.run("label", "namespace", installation.NAMESPACE, *labels)
            bound(kubectl, installation.NAMESPACE)
            release.install(cluster, release.merged(before, FITTING))
            yield
        finally:
            kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=rules)
            kubectl.run("label", "namespace", installation.NAMESPACE, *(f"{name}-" for name in EVERY.labels))
            kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=items(tenant(installation.NAMESPACE)))
            release.install(cluster, before)


def lives(world: World, private: PrivateStores, rules: Rules) -> None:
    """Let a session link, save, move and take its archives with it: with a worker, checks, a move and a purge."""
    bucket = unique("strict")
    private.servers.bucket(bucket)
    make_namespace(world.kubectl, rules)
    objects = private.objects(rules.name)
    store = private.mongodb(unique("strict"))
    with world.session(rules.name, spec=DELETE, store=store, secrets_of_store=objects) as session:
        another_store(session, "bucket", private.s3(bucket))
        device = session.link(timeout=240)
        assert_composed(session, rules)
        store_is_ready(session)
        store_is_ready(session, "bucket")
        move(session, "bucket", device)  # its worker's pod is deleted, and another restores in the other store
        session.save()
        assert private.servers.records(bucket, RECORDS)
        world.kubectl.run("delete", "was", session.name, "-n", rules.name, "--timeout=240s", timeout=250)
        events = world.kubectl.run("get", "events", "-n", rules.name, "-o", "jsonpath={.items[*].message}")
        assert "deleted the session's archives" in events
        assert set(private.proxy.connected) == {f"{private.host}:{private.s3_port}"}


def assert_composed(session: Session, rules: Rules) -> None:
    """The worker's pod is as its namespace makes pods."""
    spec = (session.pod() or {})["spec"]
    containers = {item["name"]: item for item in (*spec["containers"], *spec.get("initContainers", ()))}
    assert (SIDECAR in containers) == (MESH in rules.labels)
    user = containers[names.WORKER_CONTAINER]["securityContext"].get("runAsUser")
    assert user == (FIRST_UID if PLATFORM in rules.labels else None)


@pytest.mark.usefixtures("strict")
def test_a_session_lives_under_every_rule_with_stores_behind_authority_and_proxy(
    world: World, private: PrivateStores
) -> None:
    lives(world, private, EVERY)


@pytest.mark.soak
@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("rules", ALONE, ids=lambda rules: rules.name)
def test_a_session_lives_under_each_rule_alone(world: World, private: PrivateStores, rules: Rules) -> None:
    lives(world, private, rules)


@pytest.mark.usefixtures("strict")
def test_the_hook_of_an_uninstall_ends_under_every_rule(cluster: LocalCluster, world: World) -> None:
    place = "released"
    with world.session(place, spec={**DELETE, "operatingMode": "Suspended"}) as session:

        def held() -> bool | None:
            return names.FINALIZER_PURGE in session.resource()["metadata"].get("finalizers", ()) or None

        wait_for("the finalizer", held, timeout=60)
        release.uninstall(cluster)
        assert world.kubectl.get("job", f"{installation.RELEASE}-uninstall", installation.NAMESPACE) is None
        assert not session.resource()["metadata"].get("finalizers")
