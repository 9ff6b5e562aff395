"""A fake of what lists and watches: it plays the answers that a test has written down, in order."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from whatsapp_kube.errors import KubeError
from whatsapp_kube.requests import Manifest
from whatsapp_operator.kube import Change, Page
from whatsapp_operator.object_cache import WATCHED

Listed = Sequence[Sequence[Manifest]] | KubeError
"""The pages of a list, or its failure."""
Watched = Sequence[Change | KubeError]


@dataclass
class FakeSource:
    """Answers by kind; where none is left a list is empty, and a watch delivers nothing more."""

    lists: dict[str, list[Listed]] = field(default_factory=dict)
    watches: dict[str, list[Watched]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """What was asked for, such as "list Pod" and "watch Pod 5"."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no watch delivers anything more."""
    _quiet: set[str] = field(default_factory=set)

    async def sheets(self, kind: str, namespace: str, labels: Mapping[str, str | None]) -> AsyncIterator[Page]:
        """Yield the pages of the next list; the version of each is the number of requests so far."""
        self.asked.append(f"list {kind}")
        found: Listed = self.lists[kind].pop(0) if self.lists.get(kind) else [[]]
        if isinstance(found, KubeError):
            raise found
        for page in found:
            yield Page(list(page), str(len(self.asked)))

    async def watch(
        self, kind: str, namespace: str, labels: Mapping[str, str | None], since: str, seconds: int
    ) -> AsyncGenerator[Change, None]:
        """Yield what the next watch delivers."""
        self.asked.append(f"watch {kind} {since}")
        if not self.watches.get(kind):
            self._quiet.add(kind)
            if self._quiet == set(WATCHED):
                self.idle.set()
            await asyncio.Event().wait()
        for change in self.watches[kind].pop(0):
            if isinstance(change, KubeError):
                raise change
            yield change
