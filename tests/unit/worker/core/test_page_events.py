"""What the page reports is read once, at the border; what no phone or save can use does not get in."""

import pytest

from scenes.worker.machine_story import S
from whatsapp_worker.core import page_events

CODE = "2@ref,bm9pc2U=,aWRlbnRpdHk=,c2VjcmV0,1"
FACTS = {"state": "CONNECTED", "synced": True, "version": "2.3000"}


def test_a_code_of_five_parts_is_one() -> None:
    assert page_events.parse({"kind": "qr", "code": CODE}) == page_events.Qr(CODE)


@pytest.mark.parametrize(
    "part",
    ["", "undefined", "null", "NaN", "[object Promise]", "[object Object]", "a,b"],
    ids=lambda part: part or "empty",
)
@pytest.mark.parametrize("place", range(5))
def test_a_code_of_which_a_part_is_none_is_a_broken_contract(place: int, part: str) -> None:
    parts = CODE.split(",")
    parts[place] = part
    event = page_events.parse({"kind": "qr", "code": ",".join(parts)})
    assert isinstance(event, page_events.ContractBroken)
    assert (event.need, event.certain) == (page_events.Need.QR, False)


@pytest.mark.parametrize("code", [None, 7, "", ["a", "b", "c", "d", "e"]])
def test_a_code_that_is_no_text_is_a_broken_contract(code: object) -> None:
    assert isinstance(page_events.parse({"kind": "qr", "code": code}), page_events.ContractBroken)


@pytest.mark.parametrize("found", ["", "***", None, 7, {}, "@c.us", "4915112345678@", "[object Promise]"])
def test_an_account_without_an_id_is_no_account(found: object) -> None:
    event = page_events.parse({"kind": "synced", **FACTS, "account": {"id": found, "pushname": "Alice"}})
    assert isinstance(event, page_events.Synced)
    assert event.facts.account is None


@pytest.mark.parametrize("account", ["alice", 7, ["a"], True])
def test_an_account_of_another_type_is_no_account(account: object) -> None:
    assert page_events.facts({**FACTS, "account": account}).account is None


def test_a_name_that_is_no_text_leaves_the_account_known() -> None:
    known = page_events.facts({**FACTS, "account": {"id": "4915112345678:3@c.us", "pushname": 7}}).account
    assert known == page_events.Account("4915112345678:3@c.us")


def test_a_state_keeps_the_pages_own_word() -> None:
    facts = page_events.facts({**FACTS, "state": "READY"})
    assert (facts.state, facts.word) == (S.UNKNOWN, "READY")


@pytest.mark.parametrize("raw", [{"kind": "progress", "percent": None}, {"kind": "contract"}, {"kind": "foreign"}, {}])
def test_a_report_that_lacks_its_parts_raises_nothing(raw: dict[str, object]) -> None:
    page_events.parse(raw)
