"""Go on with this pod's own profile when neither store nor API answers at a start: whoever else came would need both.

Source: the persistence protocol, section 5. Until the store answers and the session is claimed nothing is published.
"""

import asyncio
import pathlib
from collections.abc import Awaitable, Callable

from whatsapp_worker import errors
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import log, records

MESSAGE = (
    "the worker started from the pod's own profile, because neither the store nor the API answers; it saves the profile"
    " when they do"
)


def is_alone(profile: pathlib.Path, journal: log.SessionLog, owner: records.Owner) -> bool:
    """Tell whether the profile is complete and this very pod's, and the store does not answer. Blocks."""
    marker = layout.read_marker(profile)
    if marker is None or not marker.account_hash or not marker.pod_uid or marker.pod_uid != owner.pod_uid:
        return False
    try:
        layout.check(profile)
        journal.newest()
    except errors.ArchiveDamaged:
        return False
    except errors.StoreUnavailable:
        return True
    return False


class DeferredClaim:
    """Claim in the background when the store answers again; what fails for good goes to ``failed``."""

    def __init__(self, resume: Callable[[], Awaitable[None]], failed: Callable[[Exception], None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(resume, failed))

    @staticmethod
    async def _run(resume: Callable[[], Awaitable[None]], failed: Callable[[Exception], None]) -> None:
        try:
            await resume()
        except errors.WorkerError as error:
            failed(error)

    async def end(self) -> None:
        """Give up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
