"""What a worker's request costs the API server, by the number of sessions in its namespace.

For each request of a worker the server looks at the RoleBindings of its namespace, of which each session has one.
"""

import copy
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functional import conftest as functional
from functional.callers import Line, Manifest
from functional.worker import Worker, connected
from functional.world import Place, World
from whatsapp_kube import requests
from whatsapp_kube.requests import Ref, Request
from whatsapp_session import names

COUNTS = (1, 100, 1000, 5000)
TIMES = 500
IDENTITY = ("ServiceAccount", "Role", "RoleBinding")


def more_identities(place: Place, samples: list[Manifest], numbers: range) -> None:
    """Create what the operator creates of each session's identity, for as many sessions."""

    def create(number: int, line: Line) -> None:
        for sample in samples:
            made = copy.deepcopy(sample)
            name = f"wasession-filler-{number}"
            made["metadata"] = {"name": name, "namespace": place.name, "labels": sample["metadata"]["labels"]}
            if made["kind"] == "RoleBinding":
                made["roleRef"]["name"] = made["subjects"][0]["name"] = name
            asked = requests.create(made)
            status, text = line.ask(asked.method, asked.target, asked.body, asked.content_type)
            assert status == 201, text

    def part(start: int) -> None:
        with Line(place.admin) as line:
            for number in numbers[start::8]:
                create(number, line)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(part, range(8)))


@dataclass
class Played:
    """A worker that renews its Lease and reports, on one connection, and how long each request took, in ms."""

    worker: Worker
    line: Line
    times: dict[str, list[float]] = field(default_factory=lambda: {"renewal of the Lease": [], "report": []})
    lease: Manifest = field(default_factory=dict)

    def once(self, number: int) -> None:
        """Send one request of each kind."""
        if not self.lease:
            self.lease = self.worker.place.lease(self.worker.session) or {}
        self.lease["spec"] |= {"holderIdentity": self.worker.uid, "renewTime": f"2026-01-01T00:00:00.{number:06d}Z"}
        self.lease = self._sent("renewal of the Lease", requests.replace(self.lease))
        self._sent("report", report(self.worker, number))

    def _sent(self, what: str, asked: Request) -> Manifest:
        began = time.monotonic()
        status, text = self.line.ask(asked.method, asked.target, asked.body, asked.content_type)
        self.times[what].append(1000 * (time.monotonic() - began))
        assert status == 200, text
        found: Manifest = json.loads(text)
        return found


def report(worker: Worker, number: int) -> Request:
    """Return a report, each another one."""
    said = worker.report("Connected", **connected(number + 1))
    place = {"name": worker.session, "namespace": worker.place.name}
    head = {"apiVersion": names.API_VERSION, "kind": names.SESSION_KIND, "metadata": place}
    return requests.apply({**head, "status": {"session": said}}, manager=names.WORKER_MANAGER, subresource="status")


def crowded(world: World, count: int) -> Worker:
    """Return a worker in a namespace with the identities of as many sessions."""
    place = world.namespace()
    place.store()
    place.session("support")
    worker = place.wait_worker("support").runs()
    worker.says("Connected", **connected())
    samples = [place.admin.ask(requests.get(Ref(kind, place.name, "wasession-support"))) for kind in IDENTITY]
    more_identities(place, samples, range(1, count))
    return worker


def test_the_api_servers_time_for_a_workers_request(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with functional.installed(tmp_path, functional.INSTALL) as world:
        with functional.starting(world, tmp_path_factory)():
            workers = [crowded(world, count) for count in COUNTS]
        with ExitStack() as stack:
            played = [Played(worker, stack.enter_context(Line(worker.caller()))) for worker in workers]
            for number in range(TIMES):
                for each in played:  # in turn, so that whatever else runs strikes all alike
                    each.once(number)
        for count, each in zip(COUNTS, played, strict=True):
            for what, times in each.times.items():
                found = sorted(times)
                middle, late = statistics.median(found), found[int(TIMES * 0.95)]
                print(f"\n{count:5} sessions in the namespace, {what:<21} {middle:6.2f} ms, 95 % within {late:6.2f} ms")
