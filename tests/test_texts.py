"""The sentences of the window and the command line: each is used somewhere, under one name."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from localspec import texts

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "localspec" / "texts.py"


def defined() -> list[str]:
    """Names of the sentences and functions, in their order."""
    names = []
    for node in ast.parse(TEXTS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and _is_stored(name)]
    return names


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def used(file: Path) -> set[str]:
    """Names of `texts` that a module uses: `texts.NAME`, or imported from it; in `texts` itself any that it reads."""
    tree, found = ast.parse(file.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "texts":
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == "localspec.texts":
            found |= {name.name for name in node.names}
        elif file == TEXTS and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
    return found


def test_every_text_is_used() -> None:
    files = [*(ROOT / "localspec").rglob("*.py"), ROOT / "app.py"]
    names = set().union(*map(used, files))
    assert [name for name in defined() if name not in names] == []


def test_every_name_is_given_once() -> None:
    assert [name for name, count in Counter(defined()).items() if count > 1] == []


def words(value: object) -> list[str]:
    """The sentences in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [word for one in value for word in words(one)] if isinstance(value, list | tuple) else []


def test_texts_do_not_shout_and_use_one_kind_of_quotes() -> None:
    shown = [text for name in defined() if name.isupper() for text in words(getattr(texts, name))]
    assert [text for text in shown if "!" in text or '"' in text or "..." in text] == []
