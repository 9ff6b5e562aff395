"""Run one WhatsApp Web session: browser, page, profile, store, status.

Library: ``Client(RemoteAuth(store="file:DIR"))``; command: ``whatsapp-worker run``.
"""

TYPE_CHECKING = False  # as type checkers read it: importing typing takes longer than all else before the first line
if TYPE_CHECKING:
    from typing import Any

    from whatsapp_worker.auth import Auth, LocalAuth, NoAuth, RemoteAuth
    from whatsapp_worker.client import Client
    from whatsapp_worker.client_options import Options
    from whatsapp_worker.stores import Store
    from whatsapp_worker.stores.filesystem import FilesystemStore

__all__ = ["Auth", "Client", "FilesystemStore", "LocalAuth", "NoAuth", "Options", "RemoteAuth", "Store"]
_HOMES = {"Client": "client", "Options": "client_options", "Store": "stores", "FilesystemStore": "stores.filesystem"}


def __getattr__(name: str) -> "Any":
    # When it is asked for: the command must hear a signal before it has imported all this (``main``).
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'auth')}"), name)
