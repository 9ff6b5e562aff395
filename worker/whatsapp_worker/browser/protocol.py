"""Say what the worker asks of a browser. `chromium` has the real one, the tests a fake; both pass one contract test.

Strategies and the runtime know these protocols only, so neither of them needs Playwright.
"""

import contextlib
import pathlib
from collections.abc import Callable
from typing import Any, Protocol

from whatsapp_worker.core import page_events


class RunningBrowser(Protocol):
    """What a strategy does with a browser that runs."""

    async def facts(self) -> page_events.PageState | None:
        """Ask the page for its state; None while no adapter listens there. Raises BrowserError."""

    async def call(self, name: str, *values: object) -> Any:
        """Call a function of the adapter; raises BrowserError when the page does not answer in time."""

    def frozen(self) -> contextlib.AbstractContextManager[None]:
        """Stop the processes that write the profile while the block runs. Blocks; raises SnapshotFailed."""

    async def close_page(self) -> None:
        """Close the page, which writes to disk within a moment what it has stored. Only `close` may follow."""

    async def close(self) -> bool:
        """Close cleanly, which writes everything to disk; kill what does not close. Tells whether it was clean."""


class Browser(RunningBrowser, Protocol):
    """One browser on one profile, as the runtime starts and ends it."""

    version: str
    """Known once it runs."""
    sandbox: str
    """What keeps its pages apart from this machine."""
    children: frozenset[int]
    """Processes that others wait for, so they are not to be reaped."""

    async def launch(self, user_data_dir: pathlib.Path) -> None:
        """Start on the profile, which no other browser may use; raises BrowserError."""

    def until(self, time: float) -> None:
        """Let the browser run until this time of the boot clock; past it, it stands still."""

    async def load(self) -> None:
        """Load the page; raises BrowserError when the site does not answer."""

    async def kill(self) -> None:
        """End the browser at once; safe to repeat."""


OnEvent = Callable[[page_events.PageEvent], None]
OnGone = Callable[[], None]
MakeBrowser = Callable[[OnEvent, OnGone], Browser]
"""Makes a browser that reports its page's events, and its own end if nobody asked for it."""
