"""The diagram of the worker's states: it is the table, and the page has today's."""

from deploy.docs import state_diagram
from whatsapp_session.conditions import SessionState
from whatsapp_worker.core.transitions import ALLOWED


def states(name: str) -> tuple[SessionState, ...]:
    """Return the states of a box, or the one of this name."""
    return state_diagram.BOXES[name] if name in state_diagram.BOXES else (SessionState(name),)


def test_the_arrows_of_the_diagram_are_the_table() -> None:
    drawn = [
        (before, after)
        for source, target in state_diagram.arrows()
        for before in states(source)
        for after in states(target)
    ]
    assert len(drawn) == len(set(drawn)), "each pair is drawn once"
    assert set(drawn) == {(before, after) for before, afters in ALLOWED.items() for after in afters}


def test_the_architecture_page_has_the_diagram_of_the_table() -> None:
    page = state_diagram.PAGE.read_text()
    assert state_diagram.drawn(page) == page, "run `make docs`"
