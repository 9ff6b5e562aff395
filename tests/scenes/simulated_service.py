"""The simulator's core joined to pages without a browser, under a clock that the test moves."""

from __future__ import annotations

import json
import random

from simulator import frames, knobs, page_side, phone_side
from simulator.bare import BarePage, Disk, Words
from simulator.world import Close, Device, Send, World


class Service:
    """Join the core to bare pages; the clock is a number that the test moves."""

    def __init__(self, **settings: object) -> None:
        chance = random.Random(7)
        self.world = World(knobs.patched(knobs.Knobs(), settings), chance.randbytes)
        self.now = 1000.0
        self.pages: dict[int, BarePage] = {}
        self.cut: list[int] = []

    def open(self, page: BarePage) -> int:
        number = page_side.opened(self.world, self.now)
        self.pages[number] = page
        self.settle()
        return number

    def close(self, number: int) -> None:
        del self.pages[number]
        page_side.closed(self.world, number, self.now)

    def say(self, number: int, words: Words) -> None:
        page_side.received(self.world, number, frames.parse(json.dumps(words)), self.now)
        self.settle()

    def settle(self) -> None:
        while effects := self.world.take_effects():
            for effect in effects:
                match effect:
                    case Send(connection=number, body=body) if number in self.pages:
                        for words in self.pages[number].hear(body):
                            page_side.received(self.world, number, frames.parse(json.dumps(words)), self.now)
                    case Close(connection=number) if number in self.pages:
                        self.cut.append(number)
                        self.close(number)

    def linked(self, run: str = "first") -> tuple[BarePage, int, Device]:
        page = BarePage(run=run)
        number = self.open(page)
        device = phone_side.scan(self.world, "alice", page.qr(), self.now)
        self.settle()
        assert device is not None
        self.close(number)
        return page, self.open(page), device

    def kinds(self) -> list[str]:
        return [event.kind for event in self.world.journal.after(0)]


def returning(disk: Disk, run: str) -> BarePage:
    return BarePage(disk, run)
