"""The cache directory and the progress of builds in it."""

import dataclasses
import json
import subprocess
import time
from pathlib import Path

import pytest

from deploy.local import cache, progress


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"WSO_CACHE_DIR": "/w", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/w"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/whatsapp-session-operator"),
        ({"HOME": "/h"}, "/h/.cache/whatsapp-session-operator"),
    ],
)
def test_the_cache_is_where_the_environment_says(environ: dict[str, str], root: str) -> None:
    assert cache.locate(environ).root == Path(root)


def test_moving_a_byte_from_one_part_to_the_next_changes_the_digest() -> None:
    assert cache.digest([b"ab", b"c"]) != cache.digest([b"a", b"bc"])


def test_a_step_under_way_can_be_read_by_others_and_then_says_how_long_it_took(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    with progress.step(file, "building", 600):
        step = progress.read(file)
        assert step is not None
        assert step.took is None
        assert step.line(step.started + 65) == "building: 65 s so far, usually 10 min 0 s"
    done = progress.read(file)
    assert done is not None
    assert done.took is not None
    assert not done.failed


def test_a_step_that_fails_says_so(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    with pytest.raises(ValueError, match="no"), progress.step(file, "building", 1):
        raise ValueError("no")
    done = progress.read(file)
    assert done is not None
    assert "failed after" in done.line(time.time())


def test_a_step_whose_process_was_killed_is_not_under_way(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    step = progress.Step("building", 600, time.time(), gone.pid)
    (tmp_path / "progress.json").write_text(json.dumps(dataclasses.asdict(step)))
    assert progress.read(tmp_path / "progress.json") is None


def test_no_progress_is_read_from_a_torn_file(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"what": "bui')
    assert progress.read(tmp_path / "progress.json") is None
