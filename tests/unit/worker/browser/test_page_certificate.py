"""A site whose certificate the browser refuses because of its dates."""

import pytest

from scenes.ports import free_port
from whatsapp_session import server_clock
from whatsapp_worker.browser import page_certificate


@pytest.mark.parametrize("direct", [True, False])
async def test_a_refusal_for_the_dates_names_the_clock(direct: bool) -> None:
    silent = f"https://127.0.0.1:{free_port()}/"
    said = await page_certificate.explained("net::ERR_CERT_DATE_INVALID", silent, direct=direct)
    assert said == f"net::ERR_CERT_DATE_INVALID; {server_clock.UNKNOWN}"


async def test_other_failures_are_told_as_they_are() -> None:
    said = await page_certificate.explained("net::ERR_CERT_AUTHORITY_INVALID", "https://127.0.0.1/", direct=True)
    assert said == "net::ERR_CERT_AUTHORITY_INVALID"
