"""Edits GGUF files for the tests: single metadata values, without a library that would refuse to write nonsense."""

from __future__ import annotations

import struct
from pathlib import Path

_STRING = 8
_UINT32 = 4


def with_architecture(data: bytes, name: str) -> bytes:
    """The file with another `general.architecture`; the model's own name takes up the difference in length."""
    data, grown = _with_string(data, "general.architecture", lambda _: name.encode())
    data, _ = _with_string(
        data, "general.name", lambda old: old[: len(old) - grown] if grown > 0 else old + b"x" * -grown
    )
    return data


def with_number(data: bytes, key: str, value: int) -> bytes:
    """The file with another 32-bit number under `key`."""
    at = _value_of(data, key)
    assert struct.unpack_from("<I", data, at)[0] == _UINT32
    return data[: at + 4] + struct.pack("<I", value) + data[at + 8 :]


def tensor_infos(data: bytes) -> int:
    """Offset of the first tensor's description."""
    return data.index(b"token_embd.weight") - 8


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _value_of(data: bytes, key: str) -> int:
    """Offset of the type of the value under `key`."""
    name = struct.pack("<Q", len(key)) + key.encode()
    return data.index(name, 0, 10_000) + len(name)


def _with_string(data: bytes, key: str, change) -> tuple[bytes, int]:
    at = _value_of(data, key)
    kind, length = struct.unpack_from("<IQ", data, at)
    assert kind == _STRING
    start = at + 12
    new = change(data[start : start + length])
    return data[: at + 4] + struct.pack("<Q", len(new)) + new + data[start + length :], len(new) - length
