"""Write small LevelDBs and profiles by hand, in the formats that the worker reads."""

import pathlib
import struct

from whatsapp_worker.profile import layout, leveldb

ORIGIN = "https_web.whatsapp.com_0.indexeddb.leveldb"
Change = tuple[bytes, bytes | None]


def varint(number: int) -> bytes:
    text = bytearray()
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*text, number])


def sliced(text: bytes) -> bytes:
    return varint(len(text)) + text


def log_file(records: list[bytes]) -> bytes:
    """Return a log file: records split into fragments at the borders of 32 KiB blocks."""
    data = bytearray()
    for record in records:
        rest, first = record, True
        while True:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                left = 32768
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            data += struct.pack("<IHB", leveldb.masked_crc32c(bytes([kind]) + part), len(part), kind) + part
            first = False
            if not rest:
                break
    return bytes(data)


def batch(sequence: int, changes: list[Change]) -> bytes:
    text = struct.pack("<QI", sequence, len(changes))
    for key, value in changes:
        text += (b"\0" + sliced(key)) if value is None else (b"\1" + sliced(key) + sliced(value))
    return text


def table(content: bytes) -> bytes:
    return content + bytes(40) + (0xDB4775248B80FB57).to_bytes(8, "little")


def database(
    folder: pathlib.Path, tables: dict[int, bytes] | None = None, changes: list[Change] | None = None, log: int = 4
) -> pathlib.Path:
    """Write a database with these live tables (one more was live and is not any more) and this log."""
    folder.mkdir(parents=True, exist_ok=True)
    edits = [
        varint(1) + sliced(b"leveldb.BytewiseComparator"),
        varint(7) + b"\0" + varint(2) + varint(9) + sliced(b"a") * 2,
    ]
    edits.append(
        varint(6) + b"\0" + varint(2) + varint(2) + varint(log) + varint(3) + varint(50) + varint(4) + varint(7)
    )
    for number, content in (tables or {}).items():
        (folder / f"{number:06d}.ldb").write_bytes(table(content))
        size = len(table(content))
        edits.append(
            varint(5) + varint(1) + sliced(b"k") + varint(7) + b"\0" + varint(number) + varint(size) + sliced(b"a") * 2
        )
    (folder / "MANIFEST-000001").write_bytes(log_file(edits))
    (folder / "CURRENT").write_text("MANIFEST-000001\n")
    (folder / f"{log:06d}.log").write_bytes(log_file([batch(9, [change]) for change in changes or []]))
    (folder / "LOCK").write_bytes(b"")
    (folder / "LOG").write_text("chatter")
    return folder


def storage_key(key: str) -> bytes:
    return b"_https://web.whatsapp.com\0\1" + key.encode()


def profile(root: pathlib.Path, changes: list[Change] | None = None) -> pathlib.Path:
    """Write a profile with a localStorage, an IndexedDB and a blob."""
    database(root / layout.LEVELDB, {5: b"local"}, changes or [(storage_key("half"), b"\1login")])
    database(root / layout.INDEXED_DB / ORIGIN, {5: b"indexed", 6: b"more"}, [(b"k", b"v")])
    blob = root / layout.INDEXED_DB / ORIGIN.replace(".leveldb", ".blob") / "1" / "00" / "1"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"blob" * 1000)
    (root / "Default" / "Preferences").write_text("{}")
    return root


def blob(root: pathlib.Path) -> pathlib.Path:
    """Return the profile's only blob file."""
    return next(root.rglob("*.indexeddb.blob")) / "1" / "00" / "1"
