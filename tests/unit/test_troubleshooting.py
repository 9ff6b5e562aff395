"""The troubleshooting guide."""

import re
from pathlib import Path

from whatsapp_session.conditions import Reason

GUIDE = Path(__file__).parents[2] / "deploy" / "TROUBLESHOOTING.md"


def test_each_reason_has_exactly_one_entry() -> None:
    entries = re.findall(r"^\| `(\w+)` \|", GUIDE.read_text(), flags=re.MULTILINE)
    assert sorted(entries) == sorted(Reason)
