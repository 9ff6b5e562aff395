"""The product's images: what is in them, that they run as a pod must, and that they can be pushed."""

import json
import urllib.request
from pathlib import Path

from deploy.local import cache
from deploy.local.build import images
from e2e import registry_server
from e2e.local_cluster import LocalCluster

LIMIT = 900_000_000
BROWSE = """
import asyncio, os, pathlib, time
from playwright.async_api import async_playwright

async def main():
    began = time.monotonic()
    async with async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(
            "/profile/p", executable_path="/usr/bin/chromium", headless=True,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        page = context.pages[0]
        await page.goto("data:text/html,<canvas id=c></canvas><title>drawn</title>")
        print("title", await page.title())
        print("agent", await page.evaluate("navigator.userAgent"))
        print("webgl", await page.evaluate("!!document.getElementById('c').getContext('webgl')"))
        print("seconds", round(time.monotonic() - began, 1))
        await context.close()
    print("profile", pathlib.Path("/profile/p/Default").is_dir())

asyncio.run(main())
"""


def test_each_image_is_kept_under_its_goal() -> None:
    store = cache.locate()
    built = images.ensure(store, images.IMAGES)
    sizes = images.sizes(store, built)
    base = min(sizes.values())
    beyond = {one.image.name: sizes[one.image.reference] - base for one in built}
    assert all(0 < size < LIMIT for size in beyond.values()), beyond


def test_an_image_that_was_built_is_not_built_again() -> None:
    store = cache.locate()
    first, second = (images.ensure(store, ["operator"])[0] for _ in range(2))
    assert second.archive != first.archive or not second.built


def test_images_are_pushed_to_a_registry_under_their_own_names(tmp_path: Path) -> None:
    store = cache.locate()
    with registry_server.running(tmp_path, store) as address:
        (target,) = images.push(store, ["simulator"], f"{address}/team")
        assert target == f"{address}/team/whatsapp-session-simulator:dev"
        url = f"http://{address}/v2/team/whatsapp-session-simulator/manifests/dev"
        wanted = urllib.request.Request(url, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
        with urllib.request.urlopen(wanted, timeout=30) as answer:
            manifest = json.load(answer)
        assert len(manifest["layers"]) >= 3


def test_the_browser_of_the_worker_image_starts_in_a_restricted_pod(cluster: LocalCluster) -> None:
    namespace = "browser"
    cluster.import_archives(images.build(cluster.store, ["worker"]))
    cluster.kubectl.run("apply", "-f", "-", stdin=_browser_pod(namespace))
    try:
        phase = ("wait", "pod/browser", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=240s")
        try:
            cluster.kubectl.run(*phase, timeout=300)
        finally:
            log = cluster.kubectl.run("logs", "browser", "-n", namespace)
            print(log)
    finally:
        cluster.kubectl.run("delete", "namespace", namespace, "--timeout=240s", timeout=300)
    assert "title drawn" in log
    assert "webgl True" in log
    assert "profile True" in log
    # The headless browser must not call itself one: that is the worker's switch, not the image's.
    assert "Chrome/" in log


def _browser_pod(namespace: str) -> str:
    container = {
        "name": "main",
        "image": images.IMAGES["worker"].reference,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", BROWSE],
        "volumeMounts": [{"name": "profile", "mountPath": "/profile"}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "profile", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "browser", "namespace": namespace}, "spec": spec},
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
