"""A stop during the first sync of a new link: it waits for what makes a save possible, and for nothing else."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SaveTrigger, SessionState
from whatsapp_worker.core import actions, events, page_events


def syncing(account: page_events.Account | None = ALICE, *, saves: bool = True, keeps_profile: bool = False) -> Story:
    return (
        Story(replace(SETTINGS, saves=saves, keeps_profile=keeps_profile))
        .awaiting()
        .on(page_events.Changed(facts(S.CONNECTED, account)))
    )


def ended(story: Story) -> bool:
    return story.does(actions.Shutdown) and story.state.session_state is SessionState.STOPPING


@pytest.mark.parametrize("account", [ALICE, None], ids=["named", "unnamed"])
def test_a_stop_during_the_first_sync_waits_until_the_link_is_connected(account: page_events.Account | None) -> None:
    story = syncing(account).on(events.StopRequested(), events.Tick(), events.StopRequested(), after=5)
    assert (story.actions, story.state.session_state) == ([], SessionState.SYNCING)
    assert story.state.problem is not None
    assert "asked to stop during the first sync" in story.state.problem.message
    story.on(page_events.Progress(50), page_events.Synced(facts(S.CONNECTED, ALICE, True)))
    assert ended(story)
    assert "ready" in story.emitted
    assert actions.Save(SaveTrigger.FIRST_LINK) in story.actions
    assert story.state.problem is None
    story.on(events.SaveDone(SAVED))
    assert (story.emitted, story.state.saving.saved) == (["remote_session_saved"], SAVED)


def test_a_first_sync_that_outlasts_the_wait_ends_with_a_last_save() -> None:
    story = syncing().on(events.StopRequested()).on(events.StopRequested(final=True), after=45)
    assert ended(story)
    (shutdown,) = (action for action in story.actions if isinstance(action, actions.Shutdown))
    assert shutdown.save


def test_a_link_that_is_lost_while_a_stop_waits_for_it_ends_the_wait() -> None:
    assert ended(syncing().on(events.StopRequested()).on(page_events.LoggedOut()))


def test_a_browser_that_dies_while_a_stop_waits_is_started_again() -> None:
    story = syncing().on(events.StopRequested()).on(events.BrowserGone(Reason.BROWSER_CRASHED, "the browser ended"))
    assert story.does(actions.Recycle)
    assert not story.does(actions.Shutdown)


@pytest.mark.parametrize(
    "story",
    [
        Story().awaiting(),
        Story().connected(),
        Story().restored(),
        Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(page_events.Attached(facts(S.CONNECTED, ALICE))),
        syncing(saves=False),
        syncing(keeps_profile=True),
    ],
    ids=[
        "without a link",
        "connected",
        "restored",
        "a restored one that syncs",
        "a strategy that never saves",
        "a profile that stays",
    ],
)
def test_every_other_stop_ends_at_once(story: Story) -> None:
    assert ended(story.on(events.StopRequested()))
