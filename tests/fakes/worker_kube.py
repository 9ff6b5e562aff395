"""One worker's client of the Kubernetes API over the fake cluster; it fails on demand."""

import pathlib
from collections.abc import Mapping
from typing import Any

from fakes.kube import FakeKube
from whatsapp_kube import answers
from whatsapp_kube.requests import Manifest, Ref, Request
from whatsapp_session import names
from whatsapp_worker.kube.api import ApiServer, Names
from whatsapp_worker.system.steady_clock import SteadyClock

NAMESPACE, SESSION = "bots", "x"
LEASE = Ref("Lease", NAMESPACE, names.lease(SESSION))


class WorkerKube(ApiServer):
    """The client with a fake cluster behind it; ``refuse`` holds statuses for the next requests of a verb."""

    def __init__(self, lease: Mapping[str, Any] | None = None) -> None:
        super().__init__("", pathlib.Path(), Names(NAMESPACE, SESSION), SteadyClock())
        self.cluster = FakeKube()
        self.refuse: dict[str, list[int]] = {}
        self.sessions: list[Manifest] = []
        """What was applied, in order."""
        self.cluster.put({"kind": names.SESSION_KIND, "metadata": {"namespace": NAMESPACE, "name": SESSION}})
        if lease is not None:
            self.cluster.put({"kind": "Lease", **lease})

    async def send(self, request: Request) -> Manifest:
        """Answer as the fake does, or refuse."""
        if self.refuse.get(request.verb):
            raise answers.error(self.refuse[request.verb].pop(0), {"message": "refused by the test"}, request.asked)
        answer = await self.cluster.send(request)
        if request.ref.kind == names.SESSION_KIND and request.body:
            self.sessions.append(request.body["status"]["session"])
        return answer

    @property
    def lease(self) -> Manifest:
        """The Lease as it is now."""
        return self.cluster.objects[LEASE]

    @property
    def events(self) -> list[Manifest]:
        """The Events that were created."""
        return [found for ref, found in self.cluster.objects.items() if ref.kind == "Event"]

    def change_lease(self, **spec: str) -> None:
        """Change the Lease as somebody else."""
        self.cluster.touch(LEASE, lambda lease: lease["spec"].update(spec))
