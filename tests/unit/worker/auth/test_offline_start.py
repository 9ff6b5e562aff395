"""A pod that goes on with its own profile while API and store are silent: its witness is only a store that was read."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from fakes.browser import FakeBrowsers
from scenes.worker import profile_maker
from whatsapp_session.backoff import Backoff
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker import auth, errors
from whatsapp_worker.auth import base
from whatsapp_worker.core import conflict, events, ownership_deadline, page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.profile import layout
from whatsapp_worker.repository import log, records
from whatsapp_worker.runtime import runner
from whatsapp_worker.runtime.work import Kind
from whatsapp_worker.stores import memory
from whatsapp_worker.system import watchdog

MINE = records.Owner("cluster", "bots", "session", "pod-1", "pod", "boot", 7, 1.0)
SESSION = "RemoteAuth"


class WatchedAuth(auth.RemoteAuth):
    """RemoteAuth that counts how often it was asked whose the session is."""

    watches = 0

    async def still_owner(self) -> bool:
        """Count, then ask the store."""
        self.watches += 1
        return await super().still_owner()


class Scene:
    """A restarted container of the pod whose claim is the newest, and a store that can be cut off."""

    def __init__(self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = memory.MemoryStore()
        self.journal = log.SessionLog(self.store, SESSION, dataclasses.replace(MINE, pid=5))
        self.journal.append(records.Claim(60))
        profile = profile_maker.profile(root / SESSION)
        layout.write_marker(profile, layout.Marker(SESSION, 1, "hash", 1, True, MINE.pod_uid))
        self.cut_off()
        self.clock = 1000.0
        self.failures: list[Exception] = []
        self.auth = WatchedAuth(self.store, "", root)
        self.refused = 0
        self.browsers = FakeBrowsers()
        monkeypatch.setattr(watchdog, "now", lambda: self.clock)
        monkeypatch.setattr(runner, "TICK", 0.005)
        monkeypatch.setattr(runner, "WATCH", 0.005)
        monkeypatch.setattr(base, "_STORE_RETRY", Backoff(0.005, 0.005))

    def cut_off(self) -> None:
        def fail(verb: str, name: str) -> None:
            self.refused += 1
            raise errors.StoreUnavailable("silence")

        self.store.fail = fail

    def comes_back(self) -> None:
        self.store.fail = lambda verb, name: None

    def kinds(self) -> list[str]:
        found = sorted(name for name in self.store.contents if "/log/" in name)
        return [str(json.loads(self.store.contents[name])["kind"]) for name in found]

    def session_runner(self) -> runner.SessionRunner:
        """Return a runner as a client makes it for a blind start."""

        async def tell(name: str, arguments: tuple[object, ...]) -> None:
            """Have no listener."""

        kept = runner.SessionRunner(self.auth, Settings(), self.browsers, tell, ())
        kept.ownership.validity = {ownership_deadline.LEASE: 60.0, ownership_deadline.LOG: 60.0}
        kept.ownership.answered(ownership_deadline.LEASE, self.clock)
        self.auth.setup(
            base.Context(
                owner=MINE,
                url="https://web.whatsapp.com/",
                browser_version=lambda: "156.0",
                blind=True,
                failed=self.failures.append,
                claimed=lambda time: kept.post(events.Claimed(time)),
            )
        )
        return kept


@pytest.fixture
def scene(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


async def until(predicate: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not predicate():
        assert time.monotonic() < deadline, f"waited in vain for {what()}"
        await asyncio.sleep(0.005)


async def launched(kept: runner.SessionRunner) -> None:
    """Wait until it has heard that its browser runs: what is posted before that, the launch undoes."""
    await until(lambda: kept.state.browser.launched_at > 0.0, lambda: f"a launch; {kept.state}")


async def watched(scene: Scene, kept: runner.SessionRunner) -> None:
    """Wait until it has been asked several times whose the session is, and the answers have been judged."""
    watches = scene.auth.watches
    await until(lambda: scene.auth.watches >= watches + 5, lambda: f"watches; {kept.state}")
    beat = time.monotonic()
    await until(lambda: kept.beat > beat, lambda: f"a tick after them; {kept.state}")


@contextlib.asynccontextmanager
async def running(kept: runner.SessionRunner) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(kept.run())
    try:
        yield
    finally:
        kept.post(events.StopRequested())
        await task


async def test_a_store_that_was_not_asked_vouches_for_nobody(scene: Scene) -> None:
    kept = scene.session_runner()
    async with running(kept):
        await launched(kept)
        scene.clock = 1050.0
        await watched(scene, kept)
        assert scene.browsers.made[-1].deadlines[-1] == 1060.0, "the time of the restart, and not a second more"
        scene.clock = 1060.5
        await until(lambda: kept.state.session_state is SessionState.FROZEN, lambda: f"Frozen; {kept.state}")
        scene.comes_back()
        await until(lambda: kept.state.session_state is SessionState.LAUNCHING, lambda: f"a thaw; {kept.state}")
        assert scene.browsers.made[-1].deadlines[-1] == 1120.5
    assert scene.failures == []
    scene.journal.newest()
    assert [record.owner.pid for record in scene.journal.back(scene.journal.head)] == [7, 7, 5], "claim and release"


async def test_a_page_in_conflict_takes_over_only_when_the_log_has_said_whose_the_session_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflict, "ASKING", Backoff(0.005, 0.005))
    kept = scene.session_runner()
    async with running(kept):
        await launched(kept)
        kept.post(page_events.Changed(page_events.PageState(page_events.SocketState.CONFLICT, True, None, "2.3000")))
        await until(lambda: kept.state.session_state is SessionState.CONFLICT, lambda: f"Conflict; {kept.state}")
        await watched(scene, kept)
        assert kept.state.conflict.takeover_due == 0.0
        scene.comes_back()
        await until(lambda: kept.state.conflict.takeover_due > 0.0, lambda: f"a time to take over; {kept.state}")


async def test_a_logout_before_the_claim_is_buried_behind_it(scene: Scene) -> None:
    kept = scene.session_runner()
    async with running(kept):
        await launched(kept)
        kept.post(page_events.LoggedOut())
        await until(lambda: kept.state.login.logged_out, lambda: f"a logout; {kept.state}")
        scene.comes_back()
        await until(lambda: scene.kinds() == ["claim", "claim", "logout"], lambda: f"a tombstone; {scene.kinds()}")
    assert scene.failures == []


async def test_a_profile_that_lost_its_login_is_not_thrown_away_before_the_store_was_asked(scene: Scene) -> None:
    scene.session_runner()
    await scene.auth.before_browser()
    falling = asyncio.create_task(scene.auth.restore_previous())
    refused = scene.refused
    await until(lambda: scene.refused >= refused + 3, lambda: f"the store to be asked in vain; {scene.refused}")
    assert not falling.done()
    assert layout.read_marker(scene.auth.profile) == layout.Marker(SESSION, 1, "hash", 1, True, MINE.pod_uid)
    scene.comes_back()
    assert (await falling).known_hash == "", "the log knows no generation: now a link may be asked for"
    assert scene.kinds() == ["claim", "claim"]
    await scene.auth.clean_up()


async def test_a_login_that_cannot_be_set_aside_does_not_hold_the_end_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RETIRING_PATIENCE", 0.1)
    kept = scene.session_runner()
    began = time.monotonic()
    async with running(kept):
        await launched(kept)
        kept.post(page_events.LoggedOut())
        await until(lambda: kept.state.login.logged_out, lambda: f"a logout; {kept.state}")
        await until(lambda: kept._executor.lane.locked(), lambda: "the tombstone to be waited for")
    assert time.monotonic() - began < runner.CLOSE_PATIENCE / 3


async def test_a_login_that_is_given_up_is_set_aside_behind_a_save_although_the_worker_stops(scene: Scene) -> None:
    kept = scene.session_runner()
    scene.comes_back()
    async with running(kept):
        await until(lambda: scene.kinds() == ["claim", "claim"], lambda: f"a claim; {scene.kinds()}")
        async with kept._executor.lane:  # an upload that takes its time
            kept.post(page_events.LoggedOut())
            await until(lambda: kept._work.runs(Kind.RETIRING), lambda: "the tombstone to wait")
            kept.post(events.StopRequested())
            await until(lambda: kept.beat == 0.0, lambda: "the end to begin")
    assert scene.kinds() == ["claim", "claim", "logout", "release"]


@pytest.mark.parametrize("restarting", [False, True], ids=["runs", "is started again"])
async def test_a_superseded_worker_ends_its_browser_without_waiting_for_a_save(scene: Scene, restarting: bool) -> None:
    kept = scene.session_runner()
    task = asyncio.get_running_loop().create_task(kept.run())
    await launched(kept)
    async with kept._executor.lane:  # an upload that takes its time
        if restarting:
            for _ in range(2):  # the second time it pauses before it starts
                kept.post(events.BrowserGone(Reason.BROWSER_CRASHED, "gone"))
            await until(lambda: kept.state.browser.restarts == 2, lambda: f"the second start; {kept.state}")
        kept.post(events.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "another worker claimed the session"))
        assert (await asyncio.wait_for(task, 10)).reason is Reason.SUPERSEDED
        made = len(scene.browsers.made)
        assert not kept._work.runs(), "nothing is left that could start one later"
        await until(lambda: len(asyncio.all_tasks()) == 1, lambda: f"all to have ended; {asyncio.all_tasks()}")
        assert not scene.browsers.running
        assert len(scene.browsers.made) == made
