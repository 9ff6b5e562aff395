"""An upgrade from a release that took reports of any size: what a worker wrote there harms no session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functional.callers import wait
from functional.conftest import INSTALL, install, installed, starting
from functional.worker import stamp
from functional.world import Place, World
from whatsapp_session import names

Manifest = dict[str, Any]
OLD = Path(__file__).parent / "releases" / "3851359.yaml"
REPORTS: dict[str, Manifest] = {
    "name": {"account": {"id": "\x1b[2J", "pushName": "x" * 10**6}},
    "message": {
        "lastError": {"reason": "CrashLoop", "message": "\x1b" + "é" * 4000},
        "warnings": [{"reason": "x"}] * 8,
    },
    "requests": {"handledRequests": {f"key{number}": "9999-12-31T23:59:59Z" for number in range(5000)}},
    "far": {"handledRequests": dict.fromkeys(("save", "relink", "restart"), "9999-12-31T23:59:59Z")},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A control plane with what the older release installed."""
    with installed(tmp_path_factory.mktemp("older"), OLD) as made:
        yield made


def reported(place: Place, name: str, report: Manifest) -> None:
    """Make a session of which a worker of the older release has reported, and its operator said so."""
    place.session(name)
    head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND}
    metadata = {"name": name, "namespace": place.name}
    said = {"podUID": "gone", "state": "Connected", "stateSince": stamp(), **report}
    copied = {"handledRequests": report["handledRequests"]} if "handledRequests" in report else {}
    parts = {names.WORKER_MANAGER: {"session": said}, names.OPERATOR_MANAGER: {"phase": "Connected", **copied}}
    for manager, part in parts.items():
        place.admin.apply({**head, "metadata": metadata, "status": part}, manager=manager, subresource="status")


@pytest.fixture(scope="module")
def stored(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sessions with such reports, after the upgrade, with the operator."""
    place = world.namespace()
    place.store()
    for name, report in REPORTS.items():
        reported(place, name, report)
    install(world, INSTALL)
    with starting(world, tmp_path_factory)():
        yield place


@pytest.mark.parametrize("name", REPORTS)
def test_what_an_older_worker_wrote_keeps_nobody_from_serving_its_session(stored: Place, name: str) -> None:
    worker = stored.wait_worker(name)
    wait(lambda: "session" not in stored.status(name), "what a dead worker left to be cleared")
    assert "9999" not in str(stored.status(name))
    time = stamp()
    annotations = {"metadata": {"annotations": {names.request_annotation("restart"): time}}}
    stored.admin.merge(names.SESSION_KIND, stored.name, name, annotations)
    wait(lambda: stored.status(name).get("handledRequests") == {"restart": time}, "the restart to be said handled")
    assert stored.wait_worker(name).uid != worker.uid
    stored.update(name, operatingMode="Suspended")
    stored.wait_phase(name, "Suspended")
    stored.admin.delete(names.SESSION_KIND, stored.name, name)
    wait(lambda: stored.admin.get(names.SESSION_KIND, stored.name, name) is None, "the session to be gone")
