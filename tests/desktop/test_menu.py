"""The entry in the applications menu, read as the specification says and started for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from localspec.desktop import menu
from localspec.errors import SettingsError

ODD = """it's 100% "my" $HOME `folder` \\ with = and ü"""
KEYS = {"Type", "Version", "Name", "Comment", "Exec", "TryExec", "Icon", "Terminal", "Categories", "Keywords"}


def value(file: Path, key: str) -> str:
    """A string of the entry, with its escapes resolved."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "[Desktop Entry]"
    (found,) = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    meaning = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda escape: meaning[escape.group(1)], found)


def words(command: str) -> list[str]:
    """The words of an Exec line. Outside quotes nothing special may stand."""
    found = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', command):
        assert not re.search(r"""["'\\><~|&;$*?#()`]""", bare)
        found.append(re.sub(r'\\(["`$\\])', r"\1", quoted).replace("%%", "%") if quoted else bare)
    return found


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    """A start script that says what it was started with, in a folder that needs quoting."""
    script = tmp_path / ODD / "start.sh"
    script.parent.mkdir()
    script.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "started $#" "$LOCALSPEC_HOME"\n', encoding="utf-8")
    return script


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "person"), "PATH": os.environ["PATH"]}


def test_the_entry_starts_what_it_was_made_for(starter: Path, environment: dict[str, str], tmp_path: Path) -> None:
    data = tmp_path / ODD / "stores of mine"
    file = menu.install({**environment, "LOCALSPEC_HOME": str(data)}, starter)
    assert file == tmp_path / "person/.local/share/applications/localspec.desktop"
    assert {line.partition("=")[0] for line in file.read_text().splitlines()[1:]} == KEYS
    assert value(file, "TryExec") == str(starter)
    assert value(file, "Terminal") == "false"
    assert ElementTree.parse(value(file, "Icon")).getroot().tag.endswith("svg")
    command = words(value(file, "Exec"))
    assert command == ["env", f"LOCALSPEC_HOME={data}", "bash", str(starter)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert said == f"started 0\n{data}\n"


def test_the_usual_folder_needs_no_setting(starter: Path, environment: dict[str, str]) -> None:
    file = menu.install(environment, starter)
    assert words(value(file, "Exec")) == ["bash", str(starter)]


def test_the_entry_is_valid(starter: Path, environment: dict[str, str]) -> None:
    validator = shutil.which("desktop-file-validate")
    if validator is None:
        pytest.skip("desktop-file-validate is not installed")
    answer = subprocess.run([validator, menu.install(environment, starter)], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "")


def test_its_lines_are_those_of_the_specification(starter: Path, environment: dict[str, str]) -> None:
    for line in menu.install(environment, starter).read_text(encoding="utf-8").splitlines()[1:]:
        key, _, given = line.partition("=")
        assert re.fullmatch(r"[A-Za-z0-9-]+", key)
        assert given == given.strip()
        assert not re.search(r"\\[^sntr\\]", given.replace(r"\\", "")), "only these escapes are known"
        if key in ("Categories", "Keywords"):
            assert given.endswith(";")


def test_writing_twice_replaces_and_removing_leaves_nothing(starter: Path, environment: dict[str, str]) -> None:
    first = menu.install({**environment, "LOCALSPEC_HOME": "/elsewhere"}, starter)
    assert menu.install(environment, starter) == first
    assert "LOCALSPEC_HOME" not in first.read_text()
    icon = Path(value(first, "Icon"))
    assert menu.remove(environment) == [first, icon]
    assert not first.exists()
    assert not icon.exists()
    assert menu.remove(environment) == []


def test_the_data_folder_of_the_person_is_followed(starter: Path, environment: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {**environment, "XDG_DATA_HOME": str(tmp_path / "data")}
    assert menu.install(elsewhere, starter) == tmp_path / "data/applications/localspec.desktop"
    relative = {**environment, "XDG_DATA_HOME": "data"}
    assert menu.install(relative, starter) == tmp_path / "person/.local/share/applications/localspec.desktop"


def test_what_cannot_be_is_said(starter: Path, environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing/start\.sh is missing"):
        menu.install(environment, tmp_path / "missing" / "start.sh")
    (tmp_path / "person").write_text("in the way")
    with pytest.raises(SettingsError, match="could not be written"):
        menu.install(environment, starter)


def test_the_starter_of_this_checkout_is_there() -> None:
    assert menu.STARTER.is_file()
