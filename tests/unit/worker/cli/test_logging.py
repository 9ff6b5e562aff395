"""A level of the log is of the worker's own words: its clients would tell requests, with tokens and bodies."""

import logging
from collections.abc import Iterator

import pytest

from whatsapp_worker.cli import run

CLIENTS = ["boto3", "botocore.endpoint", "urllib3", "s3transfer", "pymongo.command", "asyncio", "a.store.of.ones.own"]


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("whatsapp_worker")
    before = root.level, ours.level
    yield
    root.setLevel(before[0])
    ours.setLevel(before[1])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_the_level_of_the_log_is_the_workers_own(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's, because of which nothing would be configured
    run.log_at(level)
    number = logging.getLevelNamesMapping()[level.upper()]
    assert logging.getLogger("whatsapp_worker").getEffectiveLevel() == number
    for name in CLIENTS:
        assert logging.getLogger(name).getEffectiveLevel() == max(number, logging.WARNING), name
