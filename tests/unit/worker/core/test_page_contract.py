"""What a worker does when WhatsApp changes its page: name it, go on where it can, save nothing it does not know."""

from dataclasses import replace

import pytest

from scenes.worker.machine_story import ALICE, SAVED, SETTINGS, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker.core import actions, events, page_events

Need = page_events.Need


def broken(need: Need, certain: bool = True, name: str = "X.y") -> page_events.ContractBroken:
    return page_events.ContractBroken((f"{name} is a number",), need, certain)


def named(story: Story, name: str = "X.y") -> bool:
    problem = story.state.problem
    return problem is not None and problem.reason is Reason.PAGE_CONTRACT_BROKEN and name in problem.message


def test_what_a_session_can_do_without_is_named_while_nothing_else_is_wrong() -> None:
    story = Story().awaiting().on(broken(Need.NOTHING), page_events.Qr("2@two"))
    assert (named(story), story.emitted) == (True, ["qr"])
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)), events.SaveDone(SAVED))
    assert (named(story), story.state.session_state) == (True, SessionState.CONNECTED)
    since = story.state.problem
    story.on(page_events.Changed(facts(S.TIMEOUT, ALICE)), after=5)
    assert not named(story), "the lost connection comes first"
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)), after=5)
    assert story.state.problem == since, "the same report, of the same time"
    story.on(broken(Need.NOTHING, name="X.z"))
    assert named(story)
    assert named(story, "X.z")
    story.on(page_events.Attached(facts(S.CONNECTED, ALICE, True)))
    assert story.state.problem is None, "a page that was loaded again is whole until it says otherwise"


def test_what_only_a_link_needs_leaves_a_linked_session_connected() -> None:
    story = Story().restored().on(broken(Need.QR), broken(Need.CODE))
    assert (named(story), story.state.session_state) == (True, SessionState.CONNECTED)
    assert story.on(events.Tick(), after=60).does(actions.Save)


@pytest.mark.parametrize(("phone", "need"), [("", Need.QR), ("4915112345678", Need.CODE)])
def test_an_unlinked_worker_ends_only_without_the_kind_of_code_that_it_shows(phone: str, need: Need) -> None:
    settings = replace(SETTINGS, phone_number=phone)
    other = Need.QR if need is Need.CODE else Need.CODE
    story = Story(settings).launched().on(page_events.Attached(facts(S.UNPAIRED)), broken(other))
    assert (named(story), story.does(actions.Shutdown)) == (True, False)
    assert story.on(broken(need)).does(actions.Shutdown)


def test_what_is_only_absent_is_named_until_a_code_comes_and_the_page_is_loaded_again() -> None:
    story = Story().launched().on(page_events.Attached(facts(S.UNPAIRED)), broken(Need.QR, certain=False))
    story.on(events.Tick()).on(events.Tick(), after=30)
    assert (named(story), story.does(actions.Load), story.does(actions.Shutdown)) == (True, True, False)
    story.on(page_events.Attached(facts(S.UNPAIRED)))
    assert named(story)
    story.on(page_events.Qr("2@one"))
    assert story.state.problem is None


def test_a_new_link_whose_account_the_page_does_not_name_goes_on_and_is_not_saved() -> None:
    story = Story().awaiting().on(page_events.Changed(facts(S.CONNECTED)), broken(Need.SESSION))
    story.on(page_events.Synced(facts(S.CONNECTED, None, True)))
    assert (named(story), story.state.session_state) == (True, SessionState.SYNCING)
    assert not story.does(actions.Shutdown)
    assert not story.does(actions.Save)


def test_a_connected_page_that_no_longer_names_its_account_is_loaded_again_and_loses_nothing() -> None:
    story = Story().restored().on(events.SaveDone(SAVED), broken(Need.SESSION, certain=False))
    assert (named(story), story.state.session_state) == (True, SessionState.RECONNECTING)
    assert story.on(events.Tick()).actions == [actions.Load()]
    story.on(page_events.Attached(facts(S.CONNECTED, None, True)), events.Tick())
    assert story.state.session_state is SessionState.SYNCING, "not connected as anybody"
    assert story.state.login.hash == ALICE.hash
    story.on(events.Tick(), after=100)
    assert story.actions == [], "not loaded again at once"
    story.on(page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert (story.state.session_state, story.state.problem) == (SessionState.CONNECTED, None)


@pytest.mark.parametrize(
    ("word", "expected"), [("CONNECTED_V2", "CONNECTED"), ("unpaired-idle", "UNPAIRED_IDLE"), ("READY", None)]
)
@pytest.mark.parametrize("linked", [False, True])
def test_an_unknown_state_names_the_word_that_was_expected(word: str, expected: str | None, linked: bool) -> None:
    story = Story().restored() if linked else Story().launched()
    story.on(page_events.Changed(page_events.PageState(S.UNKNOWN, word=word)), page_events.Qr("2@one"))
    assert named(story, word)
    assert named(story, expected or ("CONNECTED" if linked else "UNPAIRED"))
    assert not story.does(actions.Shutdown)
    known = facts(S.CONNECTED, ALICE, True) if linked else facts(S.UNPAIRED)
    assert story.on(page_events.Changed(known), page_events.Qr("2@two")).state.problem is None


@pytest.mark.parametrize("late", [S.OPENING, S.CONNECTED, S.TIMEOUT])
def test_a_page_that_stays_after_a_logout_is_connected_by_no_detour(late: S) -> None:
    story = Story().connected().on(events.SaveDone(SAVED), page_events.LoggedOut())
    story.on(page_events.Changed(facts(late, ALICE)), page_events.Changed(facts(S.CONNECTED, ALICE, True)))
    assert story.state.session_state in (SessionState.LOGGED_OUT, SessionState.LAUNCHING)
    assert "ready" not in story.emitted
