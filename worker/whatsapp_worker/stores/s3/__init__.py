"""Keep sessions in an S3 bucket: AWS, or a server that speaks its protocol and honours conditional writes.

``address`` reads addresses, ``requests`` talks to the server (credentials, time-outs, errors), ``upload`` and
``download`` move in parts, ``store`` has the primitives. The only user of boto3.
"""

from whatsapp_worker.stores.s3.address import Place, parse
from whatsapp_worker.stores.s3.store import S3Store

__all__ = ["Place", "S3Store", "parse"]
