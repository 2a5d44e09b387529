"""What loading takes, from the catalogue's figures and from a file's header, and what headers may hold."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from localspec.errors import ModelFileError
from localspec.models.files.catalogue import catalogue_entries, find_entry, resolve
from localspec.models.files.header import Header, read_header
from localspec.models.fit import memory
from localspec.models.fit.memory import (
    EMBEDDER_BYTES,
    GPU_RESERVE,
    Footprint,
    Room,
    draft_of,
    footprint,
    measure_room,
    memory_report,
)
from localspec.models.llama import PREFILL_ROWS, Device, LlamaModel, gpu_devices, gpu_offload_available

TARGET = Footprint("big", 4 * 2**30, 100_000, 1000, 32_768)
DRAFT = Footprint("small", 2**29, 10_000, 1000, 4096)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, value: str | int | list[int] | list[str]) -> bytes:
    """One entry of a GGUF's metadata: a string, a 32-bit number, or an array of either."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    strings = [text(one) for one in value if isinstance(one, str)]
    numbers = [struct.pack("<I", one) for one in value if isinstance(one, int)]
    kind = 8 if strings else 4
    return text(key) + struct.pack("<IIQ", 9, kind, len(value)) + b"".join(strings or numbers)


def gguf(path: Path, **entries: str | int | list[int] | list[str]) -> Path:
    """A file with these metadata and no weights; `__` in a name stands for a dot."""
    parts = [entry(key.replace("__", "."), value) for key, value in entries.items()]
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, len(parts)) + b"".join(parts))
    return path


# -- headers ----------------------------------------------------------------------------------------------------------


def test_a_header_tells_what_llama_cpp_tells(loaded: LlamaModel) -> None:
    header = read_header(loaded.path)
    assert header == Header("llama", loaded.trained_context, loaded.vocabulary_size, loaded.kv_bytes(1), layers=30)


def test_widths_of_keys_and_values_count(tmp_path: Path) -> None:
    path = gguf(
        tmp_path / "a.gguf", general__architecture="gemma3", gemma3__block_count=18, gemma3__embedding_length=640,
        gemma3__attention__head_count=4, gemma3__attention__head_count_kv=1, gemma3__attention__key_length=256,
        gemma3__attention__value_length=256, gemma3__context_length=32768, tokenizer__ggml__tokens=["a", "b"],
    )  # fmt: skip
    assert read_header(path) == Header("gemma3", 32768, 2, find_entry("gemma-3-270m").kv_bytes_per_token, layers=18)


def test_heads_by_layer_and_entries_in_another_order(tmp_path: Path) -> None:
    path = gguf(
        tmp_path / "a.gguf", tokenizer__ggml__tokens=["a"] * 5000, tokenizer__long="x" * 5000, other=[1] * 5000,
        general__architecture="x", x__attention__head_count_kv=[1, 0, 2], x__block_count=3, x__embedding_length=64,
        x__attention__head_count=4,
    )  # fmt: skip
    assert read_header(path) == Header("x", 0, 5000, 3 * 32 * 2, layers=3)


@pytest.mark.parametrize("length", [0, 3, 20, 60, 500, 100_000])
def test_files_that_are_cut_off(length: int, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(resolve("").path.read_bytes()[:length])
    if length == 100_000:  # the figures come first
        assert read_header(path).vocabulary == 49152
        return
    with pytest.raises(ModelFileError, match=r"short\.gguf"):
        read_header(path)


@pytest.mark.parametrize(
    "data",
    [
        b"<html>" * 20,
        struct.pack("<4sIQQ", b"GGUF", 99, 0, 1),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**60) + b"x" * 50,
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("key") + struct.pack("<IQ", 8, 2**50),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("key") + struct.pack("<IIQ", 9, 4, 2**50),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("key") + struct.pack("<I", 77),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("key") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5000,
    ],
)
def test_files_that_are_damaged(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"bad\.gguf"):
        read_header(path)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"absent\.gguf"):
        read_header(tmp_path / "absent.gguf")


# -- the sum ----------------------------------------------------------------------------------------------------------


def test_everything_counts() -> None:
    report = memory_report(TARGET, DRAFT, context=1024, free=2**40)
    work = PREFILL_ROWS * 1000 * 4
    assert report.needed == 4 * 2**30 + 2**29 + 1024 * 110_000 + 2 * work + EMBEDDER_BYTES
    assert report.needed - memory_report(TARGET, DRAFT, context=1024, embedder=False, free=0).needed == EMBEDDER_BYTES
    alone = memory_report(TARGET, context=1024, free=2**40)
    assert report.needed - alone.needed == 2**29 + 1024 * 10_000 + work


def test_a_draft_has_no_longer_cache_than_it_was_trained_for() -> None:
    """As the draft model's context is made."""
    parts = {part.what: part.bytes for part in memory_report(TARGET, DRAFT, context=8192, free=0).parts}
    assert parts["cache of 8192 tokens"] == 8192 * 100_000
    assert parts["its cache"] == 4096 * 10_000


def test_what_a_file_does_not_tell_is_named() -> None:
    report = memory_report(Footprint("x", 2**30, 0, 0, 0), Footprint("y", 2**20, 10, 0, 0), free=2**40)
    assert report.unknown == ("cache", "working space", "working space of y")
    assert "Not counted, because the file does not tell: cache, working space, working space of y." in report.sentence
    assert memory_report(TARGET, DRAFT, free=2**40).unknown == ()


def test_the_files_of_a_model_in_several_count_together(tmp_path: Path, model_path: Path) -> None:
    first, second = (tmp_path / f"big-0000{part}-of-00002.gguf" for part in (1, 2))
    first.write_bytes(model_path.read_bytes()[:2_000_000])
    second.write_bytes(b"x" * 1000)
    assert footprint(first).file_bytes == 2_001_000
    second.unlink()
    assert footprint(first).file_bytes == 2_000_000


# -- on a GPU ---------------------------------------------------------------------------------------------------------


def test_layers_on_a_gpu_leave_main_memory() -> None:
    target = Footprint("big", 4_100, 41, 0, 1000, layers=40)
    room = Room(10**12, 10**12, True, (Device("A", 10**12, 10**12),))
    half = memory_report(target, context=1000, embedder=False, gpu_layers=20, room=room)
    assert {part.what: part.on_gpu for part in half.parts} == {
        "weights": 2_000, "cache of 1000 tokens": 20_000, "working space": 0, "kept free on the GPU": GPU_RESERVE,
    }  # fmt: skip
    assert (half.needed, half.needed_on_gpu) == (2_100 + 21_000, 22_000 + GPU_RESERVE)
    whole = memory_report(target, context=1000, embedder=False, gpu_layers=-1, room=room)
    assert whole == memory_report(target, context=1000, embedder=False, gpu_layers=41, room=room)
    assert (whole.needed, whole.needed_on_gpu) == (0, 4_100 + 41_000 + GPU_RESERVE)
    none = memory_report(target, context=1000, embedder=False, gpu_layers=0, room=room)
    assert (none.needed, none.needed_on_gpu, none.gpu_free) == (4_100 + 41_000, 0, None)


def test_a_gpu_that_computes_in_main_memory_counts_there_too() -> None:
    room = Room(6 * 2**30, 8 * 2**30, True, (Device("A", 5 * 2**30, 6 * 2**30, True),))
    report = memory_report(TARGET, context=1024, gpu_layers=-1, room=room)
    assert report.needed == sum(part.bytes for part in report.parts)
    assert report.needed_on_gpu == report.needed - EMBEDDER_BYTES
    assert not report.fits_on_gpu


def test_the_reserve_is_for_each_gpu_and_memory_given_back_counts() -> None:
    devices = (Device("A", 2**30, 4 * 2**30), Device("B", 2**31, 2**31))
    room = Room(2**30, 2**32, True, devices)
    report = memory_report(TARGET, gpu_layers=-1, room=room)
    assert report.parts[-1].on_gpu == 2 * GPU_RESERVE
    assert report.gpu_free == 3 * 2**30
    back = room.with_back(2**29, (2**30, 0))
    assert (back.main, [device.free for device in back.devices]) == (2**30 + 2**29, [2**31, 2**31])
    assert room.with_back(2**40, (2**40, 2**40)).main == 2**32, "never more than there is"
    assert room.with_back(2**40, (2**40, 2**40)).gpu == 4 * 2**30 + 2**31
    assert room.with_back(0, ()).devices == devices


def test_without_figures_of_the_gpu_main_memory_is_counted() -> None:
    for devices in ((), (Device("A", 0, 0),)):
        report = memory_report(TARGET, gpu_layers=-1, room=Room(2**40, 2**40, True, devices))
        assert report == memory_report(TARGET, free=2**40)


def test_the_room_of_this_computer() -> None:
    room = measure_room()
    assert 0 < room.main <= room.total
    assert room.offloads is (gpu_offload_available() and gpu_devices() != ())


def test_the_default_context_is_the_models_up_to_8192() -> None:
    whole = memory_report(TARGET, DRAFT, free=0)
    assert whole == memory_report(TARGET, DRAFT, context=8192, free=0)
    assert memory_report(DRAFT, free=0) == memory_report(DRAFT, context=4096, free=0)


def test_the_sentence_says_what_it_takes() -> None:
    report = memory_report(TARGET, DRAFT, free=100 * 2**30)
    assert report.fits
    assert report.sentence.startswith("big needs 5.9 GiB")
    for part in (
        "weights 4.0",
        "cache of 8192 tokens 0.8",
        "draft small 0.5",
        "embedding model 0.6",
        "100.0 GiB are free",
    ):
        assert part in report.sentence
    short = memory_report(TARGET, DRAFT, free=2**30)
    assert not short.fits
    assert "does not fit" in short.sentence
    assert "smaller model" in short.sentence


def test_exactly_enough_fits() -> None:
    needed = memory_report(TARGET, free=0).needed
    assert memory_report(TARGET, free=needed).fits
    assert not memory_report(TARGET, free=needed - 1).fits


def test_free_memory_is_measured() -> None:
    assert memory_report(TARGET).free > 2**20


def test_a_file_an_entry_and_a_catalogue_entry(model_path: Path) -> None:
    of_file = footprint(model_path)
    assert of_file == Footprint(model_path.stem, model_path.stat().st_size, 23_040, 49_152, 8_192, 30)
    assert footprint(resolve("")).name == "smollm2-135m"
    entry = find_entry("qwen2.5-1.5b")
    assert footprint(entry) == Footprint("qwen2.5-1.5b", 1_117_320_736, 28_672, 151_936, 32_768)


def test_the_draft_that_the_catalogue_names() -> None:
    drafts = {entry.name: draft_of(entry, catalogue_entries()) for entry in catalogue_entries()}
    assert drafts["qwen3-4b"] == footprint(find_entry("qwen3-0.6b"))
    assert drafts["smollm2-1.7b"] == footprint(resolve(""))
    assert drafts["qwen3-0.6b"] is None


def test_no_gpu_is_touched_where_none_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched() -> None:
        raise AssertionError("a GPU was asked")

    monkeypatch.setattr(memory, "gpu_devices", touched)
    room = measure_room(devices=False)
    assert (room.offloads, room.devices) == (False, ())
    assert 0 < room.main <= room.total
