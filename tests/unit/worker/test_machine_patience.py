"""How long the machine waits for a page that stalls, and what it does then."""

from unit.worker.machine_story import ALICE, SAVED, S, Story, facts
from whatsapp_session.conditions import Reason, SessionState
from whatsapp_worker import actions as do
from whatsapp_worker import happenings
from whatsapp_worker.page import events as page


def test_a_page_that_loads_itself_again_is_not_connected_until_it_says_so() -> None:
    story = Story().connected().on(happenings.SaveDone(SAVED, True), page.Attached(facts(S.OPENING, ALICE)))
    assert story.model.state is SessionState.RECONNECTING
    assert story.model.proven, "a stop still saves"
    story.on(page.Changed(facts(S.CONNECTED, ALICE, True)))
    assert (story.model.state, story.emitted) == (SessionState.CONNECTED, ["change_state"])
    assert not story.does(do.Save)


def test_a_page_that_shows_something_else_is_loaded_again_whatever_the_session_was_doing() -> None:
    for story in (Story().connected(), Story().awaiting(), Story().connected().on(page.LoggedOut())):
        story.on(happenings.Unattended())
        assert story.model.state in (SessionState.RECONNECTING, SessionState.LAUNCHING)
        assert story.on(happenings.Tick(), after=2).actions == [do.Load()]
    story.on(page.Attached(facts(S.UNPAIRED)))
    assert story.model.link_deadline, "an unlinked browser waits no longer than its time"


def test_a_linked_page_that_whatsapp_has_changed_is_left_alone() -> None:
    story = Story().restored().on(page.ContractBroken(("X",), session=True), happenings.Unattended())
    story.on(happenings.Tick(), after=60)
    assert not story.does(do.Load)
    assert story.model.fault is not None
    assert story.model.fault.reason is Reason.PAGE_CONTRACT_BROKEN
