"""What the machine decides in an outage that lasts for days: it goes on trying, and ends nothing."""

from dataclasses import replace

from scenes.worker.machine_story import ALICE, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events

MINUTES_OF_A_DAY = 1500
"""More than 1,024: two to the power of 1,024 is more than a float holds."""


def test_a_linked_session_survives_a_store_that_is_silent_for_a_day() -> None:
    story = Story().connected()
    for _ in range(MINUTES_OF_A_DAY):
        story.on(events.SaveFailed(Reason.STORE_UNAVAILABLE, "silent"))
        assert story.state.session_state is SessionState.CONNECTED
        story.on(events.Tick(), after=60)
        assert story.does(actions.Save)
    story.on(events.SaveDone(SAVED))
    assert (story.state.saving.saved, story.state.problem, story.state.saving.overdue_since) == (SAVED, None, 0.0)


def test_a_linked_session_survives_a_site_that_is_away_for_a_day() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED))
    for _ in range(MINUTES_OF_A_DAY):
        story.on(events.LoadFailed("net::ERR_INTERNET_DISCONNECTED"))
        assert story.state.session_state in (SessionState.RECONNECTING, SessionState.LAUNCHING)
        story.on(events.Tick(), after=60)
        assert story.does(actions.Load) or story.does(actions.Recycle)
        assert not story.does(actions.Shutdown)


def test_a_session_that_waits_for_a_phone_asks_for_codes_for_more_than_a_day() -> None:
    story = Story(replace(SETTINGS, linking_timeout=10**9)).awaiting().on(page_events.Changed(facts(S.UNPAIRED_IDLE)))
    for _ in range(MINUTES_OF_A_DAY):
        assert story.on(events.Tick(), after=60).does(actions.RefreshQr)
