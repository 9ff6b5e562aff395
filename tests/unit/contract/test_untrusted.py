"""What others wrote is read without a fault, whatever it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import json_samples
from whatsapp_session import untrusted

READERS: tuple[Any, ...] = (
    untrusted.mapping,
    untrusted.sequence,
    untrusted.mappings,
    untrusted.text,
    untrusted.text_or_none,
    untrusted.texts,
    untrusted.integer,
    untrusted.flag,
    untrusted.json_mapping,
)


@given(json_samples.ANYTHING)
def test_no_value_of_any_shape_raises(value: Any) -> None:
    for read in READERS:
        read(value)


@given(st.text(), st.integers(0, 100))
def test_text_is_printable_one_line_and_within_its_length(written: str, longest: int) -> None:
    found = untrusted.text(written, longest)
    assert len(found) <= longest
    assert len(f"{found}.".splitlines()) == 1
    assert untrusted.printable(found) == found
    assert found.encode().decode() == found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc\u2028d", "a b c d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("Zoë 👩\u200d🚒 עברית", "Zoë 👩\u200d🚒 עברית"),
    ],
    ids=["escape", "C1", "breaks", "right to left", "half a pair", "names of people"],
)
def test_what_steers_a_terminal_is_shown_as_what_it_is(written: str, shown: str) -> None:
    assert untrusted.printable(written) == shown


@pytest.mark.parametrize(
    "message",
    ["[" * 1200, '{"a":' * 1200, '{"n": ' + "9" * 5000 + "}", "[1, 2]", "NaN", '"text"', "", "{", '{"a": 1}x'],
    ids=["lists", "maps", "number", "list", "NaN", "text", "empty", "torn", "more"],
)
def test_json_that_is_no_object_is_an_empty_one(message: str) -> None:
    assert untrusted.json_mapping(message) == {}


def test_a_json_object_is_read() -> None:
    assert untrusted.json_mapping(json.dumps({"reason": "QRExpired"})) == {"reason": "QRExpired"}


@pytest.mark.parametrize(
    ("value", "read"), [(7, 7), (True, 0), (2**70, 2**31 - 1), (-(2**70), -(2**31)), ("7", 0), (7.5, 0)], ids=str
)
def test_an_integer_is_moved_into_its_range(value: Any, read: int) -> None:
    assert untrusted.integer(value) == read
