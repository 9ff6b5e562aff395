"""Drive the worker's machine through stories, without a browser and without a clock."""

from whatsapp_worker.core import actions, events, machine, page_events
from whatsapp_worker.core.settings import Settings
from whatsapp_worker.core.state import Restored, Saved, State

ALICE = page_events.Account("4915112345678:3@c.us", "Alice", "android")


BOB = page_events.Account("4917087654321@c.us", "Bob", "iphone")


SETTINGS = Settings(interval=300, linking_timeout=1800, strict=True)


S = page_events.SocketState


def facts(state: S, account: page_events.Account | None = None, synced: bool = False) -> page_events.PageState:
    return page_events.PageState(state, synced, account, "2.3000")


class Story:
    """Drive a machine through events and remember its actions."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.state = State()
        self.now = 1000.0
        self.actions: list[actions.Action] = []

    def on(self, *events: events.Event, after: float = 0.0) -> "Story":
        self.actions = []
        for event in events:
            self.now += after
            self.state, actions = machine.step(self.settings, self.state, event, self.now)
            self.actions += actions
        return self

    def launched(self, prepared: events.ProfileReady | None = None) -> "Story":
        return self.on(events.Claimed(), prepared or events.ProfileReady(), events.Launched("156.0"))

    def awaiting(self) -> "Story":
        return self.launched().on(page_events.Attached(facts(S.UNPAIRED)), page_events.Qr("2@one"))

    def connected(self) -> "Story":
        return self.awaiting().on(
            page_events.Changed(facts(S.CONNECTED, ALICE)), page_events.Synced(facts(S.CONNECTED, ALICE, True))
        )

    def restored(self) -> "Story":
        prepared = events.ProfileReady(ALICE.hash, SAVED, Restored(4, 900.0))
        return self.launched(prepared).on(page_events.Attached(facts(S.CONNECTED, ALICE, True)))

    @property
    def emitted(self) -> list[str]:
        return [action.name for action in self.actions if isinstance(action, actions.Emit)]

    def does(self, kind: type[actions.Action]) -> bool:
        return any(isinstance(action, kind) for action in self.actions)


SAVED = Saved(4, 800.0, 1000, "digest", "Interval")
