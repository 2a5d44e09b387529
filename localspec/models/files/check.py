"""Checks a model file before it is loaded: llama.cpp can abort the whole process on a damaged GGUF.

The cheap part looks at the first bytes. The rest happens in a child process
(`python -m localspec.models.files.check FILE`), which hashes the file, loads it on the CPU and decodes a few tokens;
whatever becomes of it, this process lives. What passed is remembered, so that a second start costs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from localspec.errors import ModelError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.llama import LlamaModel, LoadSettings, library_version, recent_log

CACHE_FILE = "model-checks.json"
CONTEXT = 128
"""Positions the child decodes in: the least memory that proves the model works."""
_GGUF_VERSIONS = (2, 3)
_HEADER = struct.Struct("<4sIQQ")
"""Magic, version, number of tensors, number of metadata entries (gguf.h)."""
_PATIENCE_SECONDS = 120.0
_SLOWEST_BYTES_PER_SECOND = 10_000_000
"""A spinning disk under load: the child may take this long for each byte, and two minutes more."""
_CHUNK = 2**20
_PROBE = (
    "Hello world, it's 2024-05-17; don't pay $1,234.50!\n\n\tdef f(x):\n        return x**2  # naïve ÅÄÖ\r\n"
    "Straße 東京タワー Привет мир ١٢٣ 🙂🚀   trailing   "
)
"""Text on which pre-tokenizers differ: numbers, contractions, runs of spaces, line ends, other scripts."""
_PROBLEM = "problem"
"""In the file of results: why a file did not pass"""
_AGAIN = "Download it again, or pick another model."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What identifies a model file that works."""

    weights_fingerprint: str
    """SHA-256 of the file: states made with it are valid for these bytes only"""
    tokenizer_fingerprint: str
    """SHA-256 of what decides tokenization: the vocabulary, and how it splits a text that tokenizers disagree on"""


def check(path: Path, cache: Path, *, seconds: float | None = None) -> Verdict:
    """Prove that `path` is a model that can chat here, and fingerprint it. `cache` is the folder for the results.

    The child gets `seconds`, by default two minutes and more for large files. Raises ModelFileError, which names the
    file, the reason and what to do, and OutOfMemoryError when the model does not fit into the memory that is free.
    """
    path = path.absolute()
    before = _look_at_header(path)
    key = _key(path, before)
    known = _read_cache(cache)
    remembered = _verdict(known.get(key))
    if remembered is not None:
        return remembered
    limit = seconds if seconds is not None else _PATIENCE_SECONDS + before.st_size / _SLOWEST_BYTES_PER_SECOND
    verdict = _ask_child(path, limit)
    if isinstance(verdict, ModelError):
        if isinstance(verdict, ModelFileError):
            _write_cache(cache, path, key, {_PROBLEM: str(verdict)})
        raise verdict
    after = _stat(path)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ModelFileError(f"{path.name} changed while it was checked.", "Wait until it is downloaded completely.")
    _write_cache(cache, path, key, asdict(verdict))
    return verdict


def look(path: Path) -> None:
    """The cheap part of `check`. Raises ModelFileError for files that cannot be a model of this computer."""
    _look_at_header(path)


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
    return json.dumps([str(path), status.st_size, status.st_mtime_ns, library_version()])


# -- the first bytes --------------------------------------------------------------------------------------------------


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise ModelFileError(
            f"The model file {path} does not exist.", "Check the path or pick another model."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"The model file {path} cannot be read ({error}).", "Check the path.") from error


def _look_at_header(path: Path) -> os.stat_result:
    """What the file system says about the file, once its first bytes are those of a GGUF this version reads."""
    status = _stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(f"{path} is a folder, no model file.", "Pick a .gguf file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError(f"{path} is no ordinary file.", "Pick a .gguf file.")
    if status.st_size == 0:
        raise ModelFileError(f"{path.name} is empty.", _AGAIN)
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
        raise ModelFileError(f"{path.name} is cut off after {len(head)} bytes.", _AGAIN)
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


# -- the child process ------------------------------------------------------------------------------------------------


def _ask_child(path: Path, limit: float) -> Verdict | ModelError:
    """What the child says of the file: that it passes, or why not. Raises ModelError where it does not say."""
    package_parent = str(Path(__file__).resolve().parents[3])
    inherited = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([package_parent, inherited] if inherited else [package_parent]),
        "GGML_NO_BACKTRACE": "1",
    }
    try:
        child = subprocess.run(
            [sys.executable, "-m", "localspec.models.files.check", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=package_parent,
            env=environment,
            timeout=limit,
            check=False,
            creationflags=int(getattr(subprocess, "CREATE_NO_WINDOW", 0)),
        )
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{path.name} could not be checked: loading it took more than {limit:.0f} seconds.",
            "Close other programs or move the file to a faster disk and try again; the file may also be damaged.",
        ) from error
    except OSError as error:
        raise ModelError(f"{path.name} could not be checked: {error}.", "Start the program again.") from error
    report = _last_report(child.stdout)
    verdict = _verdict(report)
    if child.returncode == 0 and verdict is not None:
        return verdict
    return _failure(path, child.returncode, report, child.stderr.decode("utf-8", "replace"))


def _failure(path: Path, code: int, report: dict[str, Any], error_output: str) -> ModelError:
    """The error that tells what became of a child that did not pass the file."""
    if report.get("kind") == "memory":
        return OutOfMemoryError(str(report.get("message", "")), str(report.get("advice", "")))
    if not report and code in (-int(getattr(signal, "SIGKILL", 9)), 137):
        return OutOfMemoryError(
            f"{path.name} could not be loaded: the system stopped it, most likely for lack of memory.",
            "Close other programs, or choose a smaller model or format.",
        )
    if report:
        reason, advice = _plain_words(str(report.get("log", "")) or str(report.get("message", "")))
    else:
        lines = [line.strip() for line in error_output.splitlines() if line.strip()]
        last = next((line for line in lines if "GGML_ASSERT" in line or "error" in line.lower()), "".join(lines[-1:]))
        reason = f"the file is damaged; llama.cpp gives up on it ({_shortened(last) or f'exit status {code}'})"
        advice = _AGAIN
    return ModelFileError(f"{path.name} cannot be used: {reason}.", advice)


def _plain_words(log: str) -> tuple[str, str]:
    """A reason a person understands for llama.cpp's words, and what to do. `log` is newest last, `; ` between lines."""
    unknown = re.search(r"unknown model architecture: '([^']*)'", log)
    if unknown:
        name = _shortened(unknown[1])
        return f"this version of llama.cpp does not know the architecture {name}", "Update LocalSpec, or pick another."
    if "no chat model" in log or "CLIP" in log or "mmproj" in log:
        return "it is not a model that writes text", "Pick a chat model; files named mmproj belong to another model."
    if "not finite" in log:
        return "it computes no usable numbers, so its weights are damaged", _AGAIN
    cut_off = ("not within the file bounds", "end of file", "failed to read", "file too small")
    if any(words in log for words in cut_off):
        return "the file is cut off, or damaged inside", _AGAIN
    if log.startswith("A context of"):
        return "the length of context it states is of no use", _AGAIN
    if "split" in log and "missing" not in log:
        return "it is one part of a model that comes in several files", "Put all the parts into one folder."
    # Lines start with the name of a function; the last ones may say only that loading failed.
    lines = [line for line in re.split(r"; (?=\w+: )", log) if line and "failed to load model" not in line] or [log]
    return f"llama.cpp cannot read it ({_shortened(lines[-1])})", _AGAIN


def _shortened(text: str) -> str:
    """A line of llama.cpp's for a message: what it says, without the places in its source where it says so."""
    text = re.sub(r"^(\w+: )?(error loading model( \w+)?: )*", "", re.sub(r"^.*(?=GGML_ASSERT)", "", text))
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= 200 else f"{printable[:200]}…"


def _last_report(output: bytes) -> dict[str, Any]:
    """The JSON object on the last line; {} when the child did not come that far."""
    lines = output.strip().splitlines()
    with contextlib.suppress(ValueError):
        report = json.loads(lines[-1]) if lines else {}
        if isinstance(report, dict):
            return report
    return {}


def _examine(path: Path) -> dict[str, str]:
    """In the child: the verdict on a file, or why there is none, as the parent reads it."""
    try:
        model = LlamaModel(path, LoadSettings(context=CONTEXT, gpu_layers=0), plain_buffers=True)
        try:
            _decode_a_little(model)
            return asdict(Verdict(_hash_of_file(path), tokenizer_fingerprint(model)))
        finally:
            model.close()
    except OutOfMemoryError as error:
        # llama.cpp also makes no context for weights that contradict each other; then memory is not what lacks.
        plenty = psutil.virtual_memory().available > 2 * path.stat().st_size + 2**30
        return _report("file" if plenty else "memory", error)
    except MemoryError:
        return _report("memory", ModelError(f"{path.name} does not fit into memory.", "Choose a smaller model."))
    except SettingsError as error:
        return _report("file", error, with_log=False)
    except ModelError as error:
        short_of_memory = any(words in recent_log() for words in ("unable to allocate", "failed to allocate"))
        if short_of_memory and psutil.virtual_memory().available < path.stat().st_size:
            return _report("memory", error)
        return _report("file", error)


def _report(kind: str, error: ModelError | SettingsError, *, with_log: bool = True) -> dict[str, str]:
    words_of_ours = "no chat model" in error.message or "not finite" in error.message
    log = recent_log() if with_log and not words_of_ours else ""
    return {"kind": kind, "message": error.message, "advice": error.advice, "log": log}


def _decode_a_little(model: LlamaModel) -> None:
    """Decode tokens from all over the vocabulary. Raises ModelError when the model computes no finite logits."""
    tokens = np.linspace(0, model.vocabulary_size - 1, 8).astype(np.int32)
    model.begin(tokens[:5])
    model.decode(int(tokens[4]), tokens[5:], np.arange(-1, 2, dtype=np.int32))
    if not np.isfinite(model.logits(4)).all():
        raise ModelFileError(f"{model.path.name}: its outputs are not finite.")


def _hash_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tokenizer_fingerprint(model: LlamaModel) -> str:
    """SHA-256 over the vocabulary and the tokens of a telling text: the same for all sizes and formats of a model."""
    digest = hashlib.sha256()
    if not model.has_tokenizer:
        return hashlib.sha256(b"no tokenizer").hexdigest()
    for piece in model.vocabulary():
        digest.update(len(piece).to_bytes(4, "little") + piece)
    digest.update(b"\xff" + bytes([model.adds_bos]) + model.tokenize(_PROBE).astype("<i4").tobytes())
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    """Check the file named in `arguments` in this process and print the result as one line of JSON."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # an abort is expected here; no need of a core file
    report = _examine(Path(arguments[0]))
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    return 1 if "kind" in report else 0


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
    """Remember a verdict in place of earlier ones on the same path. A folder that cannot be written is no error: the
    check is made again next time."""
    known = {
        old: value for old, value in _read_cache(cache).items() if not old.startswith(json.dumps([str(path)])[:-1])
    }
    known[key] = entry
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache, prefix=CACHE_FILE)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(known, file, indent=1)
            Path(name).replace(cache / CACHE_FILE)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
