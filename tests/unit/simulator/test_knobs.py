"""Knobs and frames that the simulator does not know are refused."""

from __future__ import annotations

import pytest

from simulator import frames, knobs


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sync": 1}, "no knob 'sync'"),
        ({"sync_bytes": "much"}, "sync_bytes: 'much' is no int"),
        ({"sync_bytes": -1}, "sync_bytes"),
        ({"idle_qr": 1}, "idle_qr: 1 is no bool"),
        ({"rollback_policy": "forgive"}, "none of tolerate, undecryptable, logout"),
        ({"contract": [{"member": "Cmd"}]}, "contract: each entry"),
    ],
)
def test_a_knob_that_does_not_exist_or_fit_is_refused_by_name(changes: dict[str, object], why: str) -> None:
    with pytest.raises(knobs.BadKnobError, match=why):
        knobs.patched(knobs.Knobs(), changes)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"type": "dance"}', '{"type": "ack"}', '{"type": "ack", "step": true}', '{"type": "link"}']
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(frames.BadFrameError):
        frames.parse(text)
