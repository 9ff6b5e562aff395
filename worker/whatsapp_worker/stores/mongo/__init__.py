"""Keep sessions in a MongoDB database, or a server that speaks its protocol.

``server`` talks to it (credentials, time-outs, errors), ``store`` has the primitives, ``gridfs`` the copy where
wwebjs-mongo looks for it. The only user of pymongo.
"""

from whatsapp_worker.stores.mongo.store import MongoStore

__all__ = ["MongoStore"]
