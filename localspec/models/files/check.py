"""Checks a model file before it is loaded: llama.cpp can abort the whole process on a damaged GGUF.

The cheap part looks at the first bytes. The rest happens in a child process (`TRIAL`), which hashes
the file, loads it on the CPU and decodes a few tokens; whatever becomes of it, this process lives. What passed is
remembered, so that a second start costs nothing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache as kept
from pathlib import Path
from typing import Any

from localspec.errors import ModelError, ModelFileError, OutOfMemoryError
from localspec.models.files.child import ChildEnd, child_of, run
from localspec.models.files.header import EMBEDDING, HEAD, RERANKING, VERSIONS, Header, parts_of, pieces_of, read_header
from localspec.whole_file import write_whole

CACHE_FILE = "model-checks.json"
TRIAL = "localspec.models.llama.trial_load"
"""Name of the module that loads a file in a process of its own. It is started, not imported: nothing is loaded here."""
DOWNLOAD_AGAIN = "Download it again, or choose another model."
_PATIENCE_SECONDS = 120.0
_SLOWEST_BYTES_PER_SECOND = 10_000_000
"""A spinning disk under load."""
_SILENT = ("clip", "t5encoder")
"""Architectures that write no text and whose files say nothing of pooling or causality (llama-arch.cpp)"""
_PROBLEM = "problem"
"""In the file of results: why a file did not pass"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What identifies a model file that works."""

    weights_fingerprint: str  # SHA-256 of the file: states made with it are valid for these bytes only
    tokenizer_fingerprint: str
    """SHA-256 of what decides tokenization: the vocabulary, and how it splits a text that tokenizers disagree on"""


def check(path: Path, cache: Path, *, seconds: float | None = None) -> Verdict:
    """Prove that `path` is a model that can chat here, and fingerprint it. `cache` is the folder for the results.

    The child gets `seconds`, by default two minutes and more for large files. Raises ModelFileError, which names the
    file, the reason and what to do, and OutOfMemoryError when the model does not fit into the memory that is free.
    """
    path = path.absolute()
    before = look_at_header(path)
    refuse_incomplete(path)
    try:
        header = read_header(path)
    except ModelFileError:
        pass  # loading it says more of what is wrong
    else:
        refuse_other_purpose(path, header)
    key = _key(path, before)
    known = _read_cache(cache)
    remembered = _verdict(known.get(key))
    if remembered is not None:
        return remembered
    verdict = _ask_child(path, patience(before.st_size) if seconds is None else seconds)
    if isinstance(verdict, ModelError):
        if isinstance(verdict, ModelFileError):
            _write_cache(cache, path, key, {_PROBLEM: str(verdict)})
        raise verdict
    after = status_of(path)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ModelFileError(f"{path.name} changed while it was checked.", "Wait until it is downloaded completely.")
    _write_cache(cache, path, key, asdict(verdict))
    return verdict


def refuse_incomplete(path: Path) -> None:
    """Raises ModelFileError where one of the files that a model comes in is missing."""
    missing = [part.name for part in parts_of(path) if not part.exists()]
    if missing:
        more = f" and {len(missing) - 3} more are" if len(missing) > 3 else " are" if len(missing) > 1 else " is"
        raise ModelFileError(
            f"{path.name} is part of a model in several files, and {', '.join(missing[:3])}{more} missing.",
            "Put all of them into one folder.",
        )


def refuse_other_purpose(path: Path, header: Header) -> None:
    """Raises ModelFileError for a model that, by its own file, writes no text."""
    pick = "Choose a chat model."
    if header.purpose == EMBEDDING:
        raise ModelFileError(f"{path.name} is an embedding model and cannot chat.", pick)
    if header.purpose == RERANKING:
        raise ModelFileError(f"{path.name} is a reranker and cannot chat.", pick)
    if header.purpose or header.architecture in _SILENT:
        raise ModelFileError(
            f"{path.name} is not a model that writes text ({header.architecture}).",
            "Choose a chat model; files named mmproj belong to another model.",
        )


def patience(size: int) -> float:
    """Seconds that a child may take to load files of `size` bytes: what a slow disk takes, and two minutes more."""
    return _PATIENCE_SECONDS + size / _SLOWEST_BYTES_PER_SECOND


def remembered(path: Path, cache: Path) -> Verdict | None:
    """What `check` found of a file as it is now; None where it did not pass, or never was checked."""
    try:
        return _verdict(_read_cache(cache).get(_key(path.absolute(), path.stat())))
    except OSError:
        return None


def failures(cache: Path) -> Callable[[Path], str]:
    """Tells why a file did not pass when it was last checked as it is now; "" where it did, or never was."""
    known = _read_cache(cache)

    def failure(path: Path) -> str:
        path = path.absolute()
        try:
            status = path.stat()
        except OSError:
            return ""
        found = known.get(_key(path, status))
        problem = found.get(_PROBLEM) if isinstance(found, dict) else None
        return problem if isinstance(problem, str) else ""

    return failure


def _key(path: Path, status: os.stat_result) -> str:
    return json.dumps([str(path), status.st_size, status.st_mtime_ns, _library_version()])


@kept
def _library_version() -> str:
    """Version of llama-cpp-python, whose llama.cpp loads the files: a newer one may read what an older one did not."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return ""


def status_of(path: Path) -> os.stat_result:
    """What the file system says about a file. Raises ModelFileError where it says nothing."""
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise ModelFileError(
            f"The model file {path} does not exist.", "Check the path or choose another model."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"The model file {path} cannot be read ({error}).", "Check the path.") from error


def look_at_header(path: Path) -> os.stat_result:
    """What the file system says about the file, once its first bytes are those of a GGUF that can be read. Raises
    ModelFileError for files that cannot be a model of this computer, with what they are instead."""
    status = status_of(path)
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{path} is a folder, not a model file.", "Choose a .gguf file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{path} is not a regular file.", "Choose a .gguf file.")
    if status.st_size == 0:
        raise ModelFileError(f"{path.name} is empty.", DOWNLOAD_AGAIN)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except PermissionError as error:
        raise ModelFileError(f"{path.name} is not readable by this user.", "Change the file's permissions.") from error
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read ({error.strerror}).", "Check the disk.") from error
    piece = pieces_of(path)
    if piece is not None:
        raise ModelFileError(*_piece(path, *piece))
    if head[:4] != b"GGUF":
        reason, advice = _what_else(head)
        raise ModelFileError(f"{path.name} is not a GGUF file: {reason}.", advice)
    if len(head) < HEAD.size:
        raise ModelFileError(f"{path.name} is cut off after {len(head)} bytes.", DOWNLOAD_AGAIN)
    version = HEAD.unpack_from(head)[1]
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in VERSIONS:
            raise ModelFileError(f"{path.name} is a GGUF for big-endian machines.", "Get the little-endian file.")
        raise ModelFileError(
            f"{path.name} is a GGUF of version {version}; versions 2 and 3 can be read.",
            "Choose a newer file of this model." if version < 2 else "Update LocalSpec, or choose another file.",
        )
    return status


def _piece(path: Path, whole: str, number: int, count: int) -> tuple[str, str]:
    """What a raw piece of a file is, and how it becomes a model."""
    known = {
        found[1]: other.name
        for other in sorted(path.parent.iterdir())
        if (found := pieces_of(other)) is not None and found[0] == whole and found[2] == count
    }
    missing = [each for each in range(1, max(count, *known) + 1) if each not in known]
    said = f"{path.name} is piece {number}{f' of {count}' if count else ''} of {whole}, not a complete model"
    if missing:
        listed = ", ".join(map(str, missing[:5]))
        return f"{said}, and piece {listed} is missing.", "Download it into the same folder, then join the pieces."
    names = [known[each] for each in sorted(known)]
    quoted = [f'"{name}"' for name in names]
    return f"{said}.", (
        f'Join the pieces in their folder: cat {" ".join(quoted)} > "{whole}"'
        f' (Windows: copy /b {"+".join(quoted)} "{whole}").'
    )


def _what_else(head: bytes) -> tuple[str, str]:
    """What a file without the GGUF magic is, from its first bytes, and what to do about it."""
    convert = "Look for a GGUF version of this model; names often end in -GGUF."
    start = head.lstrip().lower()
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer", "Run `git lfs pull`, or download the file."
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, saved in place of the model", "Use the page's download link for the .gguf file."
    if head.startswith((b"lmgg", b"tjgg", b"fmgg", b"algg")):
        return "it is in the older GGML format", convert
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**30:
        return "it holds safetensors weights", convert
    if head.startswith(b"PK\x03\x04"):
        return "it is a ZIP archive, as PyTorch weights are", f"Unpack it if a .gguf file is inside. {convert}"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return "it holds PyTorch weights", convert
    if head.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"Rar!")):
        return "it is a compressed archive", "Unpack it first."
    if b"\0" not in head:
        return "it is a text file", "Choose a .gguf file."
    return "it is in another format", convert


# -- the child process ------------------------------------------------------------------------------------------------


def _ask_child(path: Path, limit: float) -> Verdict | ModelError:
    """What the child says of the file: that it passes, or why not. Raises ModelError where it does not say."""
    try:
        ended = run(child_of(TRIAL, str(path)), limit)
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{path.name} could not be checked: loading it took more than {limit:.0f} seconds.",
            "Close other programs or move the file to a faster disk and try again; the file may also be damaged.",
        ) from error
    except OSError as error:
        raise ModelError(f"{path.name} could not be checked: {error}.", "Start LocalSpec again.") from error
    verdict = _verdict(ended.report)
    return verdict if ended.code == 0 and verdict is not None else _failure(path, ended)


def _failure(path: Path, ended: ChildEnd) -> ModelError:
    """The error that tells what became of a child that did not pass the file."""
    report = ended.report
    if report.get("kind") == "memory":
        return OutOfMemoryError(str(report.get("message", "")), str(report.get("advice", "")))
    if ended.was_killed:
        return OutOfMemoryError(
            f"{path.name} could not be loaded: most likely the system ran out of memory.",
            "Close other programs, or choose a smaller model or format.",
        )
    if report:
        reason, advice = _plain_words(str(report.get("log", "")) or str(report.get("message", "")))
        return ModelFileError(f"{path.name} cannot be used: {reason}.", advice)
    said = ": ".join(part for part in (ended.how, shortened(ended.last_words)) if part)
    if ended.code == -int(getattr(signal, "SIGILL", 4)):
        return ModelError(
            f"{path.name} could not be checked: llama.cpp uses instructions that this processor lacks ({said}).",
            "It was built on another computer: delete the folder .venv and start LocalSpec again, to build it here.",
        )
    if not ended.crashed:
        return ModelError(
            f"{path.name} could not be checked: the trial load ended too early ({said}).",
            "Start LocalSpec again; if that does not help, run ./start.sh --setup-only, or choose another model.",
        )
    return ModelFileError(
        f"{path.name} cannot be used: llama.cpp crashes on the processor while it loads it ({said}). The file is"
        " damaged, or this version of llama.cpp cannot handle it.",
        f"{DOWNLOAD_AGAIN} If it is sound, a newer version of LocalSpec may load it.",
    )


def _plain_words(log: str) -> tuple[str, str]:
    """A reason a person understands for llama.cpp's words, and what to do. `log` is newest last, `; ` between lines."""
    unknown = re.search(r"unknown model architecture: '([^']*)'", log)
    if unknown:
        name = shortened(unknown[1])
        return (
            f"this version of llama.cpp does not know the architecture {name}",
            "Update LocalSpec, or choose another.",
        )
    if "no chat model" in log or "CLIP" in log or "mmproj" in log:
        return "it is not a model that writes text", "Choose a chat model; files named mmproj belong to another model."
    if "not finite" in log:
        return "its outputs are not finite, so its weights are damaged", DOWNLOAD_AGAIN
    cut_off = ("not within the file bounds", "end of file", "failed to read", "file too small")
    if any(words in log for words in cut_off):
        return "the file is cut off, or damaged inside", DOWNLOAD_AGAIN
    if log.startswith("A context of"):
        return "its context length is invalid", DOWNLOAD_AGAIN
    if "split" in log and "missing" not in log:
        return "it is one part of a model that comes in several files", "Put all the parts into one folder."
    # Lines start with the name of a function; the last ones may say only that loading failed.
    lines = [line for line in re.split(r"; (?=\w+: )", log) if line and "failed to load model" not in line] or [log]
    return f"llama.cpp cannot read it ({shortened(lines[-1])})", DOWNLOAD_AGAIN


def shortened(text: str) -> str:
    """A line of llama.cpp's for a message: what it says, without the places in its source where it says so."""
    text = re.sub(r"^(\w+: )?(error loading model( \w+)?: )*", "", re.sub(r"^.*(?=GGML_ASSERT)", "", text))
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= 200 else f"{printable[:200]}…"


# -- what passed before -----------------------------------------------------------------------------------------------


def _read_cache(cache: Path) -> dict[str, Any]:
    try:
        stored = json.loads((cache / CACHE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing was checked yet, or the file is not readable: checking again takes seconds
    return stored if isinstance(stored, dict) else {}


def _verdict(stored: object) -> Verdict | None:
    if not isinstance(stored, dict):
        return None
    prints = [stored.get("weights_fingerprint"), stored.get("tokenizer_fingerprint")]
    if all(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) for value in prints):
        return Verdict(str(prints[0]), str(prints[1]))
    return None


def _write_cache(cache: Path, path: Path, key: str, entry: dict[str, str]) -> None:
    """Remember a verdict in place of earlier ones on the path; where nothing can be written, it is checked again."""
    known = {
        old: value for old, value in _read_cache(cache).items() if not old.startswith(json.dumps([str(path)])[:-1])
    }
    known[key] = entry
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(cache / CACHE_FILE, json.dumps(known, indent=1))
