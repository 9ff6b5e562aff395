"""Sessions whose archives are in S3 and in MongoDB, with real servers as pods."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.demo.console import wait_for
from e2e.store_servers import StoreServers
from e2e.stores_of_sessions import RECORDS, store_is_ready
from e2e.world import Session, World
from simulator import client


@dataclass(frozen=True, slots=True)
class Linked:
    """A session on S3 that is linked and saved."""

    session: Session
    device: client.Device
    bucket: str


@pytest.fixture(scope="module")
def on_s3(world: World, servers: StoreServers) -> Iterator[Linked]:
    """Link a session on S3 once for the tests of this file; each leaves it connected."""
    bucket = f"sessions-{secrets.token_hex(4)}"
    servers.bucket(bucket)
    with world.session("on-s3", store=servers.s3(bucket), secrets_of_store=servers.secrets("on-s3")) as session:
        yield Linked(session, session.link(), bucket)


def delete_pod(session: Session) -> None:
    """Delete the worker pod, gracefully."""
    session.kubectl.run("delete", "pod", f"wa-{session.name}", "-n", session.namespace, timeout=180)


def use(session: Session, spec: dict[str, Any]) -> None:
    """Change the session's store."""
    patch = json.dumps({"spec": spec})
    session.kubectl.run("patch", "wastore", "default", "-n", session.namespace, "--type=merge", "-p", patch)


def test_a_session_on_s3_survives_the_deletion_of_its_pod(on_s3: Linked) -> None:
    store_is_ready(on_s3.session)
    before = on_s3.session.status()
    delete_pod(on_s3.session)
    on_s3.session.returned(before)
    on_s3.session.assert_same_login(on_s3.device)


def test_a_session_on_mongodb_survives_the_deletion_of_its_pod(world: World, servers: StoreServers) -> None:
    database = f"sessions-{secrets.token_hex(4)}"
    more = servers.secrets("on-mongodb")
    with world.session("on-mongodb", store=servers.mongodb(database), secrets_of_store=more) as session:
        store_is_ready(session)
        device = session.link()
        before = session.status()
        delete_pod(session)
        session.returned(before)
        session.assert_same_login(device)


def test_a_secret_that_is_missing_is_named_and_waited_for(world: World, servers: StoreServers) -> None:
    bucket, place = f"sessions-{secrets.token_hex(4)}", "no-secret"
    servers.bucket(bucket)
    with world.session(place, store=servers.s3(bucket)) as session:
        said = session.wait_stalled("SecretNotFound")
        assert "the Secret 's3-login' with the keys accessKeyId and secretAccessKey" in said
        items = {"apiVersion": "v1", "kind": "List", "items": servers.secrets(place)}
        world.kubectl.apply(json.dumps(items))
        wait_for("a code", lambda: session.status().get("qr"), timeout=240)
        store_is_ready(session)


def test_a_deleted_session_is_applied_again_without_a_code_and_without_the_claims_wait(
    on_s3: Linked, servers: StoreServers
) -> None:
    session = on_s3.session
    before, resource = session.status(), session.resource()
    session.kubectl.run("delete", "was", session.name, "-n", session.namespace, "--timeout=150s", timeout=160)
    wait_for("the pod to be gone", lambda: True if session.pod() is None else None, timeout=150)
    metadata = {"name": session.name, "namespace": session.namespace}
    manifest = {key: resource[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": metadata}
    session.kubectl.apply(json.dumps(manifest))
    session.returned(before)
    session.assert_same_login(on_s3.device)
    kinds = [(item["kind"], item["owner"]["sessionUID"]) for item in servers.records(on_s3.bucket, RECORDS)]
    claim = ("claim", session.resource()["metadata"]["uid"])
    # A claim waits unless the record before it is its predecessor's release.
    assert kinds[kinds.index(claim) - 1] == ("release", resource["metadata"]["uid"])


def test_a_wrong_bucket_is_a_missing_archive_and_not_a_code(on_s3: Linked, servers: StoreServers) -> None:
    session, wrong = on_s3.session, f"wrong-{secrets.token_hex(4)}"
    servers.bucket(wrong)
    before = session.status()
    use(session, servers.s3(wrong))
    assert "store" in session.wait_stalled("ArchiveMissing")
    use(session, servers.s3(on_s3.bucket))
    session.returned(before)
    session.assert_same_login(on_s3.device)


def test_two_namespaces_with_one_client_id_and_one_bucket_never_run_two_browsers(
    world: World, on_s3: Linked, servers: StoreServers
) -> None:
    first, device = on_s3.session, on_s3.device
    first.wait("Saved")
    second_place = "on-s3-too"
    with world.session(
        second_place, store=servers.s3(on_s3.bucket), secrets_of_store=servers.secrets(second_place)
    ) as second:
        said = second.wait_stalled("StoreSessionInUse")
        assert f"pod wa-{first.name} of namespace {first.namespace}" in said
        first.wait_for_condition("Connected", "True")
        first.assert_same_login(device)
        # A person takes over although the first one runs: it hears of it and is ended before the second starts.
        before = first.status()
        second.request("takeover")
        second.returned({"stateSince": None}, timeout=300)
        first.wait_stalled("Superseded")
        now = first.only_device()
        # What the first one did until it heard of the claim is lost (a rollback): it was not stopped and saved before.
        assert (now.id, now.two_browsers) == (device.id, 0)
        saved = second.status().get("saved", {}).get("generation", 0)
        assert saved >= before["saved"]["generation"]
        second.save()
