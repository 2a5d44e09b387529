"""The real model of the tests: the small one that is installed with the requirements, and a 16-bit form of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings, requantize

BF16 = 32
"""llama.cpp's LLAMA_FTYPE_MOSTLY_BF16."""
CONTEXT = 2048


@pytest.fixture(scope="session")
def model_path() -> Path:
    return resolve("").path


@pytest.fixture(scope="session")
def wide_model_path(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("wide") / "wide.gguf"
    requantize(model_path, destination, BF16)
    return destination


@pytest.fixture(scope="session")
def loaded(model_path: Path) -> Iterator[LlamaModel]:
    model = LlamaModel(model_path, LoadSettings(context=CONTEXT, gpu_layers=0))
    yield model
    model.close()


@pytest.fixture
def model(loaded: LlamaModel) -> Iterator[LlamaModel]:
    """The shared model with an empty cache."""
    loaded.forget()
    yield loaded
    loaded.forget()


@pytest.fixture(scope="session")
def reference(model_path: Path) -> Iterator[LlamaModel]:
    """A second copy, which decodes row by row what the first one decodes in trees."""
    model = LlamaModel(model_path, LoadSettings(context=CONTEXT, gpu_layers=0))
    yield model
    model.close()
