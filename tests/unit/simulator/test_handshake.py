"""The login challenge, the ratchet, refs and QR codes: the simulator's parts that decide what a profile is worth."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from simulator import handshake, knobs, linking
from simulator.bare import BarePage
from simulator.handshake import Proof, PublicKeys, Verdict
from simulator.ratchet import Ratchet, Standing

NOISE, IDENTITY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
KEYS = PublicKeys(NOISE.public_key().public_bytes_raw(), IDENTITY.public_key().public_bytes_raw())
TEXT = handshake.signed_text("nonce", "4915:1", 7)


@pytest.mark.parametrize(
    ("keys", "proof", "verdict"),
    [
        pytest.param(KEYS, Proof(NOISE.sign(TEXT), IDENTITY.sign(TEXT)), Verdict.GOOD, id="both keys"),
        pytest.param(KEYS, Proof(NOISE.sign(TEXT), None), Verdict.HALF_KEYS, id="localStorage lost"),
        pytest.param(KEYS, Proof(None, IDENTITY.sign(TEXT)), Verdict.HALF_KEYS, id="IndexedDB lost"),
        pytest.param(None, Proof(NOISE.sign(TEXT), None), Verdict.HALF_KEYS, id="half, and unknown"),
        pytest.param(None, Proof(NOISE.sign(TEXT), IDENTITY.sign(TEXT)), Verdict.UNKNOWN_DEVICE, id="never linked"),
        pytest.param(KEYS, Proof(OTHER.sign(TEXT), IDENTITY.sign(TEXT)), Verdict.WRONG_KEYS, id="first key differs"),
        pytest.param(KEYS, Proof(NOISE.sign(TEXT), OTHER.sign(TEXT)), Verdict.WRONG_KEYS, id="second key differs"),
        pytest.param(KEYS, Proof(IDENTITY.sign(TEXT), NOISE.sign(TEXT)), Verdict.WRONG_KEYS, id="keys exchanged"),
        pytest.param(KEYS, Proof(NOISE.sign(b""), IDENTITY.sign(b"")), Verdict.WRONG_KEYS, id="another challenge"),
    ],
)
def test_a_login_is_judged_by_both_keys(keys: PublicKeys | None, proof: Proof, verdict: Verdict) -> None:
    assert handshake.judge(keys, proof, TEXT) is verdict


def test_a_signature_holds_for_one_challenge_device_and_step_only() -> None:
    texts = {handshake.signed_text(*parts) for parts in [("a", "1", 1), ("b", "1", 1), ("a", "2", 1), ("a", "1", 2)]}
    assert len(texts) == 4


@pytest.mark.parametrize(
    ("durable", "standing"),
    [
        pytest.param(4, Standing.ROLLED_BACK, id="older than what it acknowledged"),
        pytest.param(5, Standing.IN_STEP, id="what it acknowledged"),
        pytest.param(6, Standing.IN_STEP, id="written, but died before it could say so"),
        pytest.param(7, Standing.IN_STEP, id="all that was sent"),
        pytest.param(8, Standing.IMPOSSIBLE, id="more than was ever sent"),
    ],
)
def test_a_returning_counter_is_judged_by_what_was_acknowledged_and_sent(durable: int, standing: Standing) -> None:
    assert Ratchet(sent=7, acknowledged=5).standing(durable) is standing


@given(
    st.lists(
        st.sampled_from(["send", "write", "ack", "die"]),
        max_size=40,
    )
)
def test_a_page_that_acknowledges_only_what_it_wrote_is_never_taken_for_rolled_back(events: list[str]) -> None:
    ratchet, on_disk, told = Ratchet(), 0, 0
    for event in events:
        match event:
            case "send":
                ratchet = ratchet.stepped()
            case "write":
                on_disk = min(on_disk + 1, ratchet.sent)
            case "ack":
                told = on_disk
                ratchet = ratchet.acked(told)
            case _:
                assert ratchet.standing(on_disk) is Standing.IN_STEP
                ratchet = ratchet.resumed_at(on_disk)
    assert ratchet.acknowledged <= on_disk <= ratchet.sent


@given(st.integers(0, 20), st.integers(1, 20))
def test_a_profile_from_before_an_acknowledged_step_is_always_noticed(backed_up: int, steps: int) -> None:
    ratchet = Ratchet(backed_up, backed_up)
    for _ in range(steps):
        ratchet = ratchet.stepped()
        ratchet = ratchet.acked(ratchet.sent)
    assert ratchet.standing(backed_up) is Standing.ROLLED_BACK


def test_an_acknowledgement_of_what_was_never_sent_changes_nothing() -> None:
    assert Ratchet(3, 1).acked(9) == Ratchet(3, 1)
    assert Ratchet(3, 2).acked(1) == Ratchet(3, 2)


def test_the_first_ref_lives_a_minute_and_five_more_twenty_seconds_each() -> None:
    batch = linking.refs(bytes, knobs.Knobs(), 100.0)
    assert [(ref.shown_at, ref.expires_at) for ref in batch] == [
        (100, 160),
        (160, 180),
        (180, 200),
        (200, 220),
        (220, 240),
        (240, 260),
    ]


@pytest.mark.parametrize(("at", "fresh"), [(159.0, False), (159.8, True), (170.0, True), (180.2, True), (181.0, False)])
def test_a_ref_is_served_only_while_it_is_shown(at: float, fresh: bool) -> None:
    assert linking.is_fresh(linking.refs(bytes, knobs.Knobs(), 100.0)[1], at) is fresh


def test_a_phone_reads_from_a_qr_code_what_the_page_put_there() -> None:
    page = BarePage()
    read = linking.read_qr(page.qr("2@abc"))
    assert (read.ref, read.keys, read.secret, read.platform) == ("2@abc", page.keys, page.secret, "1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "5 parts"),
        ("2@ref,AA==,AA==,AA==", "5 parts"),
        (",".join(["", *BarePage().qr("x").split(",")[1:]]), "ref is empty"),
        ("2@ref,no base64!,AA==,AA==,1", "noise key is not base64"),
        ("2@ref,AA==,AA==,AA==,1", "noise key has 1 bytes"),
    ],
)
def test_what_is_no_qr_code_is_refused_with_the_part_that_is_wrong(text: str, why: str) -> None:
    with pytest.raises(linking.BadQrError, match=why):
        linking.read_qr(text)


def test_neither_a_secret_nor_a_key_shows_in_a_repr() -> None:
    page = BarePage()
    assert repr(page.secret) not in repr(linking.read_qr(page.qr("2@abc")))
