"""Keep sessions in a directory: a claim mounted into the pod, or a folder of a laptop.

``store`` has the primitives, ``wwebjs_copy`` the copy where the JavaScript stores look for it.
"""

from whatsapp_worker.stores.filesystem.store import FilesystemStore, filesystem_type, visibility_of

__all__ = ["FilesystemStore", "filesystem_type", "visibility_of"]
