"""`models list`, `models download` and `models check`: a small catalogue, its files on a server at 127.0.0.1."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from localspec.application import tuning_child
from localspec.cli import models as model_commands
from localspec.cli.main import application
from localspec.errors import DownloadError, ModelError, ModelFileError
from localspec.models.files import catalogue
from localspec.models.files import download as downloads
from localspec.models.files.catalogue import DEFAULT_MODEL, CatalogueEntry, resolve
from localspec.models.fit import memory
from localspec.models.quantization import format_search, formats
from localspec.models.quantization.quality import held_texts
from tests.models.files.hub import CONTENT, Hub, entry_of, running_hub
from tests.models.files.index import fill, pieces_of, running_index, use_index, with_pieces

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a target and its draft, and a catalogue that names them."""
    with running_hub() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(downloads, "_WAITS", (0.0, 0.0))
        listed = (
            entry_of(started, name="big", file="big.gguf", draft="small", licence="Licence [A]"),
            entry_of(started, name="small", file="small.gguf", licence="B"),
            entry_of(started, name="other", file="other.gguf", draft=DEFAULT_MODEL, vocabulary=10**12),
        )
        monkeypatch.setattr(catalogue, "catalogue_entries", lambda: listed)
        yield started


def run(*words: str) -> Result:
    """One command in this process."""
    return CliRunner().invoke(application, ["models", *words])


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_model_and_its_draft_are_downloaded(hub: Hub, home: Path) -> None:
    done = run("download", "big")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    for name in ("big", "small"):
        path = home / "models" / name / f"{name}.gguf"
        assert path.read_bytes() == CONTENT
        assert f"{name} is complete: {path}" in done.stderr
    assert "GiB are free" in done.stderr
    assert "draft small" in one_line(done.stderr)
    assert "Licence: Licence [A], B" in done.stderr
    again = run("download", "big")
    assert again.exit_code == 0
    assert again.stderr.count("is there already") == 2
    assert len(hub.asked) == 2


def test_the_pair_comes_from_the_package_index_where_the_hub_fails(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = pieces_of(CONTENT, 200_000)
    big = entry_of(hub, name="big", file="big.gguf", draft="small", recommended=True)
    listed = (with_pieces(big, pieces), with_pieces(entry_of(hub, name="small", file="small.gguf"), pieces))
    monkeypatch.setattr(catalogue, "catalogue_entries", lambda: listed)
    hub.statuses = [404, 404]
    with running_index() as index:
        use_index(index, monkeypatch, home)
        fill(index, CONTENT, pieces)
        done = run("download", "big")
    assert done.exit_code == 0, done.output
    for name in ("big", "small"):
        assert (home / "models" / name / f"{name}.gguf").read_bytes() == CONTENT
    said = one_line(done.stderr)
    assert said.count("(status 404). Trying the Python package index next.") == 2
    assert "big is now the default model" in said


def test_a_model_without_its_draft(hub: Hub, home: Path) -> None:
    done = run("download", "big", "--no-draft")
    assert done.exit_code == 0
    assert "draft small" not in one_line(done.stderr)
    assert len(hub.asked) == 1
    assert not (home / "models" / "small").exists()


def test_a_draft_that_comes_inside_a_package(hub: Hub, home: Path) -> None:
    done = run("download", "other")
    assert done.exit_code == 0
    assert len(hub.asked) == 1
    assert "does not fit" in done.stderr, "it is said, and the person decides"


def test_an_unknown_name(hub: Hub) -> None:
    done = run("download", "absent")
    assert isinstance(done.exception, ModelFileError)
    assert "big, small, other" in done.exception.message


def test_a_failure_leaves_the_way_on(hub: Hub, home: Path) -> None:
    hub.cuts = [50_000] + [0] * 10
    done = run("download", "small")
    assert isinstance(done.exception, DownloadError)
    assert "again to resume" in done.exception.advice
    hub.cuts = []
    assert run("download", "small").exit_code == 0
    assert hub.ranges_asked[-1] == "bytes=50000-"


@pytest.mark.parametrize("option", [[], ["--no-draft"]])
def test_ctrl_c_says_how_to_go_on(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]) -> None:
    real = downloads.download

    def interrupted(entry: CatalogueEntry, progress: Any, report: Any) -> Path:
        def stop(done: int, total: int) -> None:
            progress(done, total)
            if done >= 50_000:
                raise KeyboardInterrupt

        return real(entry, progress=stop)

    monkeypatch.setattr(model_commands, "download", interrupted)
    hub.hold_after = 50_000
    done = run("download", "big", *option)
    assert done.exit_code == 130
    assert one_line(done.stderr).endswith(" ".join(["Resume with: ./start.sh models download big", *option]))
    hub.hold_after = None
    monkeypatch.setattr(model_commands, "download", real)
    assert run("download", "big", *option).exit_code == 0
    assert hub.ranges_asked[1] == "bytes=50000-"


def test_the_lists_as_json(hub: Hub, home: Path) -> None:
    assert run("download", "small").exit_code == 0
    (home / "models" / "damaged.gguf").write_bytes(b"nothing")
    done = run("list", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    default, damaged, small, draft = found["installed"]
    assert draft["only_drafts"]
    assert draft["name"] == "smollm2-135m-draft"
    assert "only_drafts" not in default
    assert (default["name"], default["fits"]) == (DEFAULT_MODEL, True)
    assert default["memory"] > default["bytes"] + memory.EMBEDDER_BYTES
    assert "damaged.gguf" in damaged["problem"]
    assert small["file"] == str(home / "models" / "small" / "small.gguf")
    listed = {figures["name"]: figures for figures in found["catalogue"]}
    assert {name: figures["installed"] for name, figures in listed.items()} == {
        "big": False, "small": True, "other": False,
    }  # fmt: skip
    assert listed["big"]["draft"] == "small"
    assert listed["big"]["bytes"] == len(CONTENT)
    assert (listed["big"]["licence"], listed["big"]["fits"]) == ("Licence [A]", True)
    assert listed["other"]["fits"] is False
    assert listed["big"]["memory"] > listed["small"]["memory"]


def test_the_lists_for_people(hub: Hub, home: Path) -> None:
    assert run("download", "small").exit_code == 0
    done = run("list")
    assert done.exit_code == 0, done.output
    lines = {words[0]: line for line in done.stdout.splitlines() if len(words := re.findall(r"[^\s│]+", line)) > 2}
    assert "fits" in lines[DEFAULT_MODEL]
    assert "installed" in lines["small"]
    assert "Licence [A]" in lines["big"]
    assert "does not fit" in lines["other"]
    assert "Recommended" not in done.stdout


def test_the_list_names_the_model_to_get_first(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big, *others = catalogue.catalogue_entries()
    monkeypatch.setattr(catalogue, "catalogue_entries", lambda: (replace(big, recommended=True), *others))
    advice = "Recommended: ./start.sh models download big."
    assert advice in run("list").stdout
    assert run("download", "big").exit_code == 0
    assert advice not in run("list").stdout
    monkeypatch.setattr(catalogue, "catalogue_entries", lambda: (replace(others[1], recommended=True),))
    assert "Recommended" not in run("list").stdout, "it does not fit"


def test_a_larger_context_needs_more(hub: Hub, home: Path) -> None:
    few, many = (json.loads(run("list", "--json", "--context", context).stdout) for context in ("512", "4096"))
    assert many["installed"][0]["memory"] - few["installed"][0]["memory"] == (4096 - 512) * 23_040


def test_the_packaged_model_passes(home: Path) -> None:
    path = resolve("").path
    done = run("check", DEFAULT_MODEL, "--draft", str(path), "--context", "512")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert done.stderr.count(hashlib.sha256(path.read_bytes()).hexdigest()) == 2
    assert "cache of 512 tokens" in one_line(done.stderr)
    assert "its cache" in one_line(done.stderr)


def test_too_little_memory_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EMBEDDER_BYTES", 2**60)
    done = run("check", DEFAULT_MODEL)
    assert done.exit_code == 1
    assert "does not fit" in one_line(done.stderr)


def test_tune_and_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One other type and two pieces of text; whichever is faster here, the commands tell the same figures."""
    monkeypatch.setattr(formats, "TRIED", ("Q8_0",))
    monkeypatch.setattr(tuning_child, "held_texts", lambda: held_texts()[:2])
    monkeypatch.setattr(format_search, "_MIXED_TYPES", 0)
    nothing = run("tune", "--undo", "--threads", "1")
    assert isinstance(nothing.exception, ModelError)
    assert "not been tuned" in nothing.exception.message

    done = run("tune", "--threads", "1", "--all", "--json")
    assert done.exit_code == 0, done.output
    assert "GB of disk" in one_line(done.stderr)
    found = json.loads(done.stdout)
    original, other = found["formats"]
    assert (original["format"], original["note"]) == ("Q4_1, head Q8_0", "original")
    assert other["format"] == "Q8_0"
    assert 0 < other["mean_divergence"] < 0.02
    assert {"1", "2", "4", "8", "16"} <= set(other["milliseconds"])
    assert found["in_use"] == bool(found["file"])
    for one in found["formats"]:
        assert one["least_gain"] <= one["gain"] <= one["most_gain"]
        assert one["tokens_per_second"] == pytest.approx(one["gain"] * original["tokens_per_second"])

    again = run("tune", "--threads", "1")
    assert again.exit_code == 0, again.output
    for text in ("Q4_1, head Q8_0", "T(16)", f"{other['mean_divergence']:.4f}"):
        assert text in again.stdout
    if found["file"]:
        assert "from the next start on" in one_line(again.stderr)
        undone = run("tune", "--undo", "--threads", "1", "--json")
        assert undone.exit_code == 0
        assert json.loads(undone.stdout)["in_use"] is False
        assert not Path(found["file"]).exists()
    else:
        assert "stays as it is" in one_line(again.stderr)


def test_what_is_no_model(hub: Hub, home: Path) -> None:
    (home / "page.gguf").write_bytes(b"<html>")
    for wanted, said in ((str(home / "page.gguf"), "web page"), ("big", "not on this computer yet")):
        done = run("check", wanted)
        assert isinstance(done.exception, ModelFileError)
        assert said in done.exception.message


def test_as_people_start_it(home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    command = [sys.executable, "-m", "localspec", "models"]
    for words, status, said in (
        (["download", "absent"], 1, "no model called 'absent' in the catalogue"),
        (["check", "qwen3-4b"], 1, "./start.sh models download qwen3-4b"),
    ):
        done = subprocess.run(
            [*command, *words], cwd=home, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300
        )
        assert done.returncode == status
        assert said in one_line(done.stderr)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
