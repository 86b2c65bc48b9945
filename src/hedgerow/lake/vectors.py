"""Deletion vectors: which rows of a file are gone, written beside the file instead of writing the file anew.

The form is Delta's (its protocol, "Deletion Vector Format"): a 64-bit Roaring bitmap of row numbers, in a file that
holds the vectors of one commit. Roaring splits numbers at 2^16: up to 4,096 of a block are listed, more are a bitmap.
"""

import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.lake.storage import Storage, storage_errors

_MAGIC: Final = 1_681_511_377
_NO_RUNS: Final = 12_346
_BLOCK: Final = 1 << 16
_LISTED: Final = 4_096
_FORMAT: Final = b"\x01"
_Z85: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def write(storage: Storage, location: str, deleted: Mapping[str, pa.Int64Array]) -> dict[str, dict[str, Any]]:
    """Store `deleted` (path → ascending row numbers below 2^32) in one new file; its descriptors for the log by path.

    Raises BrokenError when the storage fails.
    """
    if not deleted:
        return {}
    number = uuid.uuid4()
    content, descriptors = bytearray(_FORMAT), {}
    for path, rows in deleted.items():
        bitmap = _bitmap(rows)
        descriptors[path] = {
            "storageType": "u",
            "pathOrInlineDv": _z85(number.bytes),
            "offset": len(content),
            "sizeInBytes": len(bitmap),
            "cardinality": len(rows),
        }
        content += struct.pack(">i", len(bitmap)) + bitmap + struct.pack(">I", zlib.crc32(bitmap))
    with storage_errors():
        storage.write_new(f"{location}/{_name(number)}", bytes(content))
    return descriptors


def file_of(descriptor: Mapping[str, Any]) -> str:
    """The file that holds a vector, relative to the table."""
    return _name(uuid.UUID(bytes=_from_z85(descriptor["pathOrInlineDv"])))


def _name(number: uuid.UUID) -> str:
    return f"deletion_vector_{number}.bin"


def _bitmap(rows: pa.Int64Array) -> bytes:
    blocks = list(_blocks(rows))
    head = struct.pack("<IQIII", _MAGIC, 1, 0, _NO_RUNS, len(blocks))
    kinds, places, bodies = bytearray(), bytearray(), bytearray()
    # Places count from the 32-bit bitmap's own beginning, which is behind the first 16 bytes.
    start = len(head) - 16 + 8 * len(blocks)
    for block, low in blocks:
        kinds += struct.pack("<HH", block, len(low) - 1)
        places += struct.pack("<I", start + len(bodies))
        bodies += _listed(low) if len(low) <= _LISTED else _mapped(low)
    return b"".join((head, kinds, places, bodies))


def _blocks(rows: pa.Int64Array) -> Iterator[tuple[int, pa.UInt16Array]]:
    """(number of the block, numbers within it) for every block that has some."""
    first = 0
    while first < len(rows):
        block = rows[first].as_py() // _BLOCK
        end = pc.search_sorted(rows, (block + 1) * _BLOCK).as_py()
        yield block, pc.subtract(rows.slice(first, end - first), block * _BLOCK).cast(pa.uint16())
        first = end


def _listed(low: pa.UInt16Array) -> bytes:
    return bytes(low.buffers()[1])[: 2 * len(low)]


def _mapped(low: pa.UInt16Array) -> bytes:
    every = pa.arange(0, _BLOCK).cast(pa.uint16())
    return bytes(pc.is_in(every, value_set=low).buffers()[1])[: _BLOCK // 8]


def _z85(data: bytes) -> str:
    """ZeroMQ's base 85, four bytes in five characters."""
    text = ""
    for (word,) in struct.iter_unpack(">I", data):
        text += "".join(_Z85[word // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


def _from_z85(text: str) -> bytes:
    words = []
    for start in range(0, len(text), 5):
        word = 0
        for character in text[start : start + 5]:
            word = word * 85 + _Z85.index(character)
        words.append(word)
    return struct.pack(f">{len(words)}I", *words)
