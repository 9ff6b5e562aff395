"""Each test that a page names exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
EXISTING = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", path.read_text())}
FILES = {path.stem for path in TESTS.rglob("test_*.py")}


@pytest.mark.parametrize("page", ["tests/README.md", "deploy/docs/security.md"])
def test_each_test_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"(?<![\w/])(test_\w+)\b", (TESTS.parent / page).read_text()))
    assert len(named) > 25
    assert named - EXISTING - FILES == set()
