"""Why a certificate is not valid at this machine's time, as far as its server tells."""

import email.utils
import ssl

import pytest

from scenes.ports import free_port
from whatsapp_session import server_clock

DAY = 86400.0
CERTIFICATE = {"notBefore": "Nov 28 08:00:00 2026 GMT", "notAfter": "Feb 26 08:00:00 2027 GMT"}
BEGINS, ENDS = (ssl.cert_time_to_seconds(CERTIFICATE[name]) for name in ("notBefore", "notAfter"))


def date(moment: float) -> str:
    """Return a Date header."""
    return email.utils.formatdate(moment, usegmt=True)


CASES = {
    "the clock is behind": (BEGINS - 3 * DAY, date(BEGINS + DAY), "4 days behind the store's; set it"),
    "the clock is behind, the server is silent": (BEGINS - 3 * DAY, None, "at least 3 days behind the store's"),
    "the clock is ahead": (ENDS + 3 * DAY, date(ENDS - DAY), "4 days ahead of the store's; set it"),
    "one of both": (ENDS + 3 * DAY, None, "at 2027-02-26T08:00:00Z; renew it, unless the clock of this machine"),
    "the certificate has expired": (ENDS + 3 * DAY, date(ENDS + 3 * DAY), "at 2027-02-26T08:00:00Z; renew it"),
    "the certificate is too new": (BEGINS - DAY, date(BEGINS - DAY), "from 2026-11-28T08:00:00Z only; replace it"),
}


@pytest.mark.parametrize(("now", "told", "words"), CASES.values(), ids=CASES.keys())
def test_clock_and_certificate_are_told_apart(now: float, told: str | None, words: str) -> None:
    assert words in server_clock.explain(CERTIFICATE, told, now, "the store's")


def test_a_server_that_does_not_answer_leaves_the_question_open() -> None:
    silent = server_clock.Server("127.0.0.1", free_port(), "the store's")
    assert server_clock.explanation(silent) == server_clock.UNKNOWN


@pytest.mark.parametrize(
    ("words", "dated"),
    [
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid",
            True,
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", False),
    ],
)
def test_only_the_dates_of_a_certificate_are_a_matter_of_clocks(words: str, dated: bool) -> None:
    assert server_clock.refuses(OSError(words)) is dated
