"""Wait until the operator is asked to stop: by a signal, or by another thread."""

import asyncio
import threading
from contextlib import suppress

from whatsapp_session.early_stop import SIGNALS


class Stop:
    """A request to stop the operator, which any thread may make."""

    def __init__(self) -> None:
        self._asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def set(self) -> None:
        """Ask the operator to stop."""
        self._asked = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    async def wait(self) -> None:
        """Wait for the request; from now on a signal is one."""
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._loop.add_signal_handler(number, self._wake.set)
        if not self._asked:
            await self._wake.wait()
