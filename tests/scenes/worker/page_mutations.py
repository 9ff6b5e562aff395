"""Each member of the page's contract, and each way in which it may not be what the contract says."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simulator.knobs import ContractBreak
from whatsapp_worker.browser.page import contract

K = ContractBreak
_VALUES = (K.MISSING, K.RENAMED, K.NUMBER, K.OBJECT, K.NULL, K.EMPTY, K.ASYNCHRONOUS)
_LATER = (*_VALUES[:-1], K.SYNCHRONOUS)
"""Of a function that returns a promise as it is."""
_ANSWERS = (K.GIVES_NUMBER, K.GIVES_OBJECT, K.GIVES_NULL, K.GIVES_EMPTY, K.THROWS, K.NEVER)
_OF_MANY = {
    "DEVICE_PLATFORM": "WAWebCompanionRegClientUtils",
    "waNoiseInfo": "WAWebUserPrefsInfoStore",
    "waSignalStore": "WAWebSignalStoreApi",
}
"""Which of several modules has a member."""
_DEEPER = {
    ("WAWebUserPrefsInfoStore", "waNoiseInfo.get"): (*_LATER, *_ANSWERS),
    ("WAWebSignalStoreApi", "waSignalStore.getRegistrationInfo"): (*_LATER, *_ANSWERS),
    ("WAWebUserPrefsInfoStore", "waNoiseInfo.get().staticKeyPair.pubKey"): _VALUES,
    ("WAWebSignalStoreApi", "waSignalStore.getRegistrationInfo().identityKeyPair.pubKey"): _VALUES,
    ("WAWebUserPrefsMeUser", "getMaybeMePnUser()._serialized"): _VALUES,
    ("WAWebSocketModel", "Socket.hasSynced"): _VALUES,
    ("WAWebConnModel", "Conn.ref"): _VALUES,
    ("window", "require"): (*_VALUES, *_ANSWERS),
    ("window", "Debug.VERSION"): _VALUES,
}
"""What the adapter reads besides the members of the table."""
_ALWAYS_WITHOUT_EFFECT = {
    ("Socket.on", None),  # what its events tell is looked at, too
    ("Cmd.on", None),
    ("Conn.on", None),
    ("Cmd.refreshQR", None),  # at idle only, and there it is named
    ("setPairingType", None),  # for a pairing code only
    ("initializeAltDeviceLinking", None),
    ("startAltLinkingFlow", None),
    ("getOfflineDeliveryProgress", None),  # while it syncs
    ("getMaybeMeLidUser", None),  # where there is no number
    ("Socket.logout", None),
    ("Socket.takeover", None),
    ("Socket.hasSynced", K.MISSING),  # the event says it as well
    ("Socket.hasSynced", K.RENAMED),
    ("Socket.hasSynced", K.NULL),
}
_WITHOUT_EFFECT = {
    False: {("serialize", None), ("getMaybeMePnUser", K.GIVES_NULL), ("getMaybeMePnUser()._serialized", "")},
    True: {
        ("waNoiseInfo", K.OBJECT),
        ("waSignalStore", K.OBJECT),
        ("waNoiseInfo.get", ""),
        ("waSignalStore.getRegistrationInfo", ""),
        ("encodeB64", None),
        ("getADVSecretKey", None),
        ("DEVICE_PLATFORM", ""),
        ("Conn.ref", ""),
    },
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One member that is not what the contract says; a module as a whole has no member."""

    module: str
    member: str
    how: ContractBreak

    @property
    def knob(self) -> Mapping[str, object]:
        return {"module": self.module, "member": self.member or None, "how": str(self.how)}

    @property
    def names(self) -> tuple[str, ...]:
        """What a report may name: what is asked of it shows first where it is not seen itself."""
        found = self.member.partition("()")[0].rpartition(".")[2] or self.module
        return (found, "WAWebSocketModel") if self.member == "require" else (found,)

    def is_named(self, message: str) -> bool:
        return any(name in message for name in self.names)

    def has_effect(self, *, linked: bool) -> bool:
        """Tell whether a session can notice it at all; answers of functions that it does not call, it cannot."""
        if (self.module, self.member, self.how) == ("WAWebAdvSignatureApi", "", K.OBJECT):
            return False  # as it is
        for member, how in _ALWAYS_WITHOUT_EFFECT | _WITHOUT_EFFECT[linked]:
            is_it = self.member == member or self.member.endswith(f".{member}")
            is_below = how == "" and self.member.startswith(f"{member}()")
            answers = self.how in _ANSWERS or self.how in (K.ASYNCHRONOUS, K.SYNCHRONOUS)
            if is_below or (is_it and (how in ("", self.how) or (how is None and answers))):
                return False
        return True


def every() -> Iterator[Mutation]:
    """Return all of them."""
    table = contract.load()["objects"]
    members = dict(_DEEPER)
    for entry in table.values():
        for member, kind in entry["members"].items():
            module = _OF_MANY.get(member, entry["modules"][0])
            path = ".".join(part for part in (entry["path"], member) if part)
            members[module, path] = (*_VALUES, *_ANSWERS) if kind == "function" else _VALUES
        for module in entry["modules"]:
            members[module, ""] = _VALUES
            if entry["path"]:
                members[module, entry["path"]] = _VALUES
    for (module, member), kinds in members.items():
        for how in kinds:
            yield Mutation(module, member, how)


def sample(chance: random.Random) -> list[Mutation]:
    """Return one mutation of each member, together of each kind."""
    left = list(every())
    chance.shuffle(left)
    chosen: dict[tuple[str, str], Mutation] = {}
    for how in ContractBreak:
        one = next(each for each in left if each.how is how and (each.module, each.member) not in chosen)
        chosen[one.module, one.member] = one
    for each in left:
        chosen.setdefault((each.module, each.member), each)
    return sorted(chosen.values(), key=str)
