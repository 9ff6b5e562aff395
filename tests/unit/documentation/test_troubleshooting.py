"""The troubleshooting guide."""

import re
from pathlib import Path

from whatsapp_session.conditions import Reason

GUIDE = Path(__file__).parents[3] / "deploy" / "docs" / "troubleshooting.md"


def test_each_reason_has_exactly_one_entry() -> None:
    entries = re.findall(r"^\| `(\w+)` \|", GUIDE.read_text(), flags=re.MULTILINE)
    assert sorted(entries) == sorted(Reason)


def test_the_index_of_symptoms_names_reasons_that_exist() -> None:
    index = GUIDE.read_text().partition("## From symptom to reason")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", index))
    assert named
    assert named <= set(Reason)
