"""What the first bytes of a file say: whether it can be a GGUF of this computer, or what it is in place of one."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from localspec.errors import ModelFileError

DOWNLOAD_AGAIN = "Download it again, or pick another model."
_GGUF_VERSIONS = (2, 3)
_HEADER = struct.Struct("<4sIQQ")
"""Magic, version, number of tensors, number of metadata entries (gguf.h)."""


def status_of(path: Path) -> os.stat_result:
    """What the file system says about a file. Raises ModelFileError where it says nothing."""
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise ModelFileError(
            f"The model file {path} does not exist.", "Check the path or pick another model."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"The model file {path} cannot be read ({error}).", "Check the path.") from error


def look_at_header(path: Path) -> os.stat_result:
    """What the file system says about the file, once its first bytes are those of a GGUF that can be read.

    Raises ModelFileError for files that cannot be a model of this computer, with what they are instead.
    """
    status = status_of(path)
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{path} is a folder, no model file.", "Pick a .gguf file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{path} is no ordinary file.", "Pick a .gguf file.")
    if status.st_size == 0:
        raise ModelFileError(f"{path.name} is empty.", DOWNLOAD_AGAIN)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except PermissionError as error:
        raise ModelFileError(f"{path.name} may not be read by this user.", "Change the file's permissions.") from error
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read ({error.strerror}).", "Check the disk.") from error
    if head[:4] != b"GGUF":
        reason, advice = _what_else(head)
        raise ModelFileError(f"{path.name} is no GGUF file: {reason}.", advice)
    if len(head) < _HEADER.size:
        raise ModelFileError(f"{path.name} is cut off after {len(head)} bytes.", DOWNLOAD_AGAIN)
    version = _HEADER.unpack_from(head)[1]
    if version not in _GGUF_VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in _GGUF_VERSIONS:
            raise ModelFileError(f"{path.name} is a GGUF for big-endian machines.", "Get the little-endian file.")
        raise ModelFileError(
            f"{path.name} is a GGUF of version {version}; versions 2 and 3 can be read.",
            "Pick a newer file of this model." if version < 2 else "Update LocalSpec, or pick another file.",
        )
    return status


def _what_else(head: bytes) -> tuple[str, str]:
    """What a file without the GGUF magic is, from its first bytes, and what to do about it."""
    convert = "Look for a GGUF version of this model; names often end in -GGUF."
    start = head.lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer, a note of where the model lies", "Run `git lfs pull`, or download the file."
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, saved in place of the model", "Use the page's download link for the .gguf file."
    if head.startswith((b"lmgg", b"tjgg", b"fmgg", b"algg")):
        return "it is of the older GGML format", convert
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**30:
        return "it holds safetensors weights", convert
    if head.startswith(b"PK\x03\x04"):
        return "it is a ZIP archive, as PyTorch weights are", f"Unpack it if a .gguf file is inside. {convert}"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return "it holds PyTorch weights", convert
    if head.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"Rar!")):
        return "it is a compressed archive", "Unpack it first."
    if b"\0" not in head:
        return "it is a text file", "Pick a .gguf file."
    return "its first bytes are those of another format", convert
