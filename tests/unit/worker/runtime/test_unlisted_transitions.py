"""What becomes of a transition that the worker's table does not list, in production and in tests."""

import asyncio
import logging

import pytest

from fakes.browser import FakeBrowsers
from fakes.strategy import FakeStrategy
from scenes.worker.machine_story import S, facts
from whatsapp_session.conditions import ExitCode, SessionState
from whatsapp_worker.core import events, page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import State
from whatsapp_worker.core.transitions import UnlistedTransitionError
from whatsapp_worker.runtime import runner


async def ignored(name: str, arguments: tuple[object, ...]) -> None:
    """Be no listener."""


async def run(settings: Settings) -> tuple[runner.SessionRunner, runner.Outcome]:
    """Let a page without a link report to a session that is connected without a login, which no story leads to."""
    strategy = FakeStrategy()
    kept = runner.SessionRunner(strategy, settings, FakeBrowsers(), ignored, ())
    kept.state = State(SessionState.CONNECTED)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(kept.run())
        await strategy.preparing.wait()
        kept.post(page_events.Changed(facts(S.UNPAIRED)))
        kept.post(events.StopRequested())
    return kept, running.result()


async def test_in_production_it_is_logged_and_counted_and_the_session_continues(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "whatsapp_worker"):
        kept, outcome = await run(Settings())
    assert outcome.code is ExitCode.DONE
    assert kept.state.unlisted.count == 1
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["transition=unlisted state=AwaitingLink before=Connected"]


async def test_in_tests_it_ends_the_worker_with_that_very_error() -> None:
    kept = runner.SessionRunner(FakeStrategy(), Settings(strict=True), FakeBrowsers(), ignored, ())
    kept.state = State(SessionState.CONNECTED)
    kept.post(page_events.Changed(facts(S.UNPAIRED)))
    async with asyncio.timeout(60):
        with pytest.raises(UnlistedTransitionError):
            await kept.run()
    assert kept.closed.is_set(), "it has ended as it does otherwise"
