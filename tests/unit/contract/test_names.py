"""The contract's names."""

import pytest

from whatsapp_session import names


def test_the_longest_session_name_still_makes_a_dns_label() -> None:
    assert len(names.pod("s" * 60)) == 63


@pytest.mark.parametrize(
    ("client_id", "store", "local"),
    [("", "RemoteAuth", "session"), ("client-one", "RemoteAuth-client-one", "session-client-one")],
)
def test_the_guides_directory_names_are_kept(client_id: str, store: str, local: str) -> None:
    assert names.store_session(client_id) == store
    assert names.local_session(client_id) == local


@pytest.mark.parametrize("client_id", ["../x", "a/b", "a b", "ä", "a\n"])
def test_a_client_id_that_could_leave_its_folder_is_refused(client_id: str) -> None:
    with pytest.raises(ValueError, match="clientId"):
        names.store_session(client_id)
    with pytest.raises(ValueError, match="clientId"):
        names.local_session(client_id)


def test_an_unset_client_id_is_the_resources_name_and_an_empty_one_is_kept() -> None:
    assert names.client_id("support", None) == "support"
    assert names.client_id("support", "") == ""
