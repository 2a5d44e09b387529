"""The rooms of the package, and who may import whom: read from the source, held against one table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "localspec"

GROUND = ("localspec.errors", "localspec.config", "localspec.locks", "localspec.texts", "localspec.whole_file")
FILES = (*GROUND, "localspec.models.files")
LLAMA = (*GROUND, "localspec.native", "localspec.models.files.header", "localspec.models.llama")
MODELS = (*GROUND, "localspec.models")
STORES = (*GROUND, "localspec.stores")
LANGUAGE = ("localspec.stores.languages", "localspec.stores.words")
STORE_TOOLS = (*GROUND, "localspec.stores.database", "localspec.stores.background", "localspec.stores.vectors")
SPECULATION = ("localspec.errors", "localspec.whole_file", "localspec.native", "localspec.speculation")
CORE = (*GROUND, "localspec.native", "localspec.models", "localspec.stores", "localspec.speculation")
CHAT = (*CORE, "localspec.chat")
APPLICATION = (*CHAT, "localspec.endpoint", "localspec.application")

TABLE: dict[str, tuple[str, ...]] = {
    "localspec.errors": (),
    "localspec.config": (),
    "localspec.locks": (),
    "localspec.texts": (),
    "localspec.whole_file": (),
    "localspec.native": (*GROUND, "localspec.native"),
    "localspec.models": MODELS,
    "localspec.models.decode_times": (*MODELS, "localspec.native.graphs"),
    "localspec.models.files": FILES,
    "localspec.models.llama": LLAMA,
    "localspec.models.fit": (*FILES, *LLAMA, "localspec.models.pairing", "localspec.models.fit"),
    "localspec.models.quantization": (*FILES, *LLAMA, "localspec.models.decode_times", "localspec.models.quantization"),
    "localspec.stores": STORES,
    "localspec.stores.database": GROUND,
    "localspec.stores.background": GROUND,
    "localspec.stores.vectors": (*GROUND, "localspec.stores.database"),
    "localspec.stores.ingestion": STORES,
    "localspec.stores.languages": GROUND,
    "localspec.stores.words": (*GROUND, "localspec.stores.languages"),
    "localspec.stores.documents": (*STORE_TOOLS, *LANGUAGE, "localspec.stores.documents"),
    "localspec.stores.ngrams": (*STORE_TOOLS, "localspec.stores.ngrams"),
    "localspec.stores.states": (*STORE_TOOLS, "localspec.stores.states"),
    "localspec.speculation": SPECULATION,
    "localspec.speculation.drafters": (
        *SPECULATION,
        "localspec.stores.ngrams",
        "localspec.stores.states",
        "localspec.models.draft",
    ),
    "localspec.chat": CHAT,
    "localspec.endpoint": (*CHAT, "localspec.endpoint"),
    "localspec.access": (*GROUND, "localspec.access"),
    "localspec.desktop": (*GROUND, "localspec.access", "localspec.desktop"),
    "localspec.application": APPLICATION,
    "localspec.ui": (*APPLICATION, "localspec.access", "localspec.desktop", "localspec.ui"),
    "localspec.cli": (*APPLICATION, "localspec.desktop", "localspec.cli"),
    "localspec.__main__": ("localspec.cli",),
}
"""What each room may import of the package; the longest name that fits a module counts."""

WALLS: dict[str, str] = {
    "llama_cpp": "localspec.models.llama",
    "llguidance": "localspec.models.llama",
    "sentence_transformers": "localspec.models.embedder",
    "onnxruntime": "localspec.models.quantized_encoder",
    "onnx": "localspec.models.quantized_encoder",
    "tokenizers": "localspec.models",
    "safetensors": "localspec.models.text_encoder",
    "hnswlib": "localspec.stores.vectors",
    "snowballstemmer": "localspec.stores.languages",
    "stop_words": "localspec.stores.languages",
    "gradio": "localspec.ui",
    "httpx": "localspec.models.files.download",
    "filelock": "localspec.locks",
}
"""Libraries with one importer, so that only one place depends on what they do."""


class Import(NamedTuple):
    module: str
    line: int


def within(module: str, room: str) -> bool:
    """True when `module` is `room` or lies in it."""
    return module == room or module.startswith(f"{room}.")


def imports_of(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every module a source file imports, at its top or in a function, under its full name.

    For `from a.b import c` that is `a.b.c`, since `c` may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + is_package]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield Import(f"{base}.{name.name}", node.lineno)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            wanted = node.args[0]
            if called in ("import_module", "__import__") and isinstance(wanted, ast.Constant):
                yield Import(str(wanted.value), node.lineno)


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What a module imports against the table, with its line."""
    room = max((name for name in TABLE if within(module, name)), key=len, default=None)
    allowed = TABLE[room] if room is not None else ()
    found = []
    for name, line in imports_of(source, module, is_package=is_package):
        library = name.split(".")[0]
        if library == "localspec":
            # `from localspec import errors` names a module, `from localspec.errors import X` a thing inside one.
            if not any(within(name, other) for other in allowed):
                found.append(f"{module}:{line} imports {name}")
        elif library in WALLS and not within(module, WALLS[library]):
            found.append(f"{module}:{line} imports {name}, which only {WALLS[library]} may")
    return found


def modules() -> list[tuple[str, Path]]:
    """Name and file of every module of the package."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), file))
    return found


def test_the_package_keeps_to_its_rooms():
    found = []
    for module, file in modules():
        found += violations(file.read_text(encoding="utf-8"), module, is_package=file.name == "__init__.py")
    assert found == []


def test_every_module_belongs_to_a_room():
    homeless = [name for name, _ in modules() if name != "localspec" and not any(within(name, room) for room in TABLE)]
    assert homeless == []


def test_the_walls_stand_around_modules_that_use_the_library():
    """A wall around a module that no longer imports the library would hold nothing."""
    sources = dict(modules())
    for library, owner in WALLS.items():
        users = [
            name
            for name, file in sources.items()
            if within(name, owner)
            and any(within(found.module, library) for found in imports_of(file.read_text(encoding="utf-8"), name))
        ]
        assert users, f"{owner} does not import {library}"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("localspec.errors", "from localspec import config"),
        ("localspec.config", "import localspec.errors"),
        ("localspec.models.decode_times", "from localspec.stores.ngrams.ngram_store import NgramStore"),
        ("localspec.models.decode_times", "from localspec.speculation.tree import DraftTree"),
        ("localspec.stores.library", "def later():\n    from localspec.models import llama"),
        ("localspec.stores.library", "from ..models import llama"),
        ("localspec.stores.library", "import importlib\nimportlib.import_module('localspec.models.llama')"),
        ("localspec.speculation.decode", "from localspec.models.llama import LlamaModel"),
        ("localspec.speculation.decode", "from localspec.config import home"),
        ("localspec.speculation.decode", "from localspec.stores.ngrams.ngram_store import NgramStore"),
        ("localspec.speculation.drafters.rest", "from localspec.models.llama import LlamaModel"),
        ("localspec.speculation.drafters.rest", "from localspec.stores import library"),
        ("localspec.chat.session", "from localspec.ui import page"),
        ("localspec.chat.session", "from localspec import cli"),
        ("localspec.chat.session", "import localspec.cli.bench"),
        ("localspec.chat.session", "from localspec import *"),
        ("localspec.chat.session", "from localspec.endpoint import protocol"),
        ("localspec.endpoint.answers", "from localspec.application import state"),
        ("localspec.application.chats", "from localspec.ui import markup"),
        ("localspec.application.starting", "from localspec.access.guard import Scope"),
        ("localspec.access.guard", "from localspec.application.state import Application"),
        ("localspec.desktop.window", "from localspec.ui import page"),
        ("localspec.cli.main", "from localspec.ui import page"),
        ("localspec.unknown", "from localspec.errors import LocalSpecError"),
        ("localspec.models.files.check", "from localspec.models.llama import LlamaModel"),
        ("localspec.models.quantization.format_search", "from localspec.chat.template import ChatTemplate"),
        ("localspec.models.decode_times", "import llama_cpp"),
        ("localspec.models.decode_times", "from llama_cpp import llama_cpp"),
        ("localspec.models.llama", "import sentence_transformers"),
        ("localspec.chat.engine", "from tokenizers import Tokenizer"),
        ("localspec.stores.states.state_store", "import hnswlib"),
        ("localspec.chat.session", "import gradio as gr"),
        ("localspec.cli.main", "import gradio"),
        ("localspec.locks", "from localspec.errors import StoreError"),
        ("localspec.desktop.instance", "from filelock import FileLock"),
    ],
)
def test_a_forbidden_import_is_found(module, source):
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("localspec.errors", "from pathlib import Path"),
        ("localspec.models.llama", "import llama_cpp\nfrom localspec.errors import ModelError"),
        (
            "localspec.stores.library",
            "from localspec import config\nfrom . import ngrams\nfrom .ngrams import SuffixMatches",
        ),
        ("localspec.stores.vectors", "import hnswlib"),
        ("localspec.speculation.drafters.rest", "from localspec.stores.ngrams.ngram_store import NgramStore"),
        ("localspec.speculation.drafters.draft", "from localspec.models.draft import DraftModel"),
        ("localspec.chat.session", "from localspec.models.llama import LlamaModel"),
        ("localspec.ui.page", "import gradio\nfrom localspec.chat.session import Session"),
        ("localspec.cli.main", "from localspec.application.model_manager import ModelManager"),
        ("localspec.ui.exports", "from localspec.access.guard import Scope"),
    ],
)
def test_an_allowed_import_is_not_reported(module, source):
    assert violations(source, module) == []


def test_relative_imports_of_a_package_start_at_the_package():
    assert violations("from .llama import LlamaModel", "localspec.models", is_package=True) == []
    assert len(violations("from ..stores import ngrams", "localspec.models", is_package=True)) == 1
