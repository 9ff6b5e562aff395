"""Run one WhatsApp Web session: browser, page, profile, store, status.

Library: ``Client(RemoteAuth(store="file:DIR"))``; command: ``whatsapp-worker run``.
"""

from whatsapp_worker.auth import Auth, LocalAuth, NoAuth, RemoteAuth
from whatsapp_worker.client import Client, Options
from whatsapp_worker.stores import Store
from whatsapp_worker.stores.filesystem import FilesystemStore

__all__ = ["Auth", "Client", "FilesystemStore", "LocalAuth", "NoAuth", "Options", "RemoteAuth", "Store"]
