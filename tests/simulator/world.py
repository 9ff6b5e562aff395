"""Hold the server's state: phones, their linked devices, open connections; and collect what is to be sent."""

from __future__ import annotations

import collections
import dataclasses
import enum
import zlib

from simulator import frames, handshake, journal, knobs, linking, ratchet

MESSAGES_KEPT = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Send this object to the page behind a connection."""

    connection: int
    body: dict[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """Close a connection from the server's side."""

    connection: int


Effect = Send | Close


class Stage(enum.StrEnum):
    """Say what a connection is at."""

    GREETED = "greeted"  # challenged, nothing proven yet
    LINKING = "linking"
    PASSKEY = "passkey"
    ONLINE = "online"
    ENDED = "ended"  # refused or replaced; it gets nothing more


@dataclasses.dataclass(slots=True)
class Device:
    """Hold one linked device, and what was noticed about it."""

    id: str
    phone: str
    wid: str
    keys: handshake.PublicKeys
    linked_at: float
    seed: int
    ratchet: ratchet.Ratchet = dataclasses.field(default_factory=ratchet.Ratchet)
    removed: bool = False
    undecryptable: bool = False
    held_elsewhere: bool = False  # by a browser that exists only in the admin API
    logins: int = 0
    rollbacks: int = 0
    two_browsers: int = 0
    records: int = 0
    size: int = 0
    stepped_at: float = 0.0
    undelivered: collections.deque[tuple[int, dict[str, object]]] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=MESSAGES_KEPT)
    )


@dataclasses.dataclass(slots=True)
class Connection:
    """Hold one page's socket."""

    id: int
    nonce: str
    stage: Stage = Stage.GREETED
    run: str = ""
    keys: handshake.PublicKeys | None = None
    refs: tuple[linking.Ref, ...] = ()
    code: str | None = None
    code_number: str | None = None
    code_until: float = 0.0
    waiting: PendingLink | None = None
    login: PendingLogin | None = None
    device: str | None = None
    synced: bool = False
    page_state: str = "UNLAUNCHED"


@dataclasses.dataclass(frozen=True, slots=True)
class PendingLink:
    """Hold a scan that waits for the page's passkey."""

    phone: str
    proof: bytes
    platform: str


@dataclasses.dataclass(frozen=True, slots=True)
class PendingLogin:
    """Hold a login that the server answers at `due`."""

    hello: frames.LoginHello
    due: float


@dataclasses.dataclass(slots=True)
class Phone:
    """Hold one account."""

    name: str
    number: str
    pushname: str
    platform: str
    devices_ever: int = 0
    messages: collections.deque[dict[str, object]] = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=MESSAGES_KEPT)
    )

    @property
    def wid(self) -> str:
        """Return the account's id."""
        return f"{self.number}@c.us"


class World:
    """Hold everything; `entropy(n)` returns n random bytes."""

    def __init__(self, settings: knobs.Knobs, entropy: linking.Entropy) -> None:
        self.knobs = settings
        self.entropy = entropy
        self.journal = journal.Journal()
        self.network_up = True
        self._connections = 0
        self._messages = 0
        self._effects: list[Effect] = []
        self.forget()

    def forget(self) -> None:
        """Forget phones, devices, connections and counts; knobs and event numbers stay."""
        self.phones: dict[str, Phone] = {}
        self.devices: dict[str, Device] = {}
        self.connections: dict[int, Connection] = {}
        self.counts: collections.Counter[str] = collections.Counter()
        self.journal.clear()

    def phone(self, name: str) -> Phone:
        """Return the phone of this name; one that nobody described gets a number made from its name."""
        if name not in self.phones:
            digits = name if name.isdigit() and len(name) > 6 else f"4915{zlib.crc32(name.encode()):010d}"
            self.phones[name] = Phone(name, digits, name.capitalize(), "android")
        return self.phones[name]

    def phone_by_number(self, number: str) -> Phone | None:
        """Return the phone with this number, if there is one."""
        return next((phone for phone in self.phones.values() if phone.number == number), None)

    def new_connection(self) -> Connection:
        """Register a connection under a number that was never used before."""
        self._connections += 1
        connection = Connection(self._connections, self.entropy(24).hex())
        self.connections[connection.id] = connection
        return connection

    def next_message_id(self) -> str:
        """Return an id for a message that comes from a phone."""
        self._messages += 1
        return f"3EB0{self._messages:016X}"

    def online(self, device: str) -> Connection | None:
        """Return the connection that this device is logged in on."""
        for connection in self.connections.values():
            if connection.device == device and connection.stage is Stage.ONLINE:
                return connection
        return None

    def devices_of(self, phone: str) -> list[Device]:
        """Return the devices that this phone lists as linked."""
        return [device for device in self.devices.values() if device.phone == phone and not device.removed]

    def send(self, connection: Connection, kind: str, **fields: object) -> None:
        """Queue one object for the page."""
        self._effects.append(Send(connection.id, {"type": kind, **fields}))

    def close(self, connection: Connection) -> None:
        """Queue the end of a connection."""
        self._effects.append(Close(connection.id))

    def take_effects(self) -> list[Effect]:
        """Return what is to be sent, in order, and forget it."""
        effects, self._effects = self._effects, []
        return effects
