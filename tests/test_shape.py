"""The shape of the package: modules, functions and classes that can be read at once, and names that mean one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_rooms import PACKAGE, modules

MODULE_LINES = 400
FUNCTION_LINES = 60
PUBLIC_METHODS = 20
ROOM_MEAN_LINES = 250
SENTENCES = "localspec.texts"
"""The one module that may be longer: the sentences, in the order of the page."""
SAME_NAMES = {
    "localspec.cli.models": "the commands about the room of this name",
    "localspec.endpoint.access": "who may come in there, as `access` is for the page",
}
"""Modules that share the last part of their name with another one, and why."""


def length(file: Path) -> int:
    """Lines of a module."""
    return len(file.read_text(encoding="utf-8").splitlines())


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Everything that is written in the package, with the module it stands in."""
    for name, file in modules():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            yield name, node


def test_modules_are_short() -> None:
    long = {name: length(file) for name, file in modules() if name != SENTENCES and length(file) > MODULE_LINES}
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, node in nodes()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    }
    assert long == {}


def test_classes_have_few_public_methods() -> None:
    wide = {}
    for name, node in nodes():
        if isinstance(node, ast.ClassDef):
            methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
            public = {one for one in methods if not one.startswith("_")}
            if len(public) > PUBLIC_METHODS:
                wide[f"{name}.{node.name}"] = len(public)
    assert wide == {}


def test_rooms_consist_of_modules_of_a_moderate_length() -> None:
    lengths: dict[str, list[int]] = defaultdict(list)
    for name, file in modules():
        if file.name != "__init__.py" and name != SENTENCES and name != "localspec.__main__":
            lengths[name.rpartition(".")[0]].append(length(file))
    means = {room: sum(found) / len(found) for room, found in lengths.items()}
    assert {room: round(mean) for room, mean in means.items() if mean > ROOM_MEAN_LINES} == {}


def test_classes_have_names_of_their_own() -> None:
    """Those that no other module sees, which begin with an underscore, may be called alike."""
    places: dict[str, list[str]] = defaultdict(list)
    for name, node in nodes():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_have_names_of_their_own() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name, _ in modules():
        if name not in SAME_NAMES:
            places[name.rpartition(".")[2]].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_exception_is_needed() -> None:
    names = [name for name, _ in modules()]
    lasts = [name.rpartition(".")[2] for name in names]
    assert [name for name in SAME_NAMES if name not in names or lasts.count(name.rpartition(".")[2]) < 2] == []


def test_rooms_say_what_they_hold() -> None:
    silent = []
    for file in sorted(PACKAGE.rglob("__init__.py")):
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))):
            silent.append(str(file.relative_to(PACKAGE)))
    assert silent == []


# -- no module imports itself by way of others ------------------------------------------------------------------------


def imported(source: str, module: str, known: set[str], *, is_package: bool = False) -> set[str]:
    """The modules of `known` that a module imports at its top, also for type checkers alone."""
    found = set()
    for node in _top_level(ast.parse(source).body):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        else:
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                base = ".".join([*parts[: len(parts) - node.level + is_package], *([base] if base else [])])
            for name in node.names:
                whole = f"{base}.{name.name}"
                found.add(whole if whole in known else base)
    return (found & known) - {module}


def _top_level(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports outside of functions and classes, also under a condition."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, part, []))


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one again at the end; empty where there are none."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for other in sorted(imports.get(module, ())):
            if found := visit(other, [*way, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(imports) if (found := visit(module, []))), [])


def test_no_modules_import_each_other() -> None:
    known = {name for name, _ in modules()}
    imports = {
        name: imported(file.read_text(encoding="utf-8"), name, known, is_package=file.name == "__init__.py")
        for name, file in modules()
    }
    assert circle(imports) == []


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
        ({"a": {"a"}}, ["a", "a"]),
    ],
)
def test_a_circle_is_found(imports: dict[str, set[str]], expected: list[str]) -> None:
    assert circle(imports) == expected


def test_what_only_type_checkers_import_counts() -> None:
    source = "if TYPE_CHECKING:\n    from a.b import C\ndef later():\n    import a.c\n"
    assert imported(source, "a.d", {"a", "a.b", "a.c", "a.d"}) == {"a.b"}
    assert imported("from . import b\nfrom .c import X", "a", {"a", "a.b", "a.c"}, is_package=True) == {"a.b", "a.c"}
