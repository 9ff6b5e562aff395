"""Wishes are carried out once, and not in another life."""

import pytest

from unit import operator_samples as samples
from whatsapp_operator import wishes
from whatsapp_operator.observed import Session
from whatsapp_session import names

EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


def wishing(handled: dict[str, str] | None = None, told: dict[str, str] | None = None, **asked: str) -> Session:
    """Return a session with wishes, some carried out."""
    status = samples.report("Connected", handledRequests=told or {}) | {"handledRequests": handled or {}}
    annotations = {names.wish_annotation(wish.replace("_", "-")): time for wish, time in asked.items()}
    return samples.session(status=status, annotations=annotations)


def test_a_wish_goes_to_the_worker_until_one_of_both_says_that_it_is_done() -> None:
    assert wishes.for_the_worker(wishing(save=LATE)) == {"save": LATE}
    assert wishes.for_the_worker(wishing(handled={"save": EARLY}, save=LATE)) == {"save": LATE}
    assert wishes.for_the_worker(wishing(handled={"save": LATE}, save=LATE)) == {}
    assert wishes.for_the_worker(wishing(told={"save": LATE}, save=LATE)) == {}


def test_a_restart_is_the_operators_own_affair() -> None:
    assert wishes.for_the_worker(wishing(restart=LATE)) == {}


@pytest.mark.parametrize("time", ["2025-12-31T23:59:59Z", "yesterday", ""], ids=["older", "no time", "empty"])
def test_what_is_older_than_the_resource_or_no_time_is_no_wish(time: str) -> None:
    session = wishing(relink=time, restart=time)
    assert wishes.for_the_worker(session) == {}
    assert wishes.restart(session) is None
    assert wishes.newest_start(session) is None


def test_a_restart_that_was_carried_out_stays_in_the_template_when_its_annotation_goes() -> None:
    assert wishes.restart(wishing(handled={"restart": EARLY})) == EARLY
    assert wishes.restart(wishing(handled={"restart": EARLY}, restart=LATE)) == LATE
    assert wishes.restart(wishing(handled={"restart": LATE}, restart=EARLY)) == LATE


def test_the_newest_wish_that_lets_a_session_start_counts() -> None:
    assert wishes.newest_start(wishing(restart=EARLY, takeover=LATE, save="2026-01-01T12:00:00Z")) == LATE


def test_handled_wishes_are_never_forgotten_or_set_back() -> None:
    session = wishing(handled={"save": LATE, "relink": EARLY}, told={"save": EARLY, "relink": LATE})
    assert wishes.handled(session, None, session.report) == {"save": LATE, "relink": LATE}
