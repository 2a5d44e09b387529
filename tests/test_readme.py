"""The README's commands exist as it writes them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from localspec.cli.main import application

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
APPLICATION = {"--setup-only", *re.findall(r'"(--[a-z-]+)"', (ROOT / "app.py").read_text(encoding="utf-8"))}
"""Options of the application, and of its starter"""
CHECKS = set(re.findall(r"= (--[a-z-]+) \]", (ROOT / "test.sh").read_text(encoding="utf-8")))
"""Options of test.sh; what else it is given goes to pytest"""
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(command: str):
    script, *words = shlex.split(command)
    assert (ROOT / script).is_file()
    assert (ROOT / script).stat().st_mode & 0o111, "not executable"
    if not words or words[0].startswith("--"):
        known = CHECKS if script.endswith("test.sh") else APPLICATION
        assert {word for word in words if word.startswith("--")} <= known
        return
    group = typer.main.get_command(application)
    assert isinstance(group, TyperGroup)
    subcommand = group.commands[words[0]]
    if isinstance(subcommand, TyperGroup):
        subcommand = subcommand.commands[words[1]]
    known = {option for parameter in subcommand.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_files_that_the_readme_names_exist():
    for name in re.findall(r"\]\(([\w/.-]+)\)|`(docs/[\w.]+|start\.\w+)`", README):
        path = next(part for part in name if part)
        assert (ROOT / path).exists(), path


def test_options_that_the_readme_names_exist():
    group = typer.main.get_command(application)
    assert isinstance(group, TyperGroup)
    known = {
        option
        for command in group.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= APPLICATION
    assert set(re.findall(r"`(--[a-z-]+)", README)) <= known
