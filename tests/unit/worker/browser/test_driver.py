"""A driver that is started early belongs to the first browser, and to nobody if none comes."""

import asyncio

import pytest

from whatsapp_worker.browser import driver


class FakeDriver:
    """Counts how often it was stopped."""

    def __init__(self) -> None:
        self.stops = 0

    async def stop(self) -> None:
        self.stops += 1


class Starts:
    """Starts of drivers, each of which goes on when it is let."""

    def __init__(self) -> None:
        self.made: list[FakeDriver] = []
        self.let = asyncio.Event()

    async def __call__(self) -> FakeDriver:
        self.made.append(FakeDriver())
        await self.let.wait()
        return self.made[-1]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    made = Starts()
    made.let.set()
    monkeypatch.setattr(driver, "_started", made)
    return made


async def test_the_first_browser_takes_the_early_driver_and_the_next_a_new_one(starts: Starts) -> None:
    early = driver.EarlyDriver()
    early.begin(None)
    first, second = await early.take(), await early.take()
    assert [first, second] == starts.made
    await early.end()
    assert [made.stops for made in starts.made] == [0, 0], "they are the browsers' to stop"


async def test_an_early_driver_that_no_browser_took_is_stopped_once(starts: Starts) -> None:
    early = driver.EarlyDriver()
    early.begin(None)
    await early.end()
    await early.end()
    assert [made.stops for made in starts.made] == [1]


async def test_a_start_that_is_cut_off_is_ended_and_leaves_no_driver(starts: Starts) -> None:
    starts.let.clear()
    taking = asyncio.ensure_future(driver.EarlyDriver().take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    taking.cancel()
    starts.let.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert [made.stops for made in starts.made] == [1]
