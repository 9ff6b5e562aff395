"""Look whether the port on which bots attach is free: Chromium runs on without it, and says nothing."""

import socket

from whatsapp_worker import errors


def require_free(port: int) -> None:
    """Raise BrowserError if another program listens on the port of the loopback; 0 stands for none."""
    if not port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise errors.BrowserError(
                f"the DevTools port {port} on 127.0.0.1 cannot be opened ({error.strerror}); "
                "stop the program that uses it, or choose another port"
            ) from None
