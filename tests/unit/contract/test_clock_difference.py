"""How far two clocks differ, in words: never raises, whatever a server says."""

import email.utils

import pytest

from whatsapp_session import clock_difference

NOW = 1_800_000_000.0


def date(moment: float) -> str:
    """Return a Date header."""
    return email.utils.formatdate(moment, usegmt=True)


@pytest.mark.parametrize(
    ("behind", "words"),
    [
        (26 * 3600.0, "26 hours behind the store's"),
        (-26 * 3600.0, "26 hours ahead of the store's"),
        (3 * 86400.0, "3 days behind the store's"),
        (-900.0, "15 minutes ahead of the store's"),
        (301.0, "5 minutes behind the store's"),
    ],
)
def test_a_difference_is_told_in_words(behind: float, words: str) -> None:
    assert clock_difference.explanation(date(NOW + behind), NOW, "the store's") == (
        f"the clock of this machine is {words}; set it"
    )


def test_a_bound_is_told_as_one() -> None:
    said = clock_difference.describe(3 * 86400.0, "the store's", at_least=True)
    assert "at least 3 days behind" in said


def test_a_small_difference_explains_nothing() -> None:
    assert clock_difference.explanation(date(NOW + 200), NOW, "the store's") is None


ODD = ["", "x" * 100, "Mon, 99 Foo 2026 99:99:99 GMT", "Sun, 29 Nov 99999 08:00:00 GMT", None, 7, b"x", "\udcff"]


@pytest.mark.parametrize("told", ODD, ids=repr)
def test_what_is_no_date_tells_nothing(told: object) -> None:
    assert clock_difference.behind(told, NOW) is None
    assert clock_difference.explanation(told, NOW, "the store's") is None


def test_a_date_without_a_zone_is_in_utc() -> None:
    assert clock_difference.seconds("Fri, 15 Jan 2027 08:00:00") == NOW
