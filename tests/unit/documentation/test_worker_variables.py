"""The worker's variables that pages name."""

import pathlib
import re

from whatsapp_session import worker_config

ROOT = pathlib.Path(__file__).parents[3]


def test_each_variable_of_the_worker_that_a_page_names_is_a_setting() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "deploy/docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`WHATSAPP_(\w+?)(?:=\w+)?`", page.read_text())}
    assert named
    assert named <= {setting.variable for setting in worker_config.SETTINGS}
