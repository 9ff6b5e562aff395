"""Encrypt archives before they leave the worker: AES-256-GCM in chunks, with bounded memory at any size.

Format, version 1::

    8 bytes   b"WSOENC1\\n"
    32 bytes  random salt
    chunks    each: 256 KiB of the archive (the last one: what is left, never nothing unless the archive is empty)
              as AES-256-GCM ciphertext with its tag of 16 bytes behind it

The chunks' key is HKDF-SHA256 of the user's key with the salt, so that it encrypts this one archive only and nonces may
simply count: 7 zero bytes, 4 bytes chunk number (big endian), 1 byte that is 1 for the last chunk. The associated data
are the magic, the salt and the archive's name. So a chunk that is left out, moved, repeated, taken from another archive
or session, and an archive that is cut at a chunk's border or goes on behind its last chunk, fail to decrypt.

The key's id, which stands in the generation's record, is 16 hexadecimal digits of HKDF-SHA256 of the key under a label
of its own: it tells keys apart and says nothing about them.
"""

import base64
import binascii
import pathlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whatsapp_worker import errors

MAGIC = b"WSOENC1\n"
SALT = 32
KEY = 32
CHUNK = 1 << 18
_TAG = 16
_MOST_CHUNKS = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the user's; its bytes never show."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name the key without telling it."""
        return _derive(self.secret, b"", b"whatsapp session archive: key id", 8).hex()


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that encrypts, and those that only decrypt."""

    newest: Key
    older: tuple[Key, ...] = ()

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, None if it is not there."""
        return next((key for key in (self.newest, *self.older) if key.id == key_id), None)


def load(path: pathlib.Path) -> Keys:
    """Read a key file: 32 raw bytes, or keys in base64, one a line, of which the first encrypts.

    Raises ConfigurationError with a sentence that holds nothing of the content.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise errors.ConfigurationError(
            f"the worker cannot read the encryption key from {path}: {error.strerror}"
        ) from error
    if len(content) == KEY:
        return Keys(Key(content))
    try:
        found = [base64.b64decode(line, validate=True) for line in content.split()]
    except (ValueError, binascii.Error):
        found = []
    if not found or any(len(key) != KEY for key in found):
        raise errors.ConfigurationError(
            f"the encryption key in {path} must be 32 bytes, raw or base64; try head -c 32 /dev/urandom | base64"
        )
    return Keys(Key(found[0]), tuple(Key(key) for key in found[1:]))


def seal(key: Key, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the encrypted form of ``content``, which is to be stored under ``name``."""
    salt = secrets.token_bytes(SALT)
    head = MAGIC + salt
    cipher, bound = AESGCM(_archive_key(key, salt)), head + name.encode()
    yield head
    for number, (chunk, last) in enumerate(_marked(_cut(content, CHUNK))):
        yield cipher.encrypt(_nonce(number, last), chunk, bound)


def unseal(key: Key, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what was sealed under ``name``; raises ArchiveDamaged at the first chunk that is not what was written.

    What was yielded before is authentic, but whole only when the iteration ends by itself.
    """
    pieces = _cut(content, CHUNK + _TAG, first=len(MAGIC) + SALT)
    head = next(pieces, b"")
    if len(head) != len(MAGIC) + SALT or not head.startswith(MAGIC):
        raise errors.ArchiveDamaged("the archive is not encrypted, although its record says so")
    cipher, bound = AESGCM(_archive_key(key, head[len(MAGIC) :])), head + name.encode()
    for number, (piece, last) in enumerate(_marked(pieces)):
        try:
            chunk = cipher.decrypt(_nonce(number, last), piece, bound)
        except (InvalidTag, ValueError):
            raise errors.ArchiveDamaged(
                f"chunk {number} of the encrypted archive is not what the worker saved"
            ) from None
        yield chunk


def _derive(secret: bytes, salt: bytes, label: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt or None, label).derive(secret)


def _archive_key(key: Key, salt: bytes) -> bytes:
    return _derive(key.secret, salt, b"whatsapp session archive: chunks", KEY)


def _nonce(number: int, last: bool) -> bytes:
    if number > _MOST_CHUNKS:
        raise errors.SnapshotFailed("the archive has more chunks than one key may encrypt")
    return bytes(7) + number.to_bytes(4, "big") + bytes([last])


def _cut(content: Iterable[bytes], size: int, first: int = 0) -> Iterator[bytes]:
    """Yield pieces of ``size`` bytes (the first of ``first``, if given), the last one shorter; never an empty one."""
    wanted, buffer = first or size, bytearray()
    for chunk in content:
        buffer += chunk
        while len(buffer) >= wanted:
            yield bytes(buffer[:wanted])
            del buffer[:wanted]
            wanted = size
    if buffer:
        yield bytes(buffer)


def _marked(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece with whether it is the last; one empty last piece if there is none."""
    before = next(pieces, b"")
    for piece in pieces:
        yield before, False
        before = piece
    yield before, True
