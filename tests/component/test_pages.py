"""What becomes of a session whose page is loaded again, or shows something else, without the worker's doing."""

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright

from component.test_strategies import free_port
from component.workers import Home, wait


@contextlib.contextmanager
def page_of(port: int) -> Iterator[Page]:
    """Attach to a worker's page as a bot does."""
    with sync_playwright() as driver:
        bot = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        (page,) = bot.contexts[0].pages
        yield page
        bot.close()


def test_a_reload_at_the_address_that_follows_a_logout_does_not_bury_the_new_link(home: Home) -> None:
    port = free_port()
    worker, device = home.linked("--cdp-port", str(port))
    mark = worker.mark
    home.simulator.admin.logout(device)
    second = home.link(worker, after=mark)
    worker.wait("saved", mark, trigger="FirstLink")
    kinds, mark = home.kinds(), worker.mark
    with page_of(port) as page:
        assert "post_logout=1" in page.url
        page.reload()
        worker.wait("state", mark, state="Connected")
    assert not worker.all("disconnected", mark, reason="LOGOUT")
    assert home.kinds() == kinds, "no tombstone"
    mark = worker.mark
    home.simulator.admin.logout(second)
    worker.wait("disconnected", mark, reason="LOGOUT")
    wait(lambda: home.kinds().count("logout") == 2, "the tombstone of a true logout at that address")
