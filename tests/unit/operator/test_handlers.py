"""What the operator logs of its libraries."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from whatsapp_operator import handlers


@pytest.fixture
def root() -> Iterator[logging.Handler]:
    """A handler of the root logger, to which the operator's filters are added."""
    handler = logging.NullHandler()
    others = logging.getLogger().handlers
    logging.getLogger().handlers = [handler]
    level = logging.getLogger("kopf").level
    yield handler
    logging.getLogger().handlers = others
    logging.getLogger("kopf").setLevel(level)


def test_a_watch_that_is_closed_late_leaves_no_traceback_in_the_log(root: logging.Handler) -> None:
    handlers.quiet()
    records: list[logging.LogRecord] = []
    root.handle = lambda record: bool(root.filter(record) and not records.append(record))  # type: ignore[method-assign]

    async def watch() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise ValueError("closed late")

    async def main() -> None:
        left = watch()
        await anext(left)
        main.left = left  # type: ignore[attr-defined] # so that only the loop closes it

    asyncio.run(main())
    assert records == []
    logging.getLogger("asyncio").error("another error")
    assert [record.getMessage() for record in records] == ["another error"]
