"""What the documents for developers name exists, and every module is named in one of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "localspec"
GUIDES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/design.md", "CONTRIBUTING.md")}
ROOMS = {
    file.parent: ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    for file in sorted(PACKAGE.rglob("__init__.py"))
    if file.parent != PACKAGE
}
SUFFIX = re.compile(r".*\.(py|cpp|h|cmake|css|js|toml|sh|bat|command|md|txt)")
MADE = re.compile(r"/.*|.*/\..*|stores/[^/]+\.\w+|models/catalogue\.toml")
"""What LocalSpec or a person makes, what the system has, and addresses of the page"""
LIBRARIES = {"psutil", "llama_cpp", "__all__", "avx2"}


def marked(text: str) -> list[str]:
    """What stands between single backticks in `text`, but for blocks of code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def is_path(word: str) -> bool:
    """Whether a marked word names a file or folder of the repository."""
    is_name = re.fullmatch(r"[\w./-]+", word) and not (MADE.fullmatch(word) and not (ROOT / word).exists())
    return bool(is_name and (SUFFIX.fullmatch(word) or "/" in word))


def found(word: str, folder: Path) -> Path | None:
    """The file or folder that `word` names in `folder`. A module goes without suffix, too, or with what it defines:
    `decode`, `speculation/decode.generate`, `state.Application`."""
    for path in dict.fromkeys((word, word.replace(".", "/"))):
        whole, _, defined = path.replace(".", "/").rpartition("/")
        for name in (path, f"{path}.py"):
            if (folder / name).exists():
                return folder / name
        module = folder / f"{whole}.py"
        if whole and module.is_file() and re.search(rf"\b{defined}\b", module.read_text(encoding="utf-8")):
            return module
    return None


def missing_paths(guide: str) -> list[str]:
    """The paths in a guide that don't exist.

    They begin in the repository or in `localspec/`. In a row of a table a bare name lies beside a path before it; in
    running text it may lie in any folder of code or tests.
    """
    missing = []
    anywhere = [*ROOMS, *(path for path in (ROOT / "tests").rglob("*/") if path.is_dir())]
    for line in re.sub(r"```.*?```", "", guide, flags=re.DOTALL).splitlines():
        folders = [ROOT, PACKAGE]
        for word in filter(is_path, marked(line)):
            place = next(filter(None, (found(word, folder) for folder in folders)), None)
            if place is not None:
                folders += [place, place.parent]
            elif line.startswith("|") or not any(found(word, folder) for folder in anywhere):
                missing.append(word)
    return missing


def missing_names(room: Path, docstring: str) -> list[str]:
    """What a room's docstring names that is no module or file in or above it, nor defined in the room."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in room.rglob("*.py")]
    defined = {
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    folders = [
        room,
        *room.parents[: len(room.relative_to(ROOT).parts)],
        *(each for each in ROOMS if room in each.parents),
    ]
    names = [word for word in marked(docstring) if is_path(word) or re.fullmatch(r"[a-z_]\w*(\.\w+)*", word)]
    return [
        word for word in names if word not in defined | LIBRARIES and not any(found(word, folder) for folder in folders)
    ]


@pytest.mark.parametrize("guide", GUIDES)
def test_paths_that_a_guide_names_exist(guide: str):
    assert len([word for word in marked(GUIDES[guide]) if is_path(word)]) > 10
    assert not missing_paths(GUIDES[guide])


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_what_a_room_says_of_itself_exists(room: Path):
    assert not missing_names(room, ROOMS[room])


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE)))
def test_every_module_is_named_by_its_room_or_in_the_design(room: Path):
    words = marked(ROOMS[room] + GUIDES["docs/design.md"])
    named = {part for word in words for part in re.split(r"[./ ]", word)}
    endings = tuple(word.removesuffix(".py").lstrip("…") for word in words if word.startswith("…"))
    modules = [file.stem for file in room.glob("*.py") if file.name != "__init__.py"]
    assert not [name for name in modules if name not in named and not name.endswith(endings or "\n")]


@pytest.mark.parametrize(
    "wrong",
    [
        "`endpoint/protocol.py`",
        "| a field | `endpoint/paths.py` | `protocol.py` |",
        "`chat/gone`",
        "`speculation/decode.gone`",
    ],
)
def test_a_path_that_is_gone_is_found(wrong: str):
    assert missing_paths(wrong)
    assert not missing_paths("| a field | `endpoint/paths.py` | `responses.py`, `models/.tuned/` |")


def test_a_module_that_is_gone_is_found():
    said = "`session` asks `gone`, as `turn.Turn` and `turn.Gone` say; see `models.choice`, `chat/gone.py`."
    assert missing_names(PACKAGE / "chat", said) == ["gone", "turn.Gone", "chat/gone.py"]
