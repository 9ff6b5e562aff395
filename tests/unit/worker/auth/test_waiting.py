"""What all strategies share: they wait for what passes, and say for what."""

import pytest

from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import Reason
from whatsapp_worker import auth, errors
from whatsapp_worker.auth import base
from whatsapp_worker.repository import records


async def test_a_start_waits_for_the_store_and_for_room_on_the_disk_and_tells_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "_STORE_RETRY", Backoff(0.001, 0.001))
    told: list[tuple[Reason, str]] = []
    waiting = auth.NoAuth()
    waiting.setup(
        base.Context(
            records.Owner(), "", lambda: "", report_problem=lambda reason, message: told.append((reason, message))
        )
    )
    troubles = [errors.StoreUnavailable("silent"), errors.LeaseExpired("late"), errors.DiskFull("no room")]

    def work() -> str:
        if troubles:
            raise troubles.pop(0)
        return "done"

    assert await waiting.retry_until_available(work) == "done"
    assert told == [
        (Reason.STORE_UNAVAILABLE, "silent"),
        (Reason.LEASE_HELD, "late"),
        (Reason.RESTORE_FAILED, "no room"),
    ]
