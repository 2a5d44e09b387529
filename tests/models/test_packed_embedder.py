"""An embedding model out of its packed file: a small one that is packed here, read, and run by the real libraries."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from localspec.errors import DownloadError
from localspec.models.embedder import Embedder
from localspec.models.packed_embedder import unpack

WIDTH, INNER, POSITIONS = 32, 64, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁query", "▁passage", ":", "▁", "▁lamp", "滤", "芯", "s"]


def packed_model(path: Path) -> dict[str, np.ndarray]:
    """Write a model of one layer; its matrices as they come out."""
    numbers = np.random.default_rng(5)
    out = bytearray(b"E5S1" + struct.pack("<I", 1))
    out += struct.pack("<7i", WIDTH, 1, 2, INNER, len(PIECES), POSITIONS, 2) + struct.pack("<fi", 1e-12, 32)
    blob = [piece.encode() for piece in PIECES]
    out += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, blob)))
    out += np.cumsum([0, *map(len, blob)], dtype="<u4").tobytes()
    out += np.linspace(-1, -9, len(PIECES), dtype="<f4").tobytes() + b"".join(blob)
    out += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF21, 1, 0x41)
    matrices: dict[str, np.ndarray] = {}
    tensors: list[tuple[str, int, bytes]] = []

    def matrix(name: str, rows: int, columns: int) -> None:
        scales = numbers.uniform(0.01, 0.1, (rows * columns // 32, 1)).astype("<f2")
        weights = numbers.integers(0, 16, (rows * columns // 32, 32), dtype=np.uint8)
        halves = weights[:, :16] | weights[:, 16:] << 4
        tensors.append((name, 1, np.concatenate([scales.view(np.uint8).reshape(-1, 2), halves], 1).tobytes()))
        matrices[name] = ((weights.astype(np.float32) - 8) * scales.astype(np.float32)).reshape(rows, columns)

    def plain(name: str, *shape: int) -> None:
        tensors.append((name, 0, numbers.normal(1, 0.1, shape).astype("<f4").tobytes()))

    matrix("emb.word", len(PIECES), WIDTH)
    for name, shape in (("pos", (POSITIONS, WIDTH)), ("type", (2, WIDTH)), ("ln.w", (WIDTH,)), ("ln.b", (WIDTH,))):
        plain(f"emb.{name}", *shape)
    for name, rows, columns in (*((each, WIDTH, WIDTH) for each in ("q", "k", "v", "ao")), ("fi", INNER, WIDTH)):
        matrix(f"l0.{name}.w", rows, columns)
        plain(f"l0.{name}.b", rows)
    matrix("l0.fo.w", WIDTH, INNER)
    plain("l0.fo.b", WIDTH)
    for name in ("aln.w", "aln.b", "oln.w", "oln.b"):
        plain(f"l0.{name}", WIDTH)
    start = len(out) + 4 + sum(2 + len(name) + 21 for name, _, _ in tensors)
    out += struct.pack("<i", len(tensors))
    for name, kind, data in tensors:
        out += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, len(data) // 4, start, len(data))
        )
        start += len(data)
    out += b"".join(data for _, _, data in tensors)
    path.write_bytes(out)
    return matrices


def test_a_packed_model_embeds(tmp_path: Path) -> None:
    matrices = packed_model(tmp_path / "packed.bin")
    unpack(tmp_path / "packed.bin", tmp_path / "small")
    from safetensors.numpy import load_file

    tensors = load_file(tmp_path / "small" / "model.safetensors")
    assert np.array_equal(tensors["embeddings.word_embeddings.weight"], matrices["emb.word"])
    assert np.array_equal(tensors["encoder.layer.0.intermediate.dense.weight"], matrices["l0.fi.w"])
    embedder = Embedder(tmp_path / "small", question="query: ", passage="passage: ")
    assert embedder.dimension == WIDTH
    vectors = embedder.embed(["lamp", "滤芯", "lamp  s", "lamp\ts"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)
    assert np.allclose(vectors[2], vectors[3], atol=1e-6)
    # A question is taken otherwise than a passage, and the tokenizer is the packed one.
    assert not np.allclose(embedder.embed_questions(["lamp"])[0], vectors[0], atol=1e-3)
    assert embedder.count(["query: lamp"]) == 5
    assert embedder.fingerprint.endswith("-passage:")
    assert not embedder.is_loaded, "the light encoders know it"


def test_it_is_embedded_without_the_library_and_as_by_it(tmp_path: Path) -> None:
    packed_model(tmp_path / "packed.bin")
    unpack(tmp_path / "packed.bin", tmp_path / "small")
    texts = ["lamp", "滤芯 lamps: lamp", "", "lamp " * 40, "ＡＢ\tlamp"]
    light = Embedder(tmp_path / "small")
    exact, quick = light.embed(texts, exact=True), light.embed(texts)
    settings = json.loads((tmp_path / "small" / "config.json").read_text())
    (tmp_path / "small" / "config.json").write_text(json.dumps({**settings, "nobody_knows": 1}))
    full = Embedder(tmp_path / "small")
    assert np.abs(full.embed(texts) - exact).max() < 1e-5
    assert (full.is_loaded, light.is_loaded) == (True, False)
    assert (quick * exact).sum(axis=1).min() > 0.98


@pytest.mark.parametrize("harm", ["beginning", "end", "other"])
def test_a_damaged_file_is_refused(tmp_path: Path, harm: str) -> None:
    packed = tmp_path / "packed.bin"
    packed_model(packed)
    data = packed.read_bytes()
    packed.write_bytes({"beginning": b"GGUF" + data[4:], "end": data[: len(data) // 2], "other": b"E5S1" * 30}[harm])
    with pytest.raises(DownloadError, match="damaged"):
        unpack(packed, tmp_path / "small")
