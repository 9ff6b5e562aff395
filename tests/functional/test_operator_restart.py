"""The operator's own life: restarts, missing parts of the installation, rights, health."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from functional.callers import ApiError, wait
from functional.conftest import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Operator
from functional.worker import connected
from functional.world import Place, World
from whatsapp_operator import health
from whatsapp_operator.manifests import rbac
from whatsapp_session import names

Manifest = dict[str, Any]
KINDS = (names.SESSION_KIND, names.STORE_KIND, "Pod", "Lease", "ServiceAccount", "Role", "RoleBinding", "Event")


def versions(place: Place) -> dict[str, str]:
    """Return the version of each object of a namespace."""
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in KINDS
        for item in place.admin.items(kind, place.name)
    }


def knows_the_account(lease: Manifest | None) -> bool:
    """Tell whether the operator has written the account of the saved login."""
    return lease is not None and names.ANNOTATION_KNOWN_ACCOUNT in lease["metadata"]["annotations"]


def test_a_restart_writes_nothing_when_nothing_changed(place: Place, start: Operator) -> None:
    place.store()
    place.session("support")
    place.session("orphan", auth={"strategy": "RemoteAuth", "remoteAuth": {"storeRef": {"name": "nowhere"}}})
    with start():
        place.wait_worker("support").runs().says("Connected", **connected())
        place.wait_phase("support", "Connected")
        place.wait_phase("orphan", "Pending", "StoreNotFound")
        # The last thing that follows from what the worker said; an operator that ends before it leaves it to the next.
        wait(lambda: knows_the_account(place.lease("support")), "the account on the Lease")
    before = versions(place)
    with start():
        # A namespace's sessions have their turns in order: when the newest is done, the older ones were looked at.
        place.session("probe", auth={"strategy": "RemoteAuth", "remoteAuth": {"storeRef": {"name": "nowhere"}}})
        place.wait_phase("probe", "Pending", "StoreNotFound")
        found = versions(place)
        assert {name: found.get(name) for name in before} == before


def test_what_changed_while_no_operator_ran_is_caught_up_with(place: Place, start: Operator) -> None:
    place.store()
    place.session("deleted")
    place.session("changed")
    with start():
        gone, old = place.wait_worker("deleted"), place.wait_worker("changed")
        gone.bind()
    place.admin.delete(names.SESSION_KIND, place.name, "deleted")
    place.update("changed", browser={"userAgent": "New/1.0"})
    place.session("new")
    with start():
        place.wait_worker("new")
        wait(lambda: (place.pod("changed") or old.pod)["metadata"]["uid"] != old.uid, "the changed session's new pod")
        stopped = wait(
            lambda: (place.pod("deleted") or {"metadata": {"deletionTimestamp": "gone"}})["metadata"].get(
                "deletionTimestamp"
            ),
            "the deleted session's pod to be stopping",
        )
        assert stopped


def test_an_operator_serves_only_the_namespaces_that_it_is_given(world: World, start: Operator) -> None:
    mine, other = world.namespace(), world.namespace()
    for place in (other, mine):
        place.store()
        place.session("support")
    with start(namespaces=(mine.name,)):
        mine.wait_worker("support")
        assert other.status("support") == {}


def test_an_operator_whose_watch_has_ended_says_that_it_is_dead(
    place: Place, start: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[asyncio.AbstractEventLoop, int]] = []
    serving = health.serving

    @contextlib.asynccontextmanager
    async def seen(*arguments: Any) -> AsyncIterator[int]:
        async with serving(*arguments) as port:
            served.append((asyncio.get_running_loop(), port))
            yield port

    def asked(page: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{served[0][1]}/{page}", timeout=30) as answer:
                return answer.status, answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode().strip()

    def end(kind: str) -> None:
        for task in asyncio.all_tasks():
            if task.get_name().startswith(f"watcher for {kind}."):
                task.cancel()

    monkeypatch.setattr(health, "serving", seen)
    with start(health_port=0):
        wait(lambda: asked("readyz") == (200, "ok"), "the operator to be ready")
        assert asked("healthz") == (200, "ok")
        served[0][0].call_soon_threadsafe(end, "pods")
        dead = (503, "the watch of pods has ended")
        wait(lambda: asked("healthz") == dead, lambda: f"the end of the watch to be noticed; {asked('healthz')}")
        assert asked("readyz") == dead


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/namespaces/default/secrets"),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/api/v1/namespaces"),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token"),
    ],
)
def test_the_operator_reads_no_secrets_and_little_else(world: World, method: str, target: str) -> None:
    caller = world.caller(world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
    with pytest.raises(ApiError) as error:
        caller.send(method, target, {} if method == "POST" else None)
    assert error.value.status == 403


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("ClusterRole", "cluster-admin", "attempting to grant"),
        ("Role", "secrets", "attempting to grant"),
    ],
)
def test_the_operator_can_grant_nothing_that_it_does_not_hold(
    place: Place, kind: str, name: str, sentence: str
) -> None:
    caller = place.world.caller(place.world.token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT))
    head = {"apiVersion": f"{rbac.RBAC}/v1", "metadata": {"name": name, "namespace": place.name}}
    reads = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    role = {**head, "kind": "Role", "rules": [reads]}
    with pytest.raises(ApiError) as error:
        caller.create(role)
    assert sentence in error.value.message
    place.admin.create(role)
    grant = {
        **head,
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": rbac.RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_ACCOUNT, "namespace": OPERATOR_NAMESPACE}],
    }
    with pytest.raises(ApiError) as error:
        caller.create(grant)
    assert sentence in error.value.message


def port_of(process: subprocess.Popen[bytes]) -> int | None:
    """Return the port on which a process listens, None while it does not."""
    found = psutil.Process(process.pid).net_connections("tcp4")
    return next((item.laddr.port for item in found if item.status == psutil.CONN_LISTEN), None)


def test_the_command_runs_on_a_laptop_and_stops_on_sigterm(place: Place, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; from whatsapp_operator import app; sys.exit(app.main())", "run"]
    arguments = [f"--namespace={place.name}", "--health-port=0"]
    environ = {
        **os.environ,
        "KUBECONFIG": str(place.world.plane.kubeconfig),
        "WHATSAPP_OPERATOR_WORKER_IMAGE": "worker:laptop",
    }
    place.store()
    place.session("support")
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen([*command, *arguments], env=environ, stderr=file)
        try:
            worker = place.wait_worker("support")
            assert worker.pod["spec"]["containers"][0]["image"] == "worker:laptop"
            port = wait(lambda: port_of(process), "the operator to listen")

            def page(name: str) -> bytes:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=30) as answer:
                    return bytes(answer.read())

            # The pod is marked a moment before the numbers are counted.
            line = b'whatsapp_operator_sessions{phase="Starting"} 1.0'
            wait(lambda: line in page("metrics"), lambda: f"{line!r} among the metrics; {page('metrics')!r}")
            for name in ("healthz", "readyz"):
                assert page(name) == b"ok\n"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()
    text = log.read_text()
    assert "phase: session=" in text
    assert "Traceback" not in text
