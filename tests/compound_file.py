"""Compound files ([MS-CFB], version 3) for tests: storages and streams, each stream in sectors of 512 bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TypeAlias

_END, _FREE, _FAT, _NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
_SECTOR, _MINI = 512, 64

Storage: TypeAlias = "dict[str, bytes | Storage]"


def write_compound_file(path: Path, root: Storage) -> Path:
    """Write the streams (bytes) and storages (dictionaries) below `root`."""
    entries: list[list[object]] = []  # name, kind, right, child, start, size
    mini = b""
    mini_fat: list[int] = []
    sectors: list[bytes] = []
    fat: list[int] = []

    def chain(data: bytes) -> int:
        if not data:
            return _END
        count = -(-len(data) // _SECTOR)
        start = len(sectors)
        padded = data.ljust(count * _SECTOR, b"\0")
        sectors.extend(padded[at * _SECTOR : (at + 1) * _SECTOR] for at in range(count))
        fat.extend([*range(start + 1, start + count), _END])
        return start

    def add(storage: Storage) -> int:
        nonlocal mini
        first = previous = _NONE
        # A list is a tree, too: each entry is right of the one before. Names rise by length, then by letters.
        for name in sorted(storage, key=lambda one: (len(one), one.upper())):
            content = storage[name]
            index = len(entries)
            entries.append([name, 1, _NONE, _NONE, _END, 0])
            if previous == _NONE:
                first = index
            else:
                entries[previous][2] = index
            previous = index
            if isinstance(content, dict):
                entries[index][1] = 1
                entries[index][3] = add(content)
            else:
                entries[index][1] = 2
                entries[index][5] = len(content)
                if len(content) >= 4096:
                    entries[index][4] = chain(content)
                elif content:
                    count = -(-len(content) // _MINI)
                    entries[index][4] = len(mini_fat)
                    mini_fat.extend([*range(len(mini_fat) + 1, len(mini_fat) + count), _END])
                    mini += content.ljust(count * _MINI, b"\0")
        return first

    entries.append(["Root Entry", 5, _NONE, _NONE, _END, 0])
    entries[0][3] = add(root)
    entries[0][4], entries[0][5] = chain(mini), len(mini)
    directory = b""
    for name, kind, right, child, start, size in entries:
        encoded = str(name).encode("utf-16-le") + b"\0\0"
        directory += encoded.ljust(64, b"\0") + struct.pack("<HBBIII", len(encoded), kind, 1, _NONE, right, child)
        directory += bytes(36) + struct.pack("<IQ", start, size)
    unused = struct.pack("<64xHBBIII36xIQ", 0, 0, 0, _NONE, _NONE, _NONE, 0, 0)
    directory_start = chain(directory + unused * (-len(entries) % 4))
    mini_start = chain(
        struct.pack(f"<{len(mini_fat)}I", *mini_fat).ljust(-(-len(mini_fat) * 4 // _SECTOR) * _SECTOR, b"\xff")
    )
    count = 1
    while len(fat) + count > count * 128:
        count += 1
    fat_start = len(sectors)
    fat += [_FAT] * count
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(count * _SECTOR, b"\xff")
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(0x3E, 3, 0xFFFE, 9, 6),
        *(0, count, directory_start, 0, 4096),
        mini_start,
        -(-len(mini_fat) * 4 // _SECTOR),
        _END,
        0,
    )
    places = [*range(fat_start, fat_start + count)]
    header += struct.pack("<109I", *places, *[_FREE] * (109 - count))
    path.write_bytes(header + b"".join(sectors) + table)
    return path
