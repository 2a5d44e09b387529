"""The guard against damaged model files: every kind becomes an error that helps, and this process lives."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from localspec.errors import ModelError, ModelFileError, OutOfMemoryError
from localspec.models.files import check as guard
from localspec.models.files.check import CACHE_FILE, TRIAL, Verdict, check, remembered
from localspec.models.files.child import ChildEnd
from localspec.models.llama import LlamaModel
from localspec.models.llama.trial_load import tokenizer_fingerprint
from tests.models import gguf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model_bytes(model_path: Path) -> bytes:
    return model_path.read_bytes()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.gguf"


def refusal(path: Path, cache: Path) -> str:
    """The message with which a file is refused; it names the file and says what to do."""
    with pytest.raises(ModelFileError) as caught:
        check(path, cache)
    assert path.name in caught.value.message
    assert caught.value.advice
    assert remembered(path, cache) is None, "only what passed counts as checked"
    with pytest.raises(ModelFileError):
        check(path, cache)
    return str(caught.value)


# -- what passes ------------------------------------------------------------------------------------------------------


def test_a_good_file_gets_its_fingerprints(model_path, model, tmp_path):
    verdict = check(model_path, tmp_path)
    assert verdict.weights_fingerprint == hashlib.sha256(model_path.read_bytes()).hexdigest()
    assert verdict.tokenizer_fingerprint == tokenizer_fingerprint(model)


def test_the_tokenizer_is_the_same_in_every_format(model_path, wide_model_path, tmp_path):
    quantized, wide = check(model_path, tmp_path), check(wide_model_path, tmp_path)
    assert quantized.tokenizer_fingerprint == wide.tokenizer_fingerprint
    assert quantized.weights_fingerprint != wide.weights_fingerprint
    assert len(json.loads((tmp_path / CACHE_FILE).read_text())) == 2


def test_another_vocabulary_has_another_fingerprint(model_path, model_bytes, copy, tmp_path):
    at = model_bytes.index("Ġthe".encode())
    changed = gguf.write(copy, model_bytes[:at] + "Ġthx".encode() + model_bytes[at + 5 :])
    good, other = check(model_path, tmp_path), check(changed, tmp_path)
    assert other.tokenizer_fingerprint != good.tokenizer_fingerprint


# -- what is remembered -----------------------------------------------------------------------------------------------


def test_a_second_check_costs_nothing(model_path, tmp_path):
    first = check(model_path, tmp_path)
    started = time.process_time()
    assert check(model_path, tmp_path, seconds=0.001) == first, "no child is asked: it could not answer in time"
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("content", [b"no json", b"[]", b"\xff\xfe"])
def test_an_unreadable_cache_means_checking_again(model_path, tmp_path, content):
    (tmp_path / CACHE_FILE).write_bytes(content)
    verdict = check(model_path, tmp_path)
    assert check(model_path, tmp_path, seconds=0.001) == verdict


def test_a_damaged_entry_means_checking_again(model_path, tmp_path):
    verdict = check(model_path, tmp_path)
    file = tmp_path / CACHE_FILE
    file.write_text(file.read_text().replace(verdict.weights_fingerprint, "abc"))
    assert check(model_path, tmp_path) == verdict


def test_a_changed_file_is_checked_again(model_bytes, copy, tmp_path):
    cache = tmp_path / "cache"
    check(gguf.write(copy, model_bytes), cache)
    status = copy.stat()
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(ModelFileError, match="seconds"):
        check(copy, cache, seconds=0.001)
    check(copy, cache)
    assert len(json.loads((cache / CACHE_FILE).read_text())) == 1, "the entry of the old file is gone"


def test_a_cache_that_cannot_be_written_is_no_error(model_path, tmp_path):
    occupied = tmp_path / "a file"
    occupied.write_text("no folder")
    assert isinstance(check(model_path, occupied), Verdict)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_no_temporary_files_are_left(model_path, tmp_path):
    check(model_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CACHE_FILE]


# -- what is no GGUF --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"GG", "not a GGUF"),
        (b"GGUF", "cut off"),
        (b"GGUF\x03\0\0\0\x10", "cut off"),
        (b"GGUF\x01\0\0\0" + bytes(40), "version 1"),
        (b"GGUF\x09\0\0\0" + bytes(40), "version 9"),
        (b"GGUF\0\0\0\x03" + bytes(40), "big-endian"),
        (b"lmgg" + bytes(40), "GGML"),
        (b"\x40\0\0\0\0\0\0\0" + b'{"weight":{"dtype":"F16"}}', "safetensors"),
        (b"PK\x03\x04" + bytes(40), "ZIP"),
        (b"\x80\x02\x8a\x0a" + bytes(40), "PyTorch"),
        (b"\x1f\x8b\x08" + bytes(40), "compressed"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "Git LFS"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"Dear reader,\nthis is no model.", "text file"),
        (bytes(100), "another format"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, content, reason):
    assert reason in refusal(gguf.write(tmp_path / "wrong.gguf", content), tmp_path / "cache")


def test_paths_that_are_no_files(tmp_path):
    assert "does not exist" in refusal(tmp_path / "absent.gguf", tmp_path / "cache")
    assert "folder" in refusal(tmp_path, tmp_path / "cache")
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "not a regular file" in refusal(tmp_path / "pipe.gguf", tmp_path / "cache")
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    assert "cannot be read" in refusal(tmp_path / "loop.gguf", tmp_path / "cache")


# -- damaged GGUF files, in the child ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [24, 1_000, 100_000, 1_769_600, 3_000_000, 0.5, -1])
def test_a_file_that_is_cut_off(model_bytes, copy, tmp_path, kept):
    length = int(len(model_bytes) * kept) if isinstance(kept, float) else kept
    assert "the file is cut off" in refusal(gguf.write(copy, model_bytes[:length]), tmp_path / "cache")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.context_length", 0),
        ("llama.context_length", 2**31),
        ("llama.embedding_length", 0),
        ("llama.embedding_length", 577),
        ("llama.block_count", 0),
        ("llama.block_count", 31),
        ("llama.block_count", 2**32 - 1),
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count_kv", 2**31),
        ("llama.rope.dimension_count", 7),
    ],
)
def test_contradictory_metadata(model_bytes, copy, tmp_path, key, value):
    message = refusal(gguf.write(copy, gguf.with_number(model_bytes, key, value)), tmp_path / "cache")
    assert "vendor" not in message, "no places in somebody's build folder"


def test_an_abort_of_llama_cpp_ends_the_child_only(model_bytes, copy, tmp_path):
    """Without layers llama.cpp aborts its process: this one lives on and tells why."""
    gguf.write(copy, gguf.with_number(model_bytes, "llama.block_count", 0))
    command = [sys.executable, "-m", TRIAL, str(copy)]
    environment = os.environ | {"GGML_NO_BACKTRACE": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert child.returncode < 0, "a signal ended it"
    assert child.stdout == b""
    assert "GGML_ASSERT(" in refusal(copy, tmp_path / "cache")


def test_an_unknown_architecture(model_bytes, copy, tmp_path):
    message = refusal(gguf.write(copy, gguf.with_architecture(model_bytes, "kangaroo")), tmp_path / "cache")
    assert "does not know the architecture kangaroo" in message
    assert "Update" in message


def test_a_file_that_is_no_text_model(model_bytes, copy, tmp_path):
    message = refusal(gguf.write(copy, gguf.with_architecture(model_bytes, "clip")), tmp_path / "cache")
    assert "not a model that writes text" in message


def test_weights_that_give_no_finite_numbers(model_bytes, wide_model_path, copy, tmp_path):
    data = bytearray(wide_model_path.read_bytes())
    data[-60_000_000:] = np.full(30_000_000, 0x7FC0, "<u2").tobytes()  # not a number, as BF16
    assert "outputs are not finite" in refusal(gguf.write(copy, bytes(data)), tmp_path / "cache")


@pytest.mark.parametrize("region", ["header", "tensor infos"])
def test_flipped_bits_never_end_this_process(model_bytes, copy, tmp_path, region):
    """A flipped bit makes another file: it is refused, or it works and is known as another one."""
    first, last = (
        (8, 1_800) if region == "header" else (gguf.tensor_infos(model_bytes), gguf.tensor_infos(model_bytes) + 16_000)
    )
    random = np.random.default_rng(5)
    good = hashlib.sha256(model_bytes).hexdigest()
    gguf.write(copy, model_bytes)
    refused = 0
    for number in range(8):
        at = int(random.integers(first, last))
        flipped = bytes([model_bytes[at] ^ (1 << int(random.integers(8)))])
        with copy.open("r+b") as file:
            file.seek(at)
            file.write(flipped)
        try:
            assert check(copy, tmp_path / f"cache-{number}").weights_fingerprint != good
        except ModelFileError as error:
            assert copy.name in error.message
            refused += 1
        with copy.open("r+b") as file:
            file.seek(at)
            file.write(model_bytes[at : at + 1])
    assert refused > 0
    assert check(copy, tmp_path / "cache").weights_fingerprint == good


# -- what becomes of the child ----------------------------------------------------------------------------------------


def test_a_child_that_takes_too_long(model_path, tmp_path):
    with pytest.raises(ModelFileError, match=r"more than 0 seconds") as caught:
        check(model_path, tmp_path, seconds=0.01)
    assert model_path.name in caught.value.message
    assert not (tmp_path / CACHE_FILE).exists()


def test_a_child_killed_by_the_system_means_too_little_memory():
    error = guard._failure(Path("large.gguf"), ChildEnd(-9, {}, ""))
    assert isinstance(error, OutOfMemoryError)
    assert "large.gguf" in error.message


def test_a_child_that_reports_too_little_memory():
    report = {"kind": "memory", "message": "large.gguf needs 900.0 GiB", "advice": "Choose a smaller model."}
    error = guard._failure(Path("large.gguf"), ChildEnd(1, report, ""))
    assert isinstance(error, OutOfMemoryError)
    assert str(error) == "large.gguf needs 900.0 GiB Choose a smaller model."


def test_a_model_larger_than_the_memory(model_bytes, copy, tmp_path):
    """A sparse file of some terabytes: it takes no room on the disk."""
    gguf.write(copy, model_bytes)
    os.truncate(copy, 2**42)
    with pytest.raises(OutOfMemoryError, match=copy.name):
        check(copy, tmp_path / "cache")


@pytest.mark.parametrize(
    ("code", "how"), [(-6, "SIGABRT"), (-11, "SIGSEGV"), (3, "exit status 3"), (0xC0000005, "exit status 3221225477")]
)
def test_a_crash_is_told_as_one(code: int, how: str) -> None:
    error = guard._failure(Path("odd.gguf"), ChildEnd(code, {}, "loading\nggml.c:12: GGML_ASSERT(x > 0) failed\nbye"))
    assert isinstance(error, ModelFileError)
    assert f"llama.cpp crashes on the processor while it loads it ({how}: GGML_ASSERT(x > 0) failed)" in str(error)
    assert "or this version of llama.cpp cannot handle it" in str(error)


def test_instructions_that_the_processor_lacks_are_not_the_files_fault() -> None:
    error = guard._failure(Path("odd.gguf"), ChildEnd(-4, {}, ""))
    assert type(error) is ModelError
    assert "built on another computer" in error.advice


def test_a_child_that_ends_by_itself_says_nothing_of_the_file() -> None:
    error = guard._failure(Path("odd.gguf"), ChildEnd(1, {}, "Traceback:\nImportError: no such module"))
    assert type(error) is ModelError
    assert "odd.gguf could not be checked" in error.message
    assert "no such module" in error.message
    assert "damaged" not in str(error)


def test_the_environment_of_the_caller_does_not_matter(model_path, tmp_path):
    """The child finds the package from any folder, also one that holds another `localspec`."""
    decoy = tmp_path / "localspec"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("raise SystemExit('the wrong package')")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from localspec.models.files.check import check\n"
        "print(check(Path(sys.argv[2]), Path(sys.argv[3])).weights_fingerprint)"
    )
    file = tmp_path / "run.py"
    file.write_text(script)
    root = str(Path(guard.__file__).parents[3])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [sys.executable, str(file), root, str(model_path), str(tmp_path / "cache")]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(model_path.read_bytes()).hexdigest()


def test_the_fingerprint_of_a_tokenizer_does_not_depend_on_the_cache(model: LlamaModel):
    before = tokenizer_fingerprint(model)
    model.begin(model.tokenize("some text before"))
    assert tokenizer_fingerprint(model) == before
