"""Sessions that move from one store to another by a changed ``storeRef``, one of them a store of somebody's own."""

import base64
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.demo import installation
from deploy.local.build import image_builder, images
from e2e.local_cluster import LocalCluster
from e2e.store_servers import StoreServers
from e2e.stores_of_sessions import RECORDS, another_store, move, store_is_ready
from e2e.world import Session, World
from whatsapp_session import names

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "deploy/samples/custom-store.Dockerfile"
EXAMPLE = REPOSITORY / "tests/example_store"
OWN_IMAGE = "docker.io/library/worker-with-example-store:test"


def test_a_changed_store_ref_moves_a_session_without_a_code_there_and_back(world: World, servers: StoreServers) -> None:
    bucket, place = f"moved-{secrets.token_hex(4)}", "moves"
    servers.bucket(bucket)
    with world.session(place) as session:
        device = session.link()
        items = {"apiVersion": "v1", "kind": "List", "items": servers.secrets(place)}
        session.kubectl.apply(json.dumps(items))
        another_store(session, "bucket", servers.s3(bucket))
        move(session, "bucket", device)
        session.save()
        kinds = [item["kind"] for item in servers.records(bucket, RECORDS)]
        # The copier claimed, wrote down what it had copied, and let go; then came the worker.
        assert kinds[0] == "claim"
        assert kinds[1 : kinds.index("release")] == ["generation"] * (kinds.index("release") - 1)
        assert "generation" in kinds[kinds.index("release") :], "the worker saves there"
        move(session, "default", device)
        session.save()
        # Within one claim: a pod that named it twice would never start.
        another_store(session, "encrypted", encrypted_beside(session))
        move(session, "encrypted", device)
        session.save()


def encrypted_beside(session: Session) -> dict[str, Any]:
    """Make a key, and return a store that is encrypted with it and lies on the claim of the default store."""
    default = json.loads(session.kubectl.run("get", "wastore", "default", "-n", session.namespace, "-o", "json"))
    key = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "archives-key", "namespace": session.namespace},
        "stringData": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
    }
    session.kubectl.apply(json.dumps(key))
    filesystem = {**default["spec"]["filesystem"], "path": "encrypted"}
    return {"filesystem": filesystem, "encryption": {"keySecretRef": {"name": "archives-key", "key": "key"}}}


@pytest.fixture(scope="module")
def own_image(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the sample Dockerfile with the example store; bring the image into the cluster."""
    scratch = tmp_path_factory.mktemp("own-image")
    context = scratch / "package"
    shutil.copytree(EXAMPLE, context, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(SAMPLE, context / SAMPLE.name)
    (worker,) = images.build(cluster.store, ["worker"])
    builder, base = image_builder.choose(cluster.store), images.IMAGES["worker"].reference
    builder.load(worker, base)
    builder.build(context, SAMPLE.name, OWN_IMAGE, {"WORKER": base})
    archive = scratch / "own.tar"
    builder.export(OWN_IMAGE, archive)
    cluster.import_archives([archive])
    return OWN_IMAGE


def claim_of(place: str) -> dict[str, Any]:
    """Return the quick start's claim, for another namespace."""
    documents = yaml.safe_load_all(installation.QUICKSTART.read_text())
    found: dict[str, Any] = next(item for item in documents if item["kind"] == "PersistentVolumeClaim")
    found["metadata"]["namespace"] = place
    return found


def test_a_store_of_ones_own_is_a_sample_dockerfile_away(world: World, servers: StoreServers, own_image: str) -> None:
    bucket, place = f"moved-{secrets.token_hex(4)}", "own-store"
    servers.bucket(bucket)
    claim = claim_of(place)
    own = {
        "custom": {
            "name": "sqlite",
            "image": own_image,
            "claimName": claim["metadata"]["name"],
            "options": {"file": f"{names.custom_dir('default')}/sessions.sqlite"},
        }
    }
    with world.session(place, store=own, secrets_of_store=[claim, *servers.secrets(place)]) as session:
        store_is_ready(session)
        device = session.link()
        before = session.status()
        session.kubectl.run("delete", "pod", names.pod(session.name), "-n", place, timeout=180)
        session.returned(before)
        session.assert_same_login(device)
        another_store(session, "bucket", servers.s3(bucket))
        move(session, "bucket", device)
        assert "generation" in [item["kind"] for item in servers.records(bucket, RECORDS)]
