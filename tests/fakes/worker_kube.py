"""The fake behind the worker's seam to the Kubernetes API: one Lease, one status, Events, failures on demand."""

import copy
from collections.abc import Mapping
from typing import Any

from whatsapp_worker.kube.api import KubeError


class FakeKube:
    """Keep everything in memory; ``refuse`` holds status codes for the next calls of a verb."""

    def __init__(self, lease: Mapping[str, Any] | None = None) -> None:
        self.lease: dict[str, Any] | None = dict(copy.deepcopy(lease)) if lease else None
        self.sessions: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.refuse: dict[str, list[int]] = {}
        self.version = 1

    def _maybe_refuse(self, verb: str) -> None:
        if self.refuse.get(verb):
            raise KubeError(self.refuse[verb].pop(0), "refused by the test")

    async def get_lease(self) -> dict[str, Any]:
        """Return a copy."""
        self._maybe_refuse("get")
        if self.lease is None:
            raise KubeError(404, "there is none")
        return {
            **copy.deepcopy(self.lease),
            "metadata": {**self.lease["metadata"], "resourceVersion": str(self.version)},
        }

    async def put_lease(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Replace if the version is the newest."""
        self._maybe_refuse("put")
        if lease["metadata"]["resourceVersion"] != str(self.version):
            raise KubeError(409, "changed")
        self.version += 1
        self.lease = copy.deepcopy(dict(lease))
        return await self.get_lease()

    async def apply_session(self, session: Mapping[str, Any]) -> None:
        """Remember."""
        self._maybe_refuse("apply")
        self.sessions.append(copy.deepcopy(dict(session)))

    async def create_event(self, event: Mapping[str, Any]) -> None:
        """Remember."""
        self._maybe_refuse("event")
        self.events.append(dict(event))
