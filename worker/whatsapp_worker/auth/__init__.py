"""Keep a login between two lives of the browser: NoAuth, LocalAuth, RemoteAuth, and the base class to extend."""

from whatsapp_worker.auth.base import Auth, Context
from whatsapp_worker.auth.local import LocalAuth
from whatsapp_worker.auth.none import NoAuth
from whatsapp_worker.auth.remote import RemoteAuth

__all__ = ["Auth", "Context", "LocalAuth", "NoAuth", "RemoteAuth"]
