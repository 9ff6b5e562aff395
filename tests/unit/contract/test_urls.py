"""Each mistake in an address has a sentence of its own, which repeats nothing of the address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_session import urls

SCHEMES, EXAMPLE = ("http", "https"), "https://host.example.com"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "is empty"),
        ("https://hunter2 x", "holds blanks or line breaks"),
        ("https://hunter2\n", "holds blanks or line breaks"),
        ("hunter2:1", "has no scheme"),
        ("hunter2", "has no scheme"),
        ("ftp://hunter2", "must begin with http:// or https://"),
        ("https://u:hunter2#x@h", "percent-encoded"),
        ("https://u:hun/ter2@h", "percent-encoded"),
        ("https://[hunter2", "brackets"),
        ("https://", "names no host"),
        ("https://:443", "names no host"),
        ("https://u:hunter2@", "names no host"),
        ("https://h:70000", "a port from 1 to 65535"),
        ("https://h:0", "a port from 1 to 65535"),
        ("https://h:hunter2", "a port from 1 to 65535"),
        ("https://[::1]:x", "a port from 1 to 65535"),
    ],
)
def test_each_mistake_has_a_sentence_of_its_own(address: str, says: str) -> None:
    found = urls.fault(address, SCHEMES, EXAMPLE)
    assert found is not None
    assert says in found
    assert "hunter" not in found


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://h", "h"),
        ("HTTPS://h:65535/a?b#c", "h:65535"),
        ("https://[::1]:9000", "[::1]:9000"),
        ("https://u:p@h:1/x", "h:1"),
        ("https://h/?a=b@c", "h"),
        ("https://münchen.example", "münchen.example"),
    ],
)
def test_an_address_without_a_fault_has_a_host_to_show(address: str, host: str) -> None:
    assert urls.fault(address, SCHEMES, EXAMPLE) is None
    assert urls.host(address) == host


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for address in (text, f"https://{text}"):
        if urls.fault(address, SCHEMES, EXAMPLE) is None:
            assert urls.host(address)
