"""Encrypted archives: what was sealed comes back, and nothing else does."""

import base64
import os
import pathlib
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.worker.archives import KEY, Place
from whatsapp_worker import errors
from whatsapp_worker.profile import encryption

OTHER = encryption.Key(bytes(32))
NAME = "RemoteAuth/archives/00000001-a.zip"
PIECE = encryption.CHUNK + 16
HEAD = 40


def sealed(content: bytes, name: str = NAME) -> bytes:
    return b"".join(encryption.seal(KEY, name, [content]))


def opened(content: bytes, name: str = NAME, key: encryption.Key = KEY) -> bytes:
    return b"".join(encryption.unseal(key, name, [content]))


@pytest.mark.parametrize("size", [0, 1, PIECE - 16 - 1, PIECE - 16, PIECE - 16 + 1, 3 * (PIECE - 16)])
def test_what_was_sealed_is_unsealed(size: int) -> None:
    content = os.urandom(size)
    whole = sealed(content)
    assert opened(whole) == content
    assert content[:64] not in whole or size < 8


@given(st.lists(st.integers(1, 3 * PIECE), max_size=5))
def test_it_does_not_matter_how_the_stream_is_cut(cuts: list[int]) -> None:
    content = bytes(2 * encryption.CHUNK + 7)
    whole = sealed(content)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(whole[at : at + cut])
        at += cut
    assert b"".join(encryption.unseal(KEY, NAME, [*pieces, whole[at:]])) == content


def chunks(whole: bytes) -> list[bytes]:
    return [whole[at : at + PIECE] for at in range(HEAD, len(whole), PIECE)]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda head, one, two, three: head + one + two, id="the last chunk cut off"),
        pytest.param(lambda head, one, two, three: head + one, id="two chunks cut off"),
        pytest.param(lambda head, one, two, three: head, id="all chunks cut off"),
        pytest.param(lambda head, one, two, three: head[:-1], id="a cut head"),
        pytest.param(lambda head, one, two, three: b"", id="nothing"),
        pytest.param(lambda head, one, two, three: head + two + one + three, id="two chunks swapped"),
        pytest.param(lambda head, one, two, three: head + one + one + two + three, id="a chunk twice"),
        pytest.param(lambda head, one, two, three: head + one + three, id="a chunk left out"),
        pytest.param(lambda head, one, two, three: head + one + two + three + b"x", id="something behind"),
        pytest.param(lambda head, one, two, three: head + one + two + three[:-1], id="a cut last chunk"),
        pytest.param(lambda head, one, two, three: head + one + two + three + three, id="the last chunk twice"),
        pytest.param(
            lambda head, one, two, three: head[:-1] + bytes([head[-1] ^ 1]) + one + two + three, id="another salt"
        ),
    ],
)
def test_chunks_that_are_not_those_that_were_written_are_refused(harm: object) -> None:
    assert callable(harm)
    whole = sealed(os.urandom(2 * encryption.CHUNK + 7))
    with pytest.raises(errors.ArchiveDamaged):
        opened(harm(whole[:HEAD], *chunks(whole)))


def test_any_flipped_bit_is_found() -> None:
    whole = sealed(os.urandom(300))
    for at in range(len(whole)):
        with pytest.raises(errors.ArchiveDamaged):
            opened(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])


def test_chunks_of_another_archive_of_the_same_key_are_refused() -> None:
    first, second = sealed(bytes(2 * encryption.CHUNK)), sealed(bytes(2 * encryption.CHUNK))
    with pytest.raises(errors.ArchiveDamaged):
        opened(first[: HEAD + PIECE] + second[HEAD + PIECE :])


def test_an_archive_under_another_name_is_refused() -> None:
    with pytest.raises(errors.ArchiveDamaged):
        opened(sealed(b"login"), "RemoteAuth-mallory/archives/00000001-a.zip")


def test_the_same_archive_is_never_encrypted_twice_the_same() -> None:
    assert sealed(b"login") != sealed(b"login")


def test_the_keys_id_tells_keys_apart_and_no_repr_shows_a_key() -> None:
    assert KEY.id != OTHER.id
    assert len(KEY.id) == 16
    assert "secret" not in repr(encryption.Keys(KEY, (OTHER,)))


def test_memory_is_bounded_at_any_size() -> None:
    def endless(chunks: int) -> Iterator[bytes]:
        for _ in range(chunks):
            yield bytes(1 << 18)

    tracemalloc.start()
    for _ in encryption.unseal(KEY, NAME, encryption.seal(KEY, NAME, endless(256))):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20, f"{peak >> 20} MiB"


@pytest.mark.parametrize(
    ("content", "older"),
    [
        pytest.param(bytes(range(32)), 0, id="raw"),
        pytest.param(base64.b64encode(bytes(range(32))), 0, id="base64"),
        pytest.param(base64.b64encode(bytes(range(32))) + b"\n" + base64.b64encode(bytes(32)) + b"\n", 1, id="two"),
    ],
)
def test_a_key_file_is_raw_or_base64_and_may_hold_older_keys(
    tmp_path: pathlib.Path, content: bytes, older: int
) -> None:
    (tmp_path / "key").write_bytes(content)
    keys = encryption.load(tmp_path / "key")
    assert keys.newest == KEY
    assert keys.find(OTHER.id) == (OTHER if older else None)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33, base64.b64encode(bytes(16)), b"\xff" * 40])
def test_a_wrong_key_file_is_refused_without_showing_it(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match="must be 32 bytes") as raised:
        encryption.load(tmp_path / "key")
    assert content.decode(errors="replace") not in str(raised.value) or not content
    with pytest.raises(errors.ConfigurationError, match="cannot read"):
        encryption.load(tmp_path / "none")


def test_an_encrypted_generation_is_restored_with_its_key_and_names_it(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path, keys=encryption.Keys(KEY))
    generation = place.publish().generation
    assert generation.key_id == KEY.id
    assert b"indexed" not in place.store.contents[generation.archive]
    place.kept.fetch(generation, tmp_path / "fresh")
    assert (tmp_path / "fresh" / "Default").is_dir()


@pytest.mark.parametrize(
    ("keys", "said"),
    [(None, "no encryption key is set"), (encryption.Keys(OTHER), f"the encryption key set is {OTHER.id}")],
)
def test_a_missing_or_wrong_key_is_said_and_no_older_generation_is_tried(
    tmp_path: pathlib.Path, keys: encryption.Keys | None, said: str
) -> None:
    place = Place(tmp_path, keys=encryption.Keys(KEY))
    generation = place.publish().generation
    place.use(keys)
    with pytest.raises(errors.KeyMissing, match=said):
        place.kept.fetch(generation, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_a_key_that_was_replaced_still_opens_what_it_has_sealed(tmp_path: pathlib.Path) -> None:
    place = Place(tmp_path, keys=encryption.Keys(KEY))
    generation = place.publish().generation
    place.use(encryption.Keys(OTHER, (KEY,)))
    place.kept.fetch(generation, tmp_path / "fresh")
    assert place.publish().generation.key_id == OTHER.id
