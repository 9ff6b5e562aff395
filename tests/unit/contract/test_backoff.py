"""How long to wait after failures: never an error, never longer than the longest, whatever has been counted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_session.backoff import Backoff

COUNTS = st.one_of(
    st.integers(),
    st.sampled_from([-(10**400), -1, 0, 1, 1024, 1025, 1026, 2**31, 10**9, 2**63, 2**64, 10**400]),
)
SECONDS = st.floats(min_value=1e-6, max_value=1e9)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    first, longest = sorted((draw(SECONDS), draw(SECONDS)))
    return Backoff(first, longest, draw(st.floats(min_value=1.0, max_value=100.0)))


def test_a_pause_doubles_up_to_the_longest() -> None:
    assert [Backoff(2.0, 60.0).after(failures) for failures in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


def test_a_pause_grows_by_another_factor_if_one_is_given() -> None:
    assert [Backoff(1.0, 3.0, factor=1.5).after(failures) for failures in range(1, 5)] == [1.0, 1.5, 2.25, 3.0]


@given(backoffs(), COUNTS)
def test_any_count_of_failures_has_a_pause_within_its_bounds(backoff: Backoff, failures: int) -> None:
    pause = backoff.after(failures)
    assert isinstance(pause, float)
    assert backoff.first <= pause <= backoff.longest if failures > 0 else pause == 0.0


@given(backoffs(), COUNTS, COUNTS)
def test_more_failures_never_have_a_shorter_pause(backoff: Backoff, one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert backoff.after(fewer) <= backoff.after(more)


@pytest.mark.parametrize(
    ("first", "longest", "factor"),
    [(0.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (2.0, 1.0, 2.0), (1.0, math.inf, 2.0), (math.nan, 1.0, 2.0), (1.0, 2.0, 0.5)],
    ids=["zero", "negative", "longest below first", "endless", "not a number", "shrinking"],
)
def test_pauses_that_are_none_are_refused_where_they_are_written(first: float, longest: float, factor: float) -> None:
    with pytest.raises(ValueError, match="backoff"):
        Backoff(first, longest, factor)
