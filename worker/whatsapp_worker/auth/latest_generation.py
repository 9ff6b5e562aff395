"""Know the newest generation of this session's login, and publish the next one when something changed."""

import dataclasses
import logging
import time

from whatsapp_session import timestamps
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Saved
from whatsapp_worker.profile import snapshot
from whatsapp_worker.repository import generations, records

LOG = logging.getLogger("whatsapp_worker")


class LatestGeneration:
    """The newest generation of the present login; ``restored`` is the number of the one that was put in place."""

    def __init__(self, kept: generations.Generations) -> None:
        self._kept = kept
        self._proven = 0
        self._version = ""
        self.found: records.Record | None = None
        self.restored = 0

    def forget(self) -> None:
        """Know nothing: the login is gone."""
        self.found, self.restored, self._proven = None, 0, 0

    def place(self, found: records.Record | None) -> None:
        """Hear which generation was put in the profile's place, None for an empty one."""
        self.found, self.restored = found, found.generation.number if found else 0

    def prove(self, account: page_events.Account, version: str) -> None:
        """Hear that the profile has come up with this account's login, and in which browser."""
        self._version = version
        self._proven = max(self._proven, self.restored)
        if self.found and self.found.generation.account_hash != account.hash:
            self.found = None

    def holds(self, content_digest: str | None) -> bool:
        """Tell whether the newest generation says what a profile of this digest says."""
        return self.found is not None and self.found.generation.content_digest == content_digest

    def saved(self) -> Saved | None:
        """Return it as the status shows it; what another program wrote is not ours."""
        if self.found is None or self.found.generation.trigger == generations.IMPORT:
            return None
        made, written = self.found.generation, timestamps.parse(self.found.time).timestamp()
        return Saved(made.number, written, made.size, made.digest, made.trigger)

    def unchanged(self) -> Saved:
        """Return what a check says that found nothing new."""
        saved = self.saved()
        assert saved is not None
        LOG.info("saved generation=%s unchanged=true", saved.generation)
        return dataclasses.replace(saved, time=time.time(), changed=False)

    def publish(self, staged: snapshot.Snapshot, account: page_events.Account, trigger: str) -> Saved:
        """Publish a snapshot unless it is the same again; blocks."""
        if self.holds(staged.content_digest):
            return self.unchanged()
        self.found = self._kept.publish(staged, account.hash, trigger, self._version, self._proven)
        saved = self.saved()
        assert saved is not None
        LOG.info(
            "saved generation=%s bytes=%s trigger=%s frozen_ms=%.1f linked=%s copied=%s",
            *(saved.generation, saved.size, trigger, staged.frozen * 1000, staged.linked, staged.copied),
        )
        return saved
