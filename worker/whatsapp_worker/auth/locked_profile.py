"""The profile in the data directory, while it is this worker's: held against others, and marked with its claim."""

import dataclasses
import pathlib
from typing import BinaryIO

from whatsapp_worker.browser import orphan
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import records


class LockedProfile:
    """One session's profile and the marker beside it. Calls block."""

    def __init__(self, root: pathlib.Path, session: str) -> None:
        self._root = root
        self._session = session
        self._lock: BinaryIO | None = None
        self._marker = layout.Marker(session, 0)

    def lock(self) -> None:
        """Take the folder, or raise ConfigurationError; end what a killed predecessor left running."""
        self._lock = layout.claim_folder(self._root)
        orphan.end(self._root)

    def unlock(self) -> None:
        """Let others take the folder."""
        if self._lock is not None:
            self._lock.close()

    def reopened(self) -> layout.Marker | None:
        """Return the marker of a whole profile of this session, free to be used, None for any other."""
        return layout.reopened(self._root, self._session)

    def continue_from(self, marker: layout.Marker) -> None:
        """Mark as the marker did that lies there, until there is a claim."""
        self._marker = marker

    def claimed(self, claim: records.Record) -> None:
        """Mark with this claim from now on."""
        self._marker = dataclasses.replace(
            self._marker, slot=claim.slot, claim=claim.nonce, pod_uid=claim.owner.pod_uid
        )

    def mark(self, account_hash: str, generation: int) -> None:
        """Say whose login the profile holds, "" for none, and which generation it was restored from, 0 for none."""
        marker = dataclasses.replace(self._marker, account_hash=account_hash, generation=generation, complete=True)
        layout.write_marker(self._root, marker)

    def last_claim(self, pod_uid: str) -> tuple[int, str] | None:
        """Return slot and nonce of the claim that an earlier container of this pod has made, None if there is none."""
        marker = layout.read_marker(self._root)
        if marker is None or not (pod_uid and marker.pod_uid == pod_uid and marker.claim):
            return None
        return marker.slot, marker.claim

    def login(self) -> str:
        """Return a sentence's beginning about the login that lies there, "" if none does."""
        marker = layout.read_marker(self._root)
        return f"{self._root} holds a login" if marker and marker.account_hash else ""
