"""What llama.cpp is told of graphics processors, and what is said when it gets no memory there: none is here, so the
call that would load is watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp
import pytest

from localspec.errors import ModelError, ModelFileError, OutOfMemoryError
from localspec.models.llama import Weights, backend, weights


def told(path: Path, layers: int, monkeypatch: pytest.MonkeyPatch, log: str = "") -> tuple[ModelError, tuple[int, ...]]:
    """What a load that fails says, and what llama.cpp was told of devices: layers, split mode, main GPU."""
    found: list[tuple[int, ...]] = []

    def load(_: bytes, parameters: Any) -> None:
        found.append((parameters.n_gpu_layers, parameters.split_mode, parameters.main_gpu))
        backend._log_lines.append(log)

    monkeypatch.setattr(weights, "gpu_offload_available", lambda: True)
    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", load)
    with pytest.raises(ModelError) as caught:
        Weights(path, layers)
    return caught.value, found[0]


def test_without_layers_there_no_gpu_is_touched(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none, layer = llama_cpp.LLAMA_SPLIT_MODE_NONE, llama_cpp.LLAMA_SPLIT_MODE_LAYER
    assert told(model_path, 0, monkeypatch)[1] == (0, none, -1)
    assert told(model_path, 5, monkeypatch)[1] == (5, layer, 0)
    assert told(model_path, -1, monkeypatch)[1] == (999, layer, 0)


@pytest.mark.parametrize(
    ("layers", "log", "kind"),
    [
        (-1, "error loading model: unable to allocate CUDA0 buffer", OutOfMemoryError),
        (7, "allocating 900.00 MiB on device 0: cudaMalloc failed: out of memory", OutOfMemoryError),
        (7, "error loading model: tensor 'x' not found", ModelFileError),
        (0, "error loading model: unable to allocate CPU buffer", ModelFileError),
    ],
)
def test_a_card_that_is_full_is_no_damaged_file(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, layers: int, log: str, kind: type[ModelError]
) -> None:
    error, _ = told(model_path, layers, monkeypatch, log)
    assert type(error) is kind
    assert ("GPU" in str(error)) == (kind is OutOfMemoryError)
    assert log in str(error)
