"""The tables of tests/README.md that name a test for each row."""

import pathlib
import re

TESTS = pathlib.Path(__file__).parents[2]


def test_every_test_that_the_tables_name_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (TESTS / "README.md").read_text()))
    defined = {
        name
        for path in (TESTS / "component").glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), flags=re.MULTILINE)
    }
    assert len(named) > 25
    assert named <= defined, named - defined
