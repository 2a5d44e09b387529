"""Weight formats: what a file holds, which others make sense, and real conversions of the shipped model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from localspec import native
from localspec.errors import ModelFileError
from localspec.models.files.catalogue import available, names_a_file, resolve
from localspec.models.files.header import Tensor, read_tensors
from localspec.models.llama import LlamaModel, LoadSettings, Weights
from localspec.models.quantization.formats import (
    ATTENTION,
    FEED_FORWARD,
    FOR_BIG_FILES,
    HEAD,
    Format,
    Layout,
    candidate_types,
    class_of,
    convert,
    layout,
)
from tests.models.fit.test_memory import gguf


def types_of(path: Path) -> dict[str, Counter[str]]:
    """How many tensors of each type every class has; "" is the class of all others."""
    found: dict[str, Counter[str]] = {}
    for tensor in read_tensors(path):
        found.setdefault(class_of(tensor, tied=True), Counter())[tensor.type] += 1
    return found


def made_of(attention: str, feed_forward: str, head: str, rows: int = 4096) -> Layout:
    """What a file of these types is, with rows of one length."""
    lengths = {name: frozenset({rows}) for name in (ATTENTION, FEED_FORWARD, HEAD)}
    weights = {ATTENTION: 100_000, FEED_FORWARD: 200_000, HEAD: 50_000}
    return Layout(Format(attention, feed_forward, head), weights, lengths, 1000, True)


def test_the_tensors_of_the_shipped_model(model_path: Path) -> None:
    tensors = read_tensors(model_path)
    assert len(tensors) == 272
    assert Tensor("token_embd.weight", (576, 49152), "Q8_0") in tensors
    assert Tensor("blk.0.attn_k.weight", (576, 192), "Q4_1") in tensors
    assert Tensor("output_norm.weight", (576,), "F32") in tensors
    found = layout(model_path)
    assert found.format == Format("Q4_1", "Q4_1", "Q8_0")
    assert found.uniform
    assert found.bytes(found.format) == pytest.approx(model_path.stat().st_size, rel=0.03)


def test_a_file_without_weights_has_no_other_format(tmp_path: Path) -> None:
    path = gguf(tmp_path / "a.gguf", general__architecture="x")
    assert read_tensors(path) == []
    with pytest.raises(ModelFileError, match="no weights"):
        layout(path)


def test_descriptions_of_tensors_that_are_cut_off(model_path: Path, tmp_path: Path) -> None:
    data = model_path.read_bytes()[:3_000_000]
    end = data.rindex(b"blk.29.ffn_up.weight")
    path = tmp_path / "short.gguf"
    path.write_bytes(data[: end + 25])
    with pytest.raises(ModelFileError, match=r"short\.gguf is damaged"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("name", "tied", "expected"),
    [
        ("blk.3.attn_q.weight", True, ATTENTION),
        ("blk.3.attn_output.weight", False, ATTENTION),
        ("blk.3.ffn_down_exps.weight", False, FEED_FORWARD),
        ("blk.3.ffn_gate_inp.weight", False, ""),
        ("blk.3.attn_norm.weight", False, ""),
        ("blk.3.attn_q.bias", False, ""),
        ("token_embd.weight", True, HEAD),
        ("token_embd.weight", False, ""),
        ("output.weight", False, HEAD),
        ("blk.3.ssm_in.weight", False, ""),
    ],
)
def test_classes(name: str, tied: bool, expected: str) -> None:
    assert class_of(Tensor(name, (64, 64), "F16"), tied=tied) == expected
    assert class_of(Tensor(name, (64,), "F32"), tied=tied) == ""


def test_which_types_make_sense() -> None:
    small, big = 10**8, FOR_BIG_FILES
    four_bits = made_of("Q4_1", "Q4_1", "Q8_0")
    assert {"BF16", "F16", "Q8_0", "Q4_0", "Q4_K"} <= set(candidate_types(four_bits, ATTENTION, small))
    assert not {"BF16", "F16", "Q8_0", "Q4_1"} & set(candidate_types(four_bits, ATTENTION, big)), "no wider ones"
    wide = made_of("BF16", "BF16", "BF16")
    assert {"F16", "Q8_0", "Q6_K"} <= set(candidate_types(wide, FEED_FORWARD, big))
    assert not {"Q4_0", "Q4_K", "BF16"} & set(candidate_types(wide, FEED_FORWARD, small))
    assert not any(kind.endswith("_K") for kind in candidate_types(made_of("BF16", "BF16", "BF16", 576), HEAD, small))
    assert candidate_types(made_of("", "Q4_1", "Q8_0"), ATTENTION, small) == []


def test_names() -> None:
    assert Format("BF16", "BF16", "BF16").name == "BF16"
    assert Format("BF16", "BF16", "Q8_0").name == "BF16, head Q8_0"
    assert Format("BF16", "Q4_1", "Q8_0").name == "attention BF16, feed-forward Q4_1, head Q8_0"
    assert Format("BF16", "", "Q8_0").file_name == "BF16-same-Q8_0.gguf"
    assert Format("Q4_1", "Q4_1").with_type(HEAD, "F16") == Format("Q4_1", "Q4_1", "F16")


@pytest.mark.parametrize(
    "wanted",
    [
        Format("BF16", "BF16", "BF16"),
        Format("BF16", "BF16", "Q8_0"),
        Format("F16", "Q4_1", "Q8_0"),
        Format("Q4_1", "Q4_1", "BF16"),
        Format("", "Q8_0", ""),
    ],
)
def test_conversions_per_class(model_path: Path, tmp_path: Path, wanted: Format) -> None:
    path = tmp_path / "made.gguf"
    convert(model_path, path, wanted)
    assert [found.name for found in tmp_path.iterdir()] == ["made.gguf"]
    before, after = types_of(model_path), types_of(path)
    for name in (ATTENTION, FEED_FORWARD, HEAD):
        kind = wanted.of(name)
        assert after[name] == (Counter({kind: before[name].total()}) if kind else before[name])
    assert after[""] == before[""]
    assert path.stat().st_size == pytest.approx(layout(model_path).bytes(wanted), rel=0.03)
    # Without our kernels any 16-bit matrix makes a batch's results depend on its size, whatever the file calls itself.
    weights = Weights(path, 0)
    assert weights.bitwise == (native.attends() or not any(kind in ("BF16", "F16") for kind in wanted.types))
    weights.close()


def test_what_keeps_its_type_is_copied(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    convert(model_path, path, Format("Q4_1", "Q4_1", "BF16"))
    made, own = (found.read_bytes() for found in (path, model_path))
    # A thousand bytes from the middle of the layers stand in both.
    assert made.find(own[len(own) // 2 : len(own) // 2 + 1000]) > 0


def test_a_mixed_file_decodes(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "made.gguf"
    convert(model_path, path, Format("BF16", "Q8_0", "Q8_0"))
    model = LlamaModel(path, LoadSettings(context=256, gpu_layers=0))
    tokens = model.tokenize("The capital of France is")
    model.begin(tokens)
    model.decode(int(tokens[-1]), tokens[:0], tokens[:0])
    assert model.piece(int(model.logits(1)[0].argmax())) == b" Paris"
    model.close()


def test_a_full_disk_leaves_nothing(model_path: Path, tmp_path: Path) -> None:
    """The largest size of a file stands in for the disk; in a process of its own, for it holds for all that follows."""
    pytest.importorskip("resource")
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from localspec.errors import ModelError\n"
        "from localspec.models.quantization.formats import Format, convert\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    convert(Path(sys.argv[1]), Path(sys.argv[2]), Format('BF16', 'BF16', 'BF16'))\n"
        "except ModelError as error:\n"
        "    print(error)\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", script, str(model_path), str(tmp_path / "made.gguf")],
        capture_output=True, text=True, timeout=120, check=True, cwd=root, env=os.environ | {"PYTHONPATH": root},
    )  # fmt: skip
    assert "could not be converted" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_forms_of_a_model_are_no_models_of_their_own(tmp_path: Path) -> None:
    (tmp_path / ".tuned" / "abc").mkdir(parents=True)
    (tmp_path / ".tuned" / "abc" / "BF16-BF16-BF16.gguf").write_bytes(b"GGUF")
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    assert [entry.name for entry in available(tmp_path)][1:] == ["own"]


def test_what_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    default = resolve("").path
    folder = tmp_path / "models" / "family"
    folder.mkdir(parents=True)
    (folder / "own.gguf").write_bytes(b"GGUF")
    for listed in ("", "smollm2-135m", default.stem, "family/own"):
        assert not names_a_file(listed)
    for file in (str(default), default.name, "family/own.gguf", str(folder / "own"), "elsewhere/own"):
        assert names_a_file(file)
