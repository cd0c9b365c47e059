"""Read the tags of a FLAC file, where converters keep what a recorder wrote.

Layout: RFC 9639, sections 8 and 8.6.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_TAGS = 4
_LAST = 0x80
_MAX_BLOCKS = 128
_MAX_BYTES = 1 << 20


def read_flac_tags(stream: BinaryIO) -> dict[str, str]:
    """Return the tags by their names in lower case; of a repeated one the first.

    Parameters
    ----------
    stream
        Binary, with ``seek``; its position is moved.

    Returns
    -------
    tags
        Empty if there are none, or the file is damaged or of another kind.

    Raises
    ------
    OSError
        As the stream raises it.
    """
    stream.seek(0)
    if stream.read(4) != b"fLaC":
        return {}
    position = 4
    for _ in range(_MAX_BLOCKS):
        stream.seek(position)
        head = stream.read(4)
        if len(head) < 4:
            return {}
        size = int.from_bytes(head[1:], "big")
        if head[0] & ~_LAST == _TAGS:
            return _tags(stream.read(min(size, _MAX_BYTES)))
        if head[0] & _LAST:
            return {}
        position += 4 + size
    return {}


def _tags(body: bytes) -> dict[str, str]:
    tags: dict[str, str] = {}
    try:
        position = 4 + struct.unpack_from("<I", body)[0]  # who wrote the file
        n_tags = struct.unpack_from("<I", body, position)[0]
        position += 4
        for _ in range(min(n_tags, len(body) // 4)):
            size = struct.unpack_from("<I", body, position)[0]
            text = body[position + 4 : position + 4 + size].decode("utf-8", "replace")
            name, _, value = text.partition("=")
            tags.setdefault(name.lower(), value)
            position += 4 + size
    except struct.error:
        return tags  # cut off
    return tags
