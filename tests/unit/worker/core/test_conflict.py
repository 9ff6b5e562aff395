"""What the machine decides when another browser has the login, or another worker the session."""

from dataclasses import replace

from scenes.worker.machine_story import ALICE, S, Story, facts
from whatsapp_session.conditions import ExitCode, Reason, SessionState
from whatsapp_worker.core import actions, conflict, events, page_events


def test_in_a_conflict_the_newest_claim_takes_the_session_back_and_nothing_is_deleted() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.CONFLICT, ALICE)))
    assert story.actions[-1] == actions.CheckOwnership()
    assert not story.does(actions.RetireLogin)
    story.on(events.StillOwner()).on(events.Tick(), after=conflict.TAKEOVER.first)
    assert story.actions == [actions.TakeOver()]
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert story.state.session_state is SessionState.CONNECTED


def test_a_repeated_conflict_is_answered_more_and_more_slowly() -> None:
    story, pauses = Story().connected(), []
    for _ in range(3):
        story.on(page_events.Changed(facts(S.CONFLICT, ALICE)), events.StillOwner())
        pauses.append(story.state.conflict.takeover_due - story.now)
        story.on(events.Tick(), after=pauses[-1])
        assert story.does(actions.TakeOver)
        story.state = replace(story.state, session_state=SessionState.RECONNECTING)
    assert pauses == [3, 6, 12]


def test_whose_a_session_in_conflict_is_is_asked_again_until_somebody_answers() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.CONFLICT, ALICE)))
    story.on(events.RetryingAfter(Reason.STORE_UNAVAILABLE, "no answer"))
    for pause in (10, 20, 40, 80, 160, 300, 300):
        story.on(events.Tick(), after=pause - 0.1)
        assert not story.does(actions.CheckOwnership)
        story.on(events.Tick(), after=0.1)
        assert story.actions == [actions.CheckOwnership()]


def test_an_answer_that_a_frozen_session_missed_is_asked_for_again() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.CONFLICT, ALICE)), events.OwnershipExpired())
    story.on(events.StillOwner(), events.OwnershipRenewed()).on(events.Tick(), after=30)
    assert story.actions == [actions.CheckOwnership()]


def test_a_session_that_the_page_did_not_take_back_is_taken_back_again() -> None:
    story = Story().connected().on(page_events.Changed(facts(S.CONFLICT, ALICE)), events.StillOwner())
    for _ in range(40):
        assert story.on(events.Tick(), after=300).actions == [actions.TakeOver()]
        assert story.on(events.Tick(), after=300).actions == [actions.CheckOwnership()]
        story.on(events.StillOwner())


def test_a_conflict_that_comes_back_before_the_first_sync_is_one_more() -> None:
    story = (
        Story()
        .awaiting()
        .on(page_events.Changed(facts(S.CONNECTED, ALICE)), page_events.Changed(facts(S.CONFLICT, ALICE)))
    )
    story.on(page_events.Changed(facts(S.OPENING, ALICE)))
    assert story.state.session_state is SessionState.RECONNECTING
    assert story.on(page_events.Changed(facts(S.CONFLICT, ALICE))).does(actions.CheckOwnership)


def test_a_worker_that_is_superseded_leaves_without_saving() -> None:
    story = Story().connected().on(events.Fatal(ExitCode.DONE, Reason.SUPERSEDED, "slot 9 was taken"))
    assert story.state.session_state is SessionState.SUPERSEDED
    assert story.actions == [actions.Shutdown(ExitCode.DONE, Reason.SUPERSEDED, "slot 9 was taken", save=False)]
