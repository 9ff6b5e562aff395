"""Let a strategy save what a linked browser on its profile holds."""

from fakes.browser import FakeBrowsers
from scenes.worker import profile_maker
from scenes.worker.machine_story import S
from whatsapp_worker import auth
from whatsapp_worker.core import page_events
from whatsapp_worker.core.state import Saved
from whatsapp_worker.profile import layout


async def save(
    strategy: auth.Auth, account: page_events.Account, content: bytes, trigger: str = "Interval"
) -> Saved | None:
    """Save a profile whose blob begins with this content."""
    browser = FakeBrowsers(page_events.PageState(S.CONNECTED, True, account))(lambda event: None, lambda: None)
    await browser.launch(strategy.profile)
    if not (strategy.profile / layout.LEVELDB).exists():
        profile_maker.profile(strategy.profile)
    blob = profile_maker.blob(strategy.profile)
    before = blob.read_bytes()
    blob.unlink()  # a new file: what is written once is linked
    blob.write_bytes(content + before[len(content) :])
    return await strategy.save(browser, account, trigger)
