"""Drive the worker's machine through stories, without a browser and without a clock."""

from whatsapp_worker import actions as do
from whatsapp_worker import happenings, machine
from whatsapp_worker import model as m
from whatsapp_worker.page import events as page

ALICE = page.Account("4915112345678:3@c.us", "Alice", "android")


BOB = page.Account("4917087654321@c.us", "Bob", "iphone")


SETTINGS = m.Settings(interval=300, linking_timeout=1800)


S = page.SocketState


def facts(state: S, account: page.Account | None = None, synced: bool = False) -> page.Facts:
    return page.Facts(state, synced, account, "2.3000")


class Story:
    """Drive a machine through events and remember its actions."""

    def __init__(self, settings: m.Settings = SETTINGS) -> None:
        self.settings = settings
        self.model = m.Model()
        self.now = 1000.0
        self.actions: list[do.Action] = []

    def on(self, *events: happenings.Event, after: float = 0.0) -> "Story":
        self.actions = []
        for event in events:
            self.now += after
            self.model, actions = machine.step(self.settings, self.model, event, self.now)
            self.actions += actions
        return self

    def launched(self, prepared: happenings.Prepared | None = None) -> "Story":
        return self.on(happenings.Claimed(), prepared or happenings.Prepared(), happenings.Launched("156.0"))

    def awaiting(self) -> "Story":
        return self.launched().on(page.Attached(facts(S.UNPAIRED)), page.Qr("2@one"))

    def connected(self) -> "Story":
        return self.awaiting().on(page.Changed(facts(S.CONNECTED, ALICE)), page.Synced(facts(S.CONNECTED, ALICE, True)))

    def restored(self) -> "Story":
        prepared = happenings.Prepared(ALICE.hash, SAVED, m.Restored(4, 900.0))
        return self.launched(prepared).on(page.Attached(facts(S.CONNECTED, ALICE, True)))

    @property
    def emitted(self) -> list[str]:
        return [action.name for action in self.actions if isinstance(action, do.Emit)]

    def does(self, kind: type[do.Action]) -> bool:
        return any(isinstance(action, kind) for action in self.actions)


SAVED = m.Saved(4, 800.0, 1000, "digest", "Interval")
