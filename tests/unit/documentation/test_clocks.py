"""Which modules read the wall clock: those that a page names, each with its reason, and no others."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
SOURCES = [path for root in ("operator", "worker") for path in sorted((ROOT / root).rglob("*.py"))]
WALL = re.compile(
    r"\btime\.(?:time|time_ns|localtime|gmtime|strftime|ctime|asctime)\b|\b(?:datetime|date)\.(?:now|utcnow|today)\b"
    r"|CLOCK_REALTIME|from time import"
)
SLEEP = re.compile(r"\btime\.sleep\b(?!`)")


def using(words: re.Pattern[str]) -> set[str]:
    """Return the modules whose code has the words."""
    return {path.relative_to(ROOT).as_posix().partition("/")[2] for path in SOURCES if words.search(path.read_text())}


def test_the_modules_that_read_the_wall_clock_are_those_of_the_table() -> None:
    section = (ROOT / "deploy/docs/architecture.md").read_text().partition("\n## Clocks\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([a-z_/0-9]+\.py)` \| \S", section, re.MULTILINE))
    assert named == using(WALL)


def test_no_part_of_a_worker_sleeps_by_a_time_of_a_clock() -> None:
    """See `steady_clock.pause`: where a library fakes the wall clock, `time.sleep` fails with EINVAL."""
    assert {path for path in using(SLEEP) if path.startswith("whatsapp_worker/")} == set()
