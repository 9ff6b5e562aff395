"""Browsers without a process: they keep the contract of `browser.protocol`, and remember what was asked of them."""

import asyncio
import contextlib
import pathlib
from collections.abc import Iterator

from scenes.worker import profile_maker
from whatsapp_worker import errors
from whatsapp_worker.browser import protocol
from whatsapp_worker.core import page_events
from whatsapp_worker.profile import layout

Answer = page_events.PageState | Exception | None


class FakeBrowsers:
    """Make browsers as a client does. What they have in common is set here, before or while they run."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [None]
        """What the page says of itself each time it is asked, the last for ever; None: no adapter listens there."""
        self.made: list[FakeBrowser] = []
        self.most = 0
        """How many have run at the same time."""
        self.refuses: frozenset[str] = frozenset()
        """Calls that the page answers with an error."""
        self.closes_cleanly = True
        self.flush_overtakes = False
        """Whether what the page wrote last is lost unless the page has closed before the browser."""
        self.starting, self.may_start = asyncio.Event(), asyncio.Event()
        """Set when a browser is being started; it runs once ``may_start`` is set, as it is unless a test clears it."""
        self.may_start.set()

    def __call__(self, on_event: protocol.OnEvent, on_gone: protocol.OnGone) -> "FakeBrowser":
        made = FakeBrowser(self, on_event, on_gone)
        self.made.append(made)
        return made

    @property
    def running(self) -> "list[FakeBrowser]":
        return [each for each in self.made if each.runs]


class FakeBrowser:
    """One of them. Its page writes to localStorage what it is told to, so that a save finds it on disk."""

    sandbox, children = "namespaces", frozenset[int]()

    def __init__(self, all_: FakeBrowsers, on_event: protocol.OnEvent, on_gone: protocol.OnGone) -> None:
        self._all = all_
        self._on_event = on_event
        self._on_gone = on_gone
        self._profile = pathlib.Path()
        self._storage: dict[str, str] = {}
        self._has_page = False
        self.version = ""
        self.runs = False
        self.asked = 0
        self.calls: list[str] = []
        self.deadlines: list[float] = []
        self.freezes = 0

    async def launch(self, user_data_dir: pathlib.Path) -> None:
        self._has_page = True
        self.runs, self.version, self._profile = True, "156.0", user_data_dir
        self._all.most = max(self._all.most, len(self._all.running))
        self._all.starting.set()
        await self._all.may_start.wait()

    def until(self, time: float) -> None:
        self.deadlines.append(time)

    async def load(self) -> None:
        self._require()
        if isinstance(answer := self._all.answers[0], page_events.PageState):
            self._on_event(page_events.Attached(answer))

    async def facts(self) -> page_events.PageState | None:
        self._require()
        answer = self._all.answers[min(self.asked, len(self._all.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call(self, name: str, *values: object) -> object:
        self._require()
        if not self._has_page:
            raise errors.BrowserError("the page is closed")
        self.calls.append(name)
        if name in self._all.refuses:
            raise errors.BrowserError("rate-overlimit")
        if name == "writeSentinel":
            key, value = values
            self._write(str(key), str(value))
        elif name == "removeSentinel":
            self._write(str(values[0]), None)
        return None

    def _write(self, key: str, value: str | None) -> None:
        self._storage.pop(key, None)
        if value is not None:
            self._storage[key] = value
        if not self._all.flush_overtakes:
            self._flush()

    def _flush(self) -> None:
        half = (profile_maker.storage_key("half"), b"\1login")
        rest = [(profile_maker.storage_key(key), b"\1" + text.encode()) for key, text in self._storage.items()]
        if not (self._profile / layout.LEVELDB).exists():
            profile_maker.profile(self._profile)
        profile_maker.database(self._profile / layout.LEVELDB, {5: b"local"}, [half, *rest])

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self._require()
        self.freezes += 1
        yield

    async def close_page(self) -> None:
        self._has_page = False
        self._flush()

    async def close(self) -> bool:
        clean, self.runs = self.runs and self._all.closes_cleanly, False
        return clean

    async def kill(self) -> None:
        self.runs = False

    def crash(self) -> None:
        """End as a browser does that was killed from outside."""
        self.runs = False
        self._on_gone()

    def _require(self) -> None:
        if not self.runs:
            raise errors.BrowserError("the browser is not running")
