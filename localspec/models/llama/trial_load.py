"""Loads a model file for trial, in a process of its own that llama.cpp may abort (`models.files.check` starts it).

Run as a program (`python -m localspec.models.llama.trial_load FILE`) it hashes the file, loads it on the CPU, decodes a
few tokens, and prints one line of JSON: the file's fingerprints, or `kind`, `message`, `advice` and `log` of what
failed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import psutil

from localspec.errors import ModelError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.files.header import parts_of
from localspec.models.llama.backend import recent_log, tells_of_short_memory
from localspec.models.llama.target import LlamaModel
from localspec.models.llama.weights import LoadSettings

CONTEXT = 128
"""Positions to decode in: the least memory that proves the model works."""
_CHUNK = 2**20
_PROBE = (
    "Hello world, it's 2024-05-17; don't pay $1,234.50!\n\n\tdef f(x):\n        return x**2  # naïve ÅÄÖ\r\n"
    "Straße 東京タワー Привет мир ١٢٣ 🙂🚀   trailing   "
)
"""Text on which pre-tokenizers differ: numbers, contractions, runs of spaces, line ends, other scripts."""


def _examine(path: Path) -> dict[str, str]:
    """The fingerprints of a file, or why it has none, as the process that asked reads them."""
    try:
        settings = LoadSettings(context=CONTEXT, gpu_layers=0)
        with contextlib.closing(LlamaModel(path, settings, plain_buffers=True)) as model:
            _decode_a_little(model)
            return {"weights_fingerprint": _hash_of_file(path), "tokenizer_fingerprint": tokenizer_fingerprint(model)}
    except OutOfMemoryError as error:
        # llama.cpp also makes no context for weights that contradict each other; then memory is not what lacks.
        plenty = psutil.virtual_memory().available > 2 * path.stat().st_size + 2**30
        return _report("file" if plenty else "memory", error)
    except MemoryError:
        return _report("memory", ModelError(f"{path.name} does not fit into memory.", "Choose a smaller model."))
    except SettingsError as error:
        return _report("file", error, with_log=False)
    except ModelError as error:
        if tells_of_short_memory(recent_log()) and psutil.virtual_memory().available < path.stat().st_size:
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
    """SHA-256 of the file, or of all files that the model comes in, one after the other."""
    digest = hashlib.sha256()
    for part in parts_of(path):
        with part.open("rb") as file:
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


def without_core_file() -> None:
    """An abort of this process is expected, and needs no core file."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: list[str]) -> int:
    """Check the file named in `arguments` in this process and print the result as one line of JSON."""
    without_core_file()
    report = _examine(Path(arguments[0]))
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    return 1 if "kind" in report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
