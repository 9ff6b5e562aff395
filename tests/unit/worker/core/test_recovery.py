"""How long the machine waits for a page that stalls, and what it does then."""

from scenes.worker.machine_story import ALICE, SAVED, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events, recovery


def test_a_page_that_loads_itself_again_is_not_connected_until_it_says_so() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), page_events.Attached(facts(S.OPENING, ALICE)))
    assert story.state.session_state is SessionState.RECONNECTING
    assert story.state.login.proven, "a stop still saves"
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert (story.state.session_state, story.emitted) == (SessionState.CONNECTED, ["change_state"])
    assert not story.does(actions.Save)


def test_a_page_that_shows_something_else_is_loaded_again_whatever_the_session_was_doing() -> None:
    for story in (Story().connected(), Story().awaiting(), Story().connected().on(page_events.LoggedOut())):
        story.on(events.AdapterMissing())
        assert story.state.session_state in (SessionState.RECONNECTING, SessionState.LAUNCHING)
        assert story.on(events.Tick(), after=2).actions == [actions.Load()]
    story.on(page_events.Attached(facts(S.UNPAIRED)))
    assert story.state.codes.deadline, "an unlinked browser waits no longer than its time"


def test_a_page_that_whatsapp_has_changed_under_a_session_is_looked_at_again_once_an_hour() -> None:
    story = Story().restored().on(events.SaveDone(SAVED))
    story.on(page_events.ContractBroken(("X is missing",), page_events.Need.SESSION), events.AdapterMissing())
    assert story.state.session_state is SessionState.RECONNECTING
    assert waits(story, recovery.LONGEST_PATIENCE)
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.PAGE_CONTRACT_BROKEN


def test_a_page_that_is_not_whole_yet_at_a_start_is_loaded_again() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED))
    story.on(page_events.ContractBroken(("X is missing",), page_events.Need.SESSION))
    assert waits(story, recovery.LAUNCH_PATIENCE.first)


def test_a_page_that_is_silent_while_it_syncs_is_loaded_again() -> None:
    story = Story().awaiting().on(page_events.Changed(facts(S.CONNECTED, ALICE)))
    story.on(events.Tick()).on(events.Tick(), after=recovery.SYNC_PATIENCE.first)
    assert story.actions == [actions.Load()]
    assert story.state.problem is not None
    assert story.state.problem.reason is Reason.SYNCING


def test_a_slow_sync_that_makes_progress_is_left_alone() -> None:
    story = Story().awaiting().on(page_events.Changed(facts(S.CONNECTED, ALICE)))
    for percent in range(0, 100, 10):
        story.on(page_events.Progress(percent), events.Tick(), after=100)
        assert not story.does(actions.Load)


def waits(story: Story, seconds: float) -> bool:
    """Tell whether nothing is done with the page for so long, and something right after it."""
    story.on(events.Tick()).on(events.Tick(), after=seconds - 0.1)
    waited = not story.does(actions.Load) and not story.does(actions.Recycle)
    story.on(events.Tick(), after=0.1)
    return waited and (story.does(actions.Load) or story.does(actions.Recycle))


def test_a_linked_page_that_was_served_and_never_attached_is_loaded_again() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(events.LoadFailed("x"))
    assert story.on(events.Tick(), after=2).actions == [actions.Load()]
    assert waits(story, recovery.RECONNECT_PATIENCE.first)
    assert story.actions == [actions.Load()]


def test_a_page_that_does_not_come_back_is_loaded_again_ever_more_seldom_and_now_and_then_its_browser_started() -> None:
    story, done = Story().connected().on(events.SaveDone(SAVED)), []
    for pause in (300, 600, 1200, 2400, 3600, 3600, 3600):
        story.on(page_events.Changed(facts(S.OPENING, ALICE)), page_events.Changed(facts(S.TIMEOUT, ALICE)))
        assert waits(story, pause), pause
        done += story.actions
        if story.does(actions.Recycle):
            story.on(events.Launched("156"), page_events.Attached(facts(S.OPENING, ALICE)))
            story.on(page_events.Changed(facts(S.TIMEOUT, ALICE)))
    again = actions.Recycle(gently=True)
    assert done == [actions.Load(), actions.Load(), again, actions.Load(), actions.Load(), again, actions.Load()]
    assert story.state.browser.restarts == 0, "not the browser's fault"
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)), page_events.Changed(facts(S.TIMEOUT, ALICE)))
    assert waits(story, 300)


def test_a_linked_start_whose_page_stays_opening_is_loaded_again_ever_more_seldom() -> None:
    story = Story().launched(events.ProfileReady(ALICE.hash, SAVED)).on(page_events.Attached(facts(S.OPENING, ALICE)))
    for pause in (90, 180, 360, 720):
        assert waits(story, pause), pause
        story.on(page_events.Attached(facts(S.OPENING, ALICE)))
    assert not story.does(actions.RetireLogin)


def test_a_page_that_does_not_come_back_is_left_alone_while_a_save_is_under_way() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.TIMEOUT, ALICE)))
    assert story.state.saving.running
    assert not waits(story, 300)
    story.on(events.SaveDone(SAVED))
    assert waits(story, 300)


def test_a_lost_network_that_comes_back_in_time_costs_no_load() -> None:
    story = Story().connected().on(events.SaveDone(SAVED), page_events.Changed(facts(S.TIMEOUT, ALICE)))
    story.on(events.Tick()).on(events.Tick(), after=299).on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    story.on(events.Tick(), after=10)
    assert not story.does(actions.Load)


def test_a_page_that_says_nothing_after_a_logout_is_loaded_again() -> None:
    assert waits(Story().connected().on(page_events.LoggedOut()), recovery.LOGOUT_PATIENCE.first)


def test_a_browser_in_which_no_load_succeeds_is_started_again_ever_more_seldom() -> None:
    for prepared in (events.ProfileReady(), events.ProfileReady(ALICE.hash, SAVED)):
        story, done = Story().launched(prepared), []
        end = story.now + 12 * 3600
        while story.now < end:
            story.on(events.LoadFailed("timed out"), after=60)
            for _ in range(130):  # until the next load, whose end is told a minute later
                story.on(events.Tick(), after=0.5)
                done += [(story.state.loading.failures, type(action)) for action in story.actions]
                if story.does(actions.Load) or story.does(actions.Recycle):
                    break
            if story.does(actions.Recycle):
                story.on(events.Launched("156"))
        starts = [failures for failures, kind in done if kind is actions.Recycle]
        assert starts[:3] == [8, 16, 32]
        assert len(starts) < 10, "a lost network is no reason for a storm"
        assert story.state.browser.restarts == 0


def test_a_failing_load_starts_no_browser_under_a_save() -> None:
    story = Story().connected()
    assert story.state.saving.running
    for _ in range(recovery.FAILURES_BEFORE_A_START):
        story.on(events.AdapterMissing()).on(events.Tick(), after=61)
        assert story.actions == [actions.Load()]


def test_an_unlinked_page_that_shows_no_code_is_loaded_again_and_says_so() -> None:
    story = Story().launched().on(page_events.Attached(facts(S.UNPAIRED)))
    assert waits(story, recovery.CODE_PATIENCE.first)
    assert story.state.problem is not None
    assert "showed no code for 30 s" in story.state.problem.message
    story.on(page_events.Attached(facts(S.UNPAIRED)), page_events.Qr("2@new"))
    assert story.state.problem is None


def test_a_page_that_renews_its_codes_is_not_loaded_again() -> None:
    story = Story().launched().on(page_events.Attached(facts(S.UNPAIRED)))
    for number in range(20):
        story.on(page_events.Qr(f"2@{number}"))
        for seconds in (61, 15):
            story.on(events.Tick(), after=seconds)
            assert not story.does(actions.Load)
