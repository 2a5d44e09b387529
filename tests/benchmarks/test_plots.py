"""Plots from small figures: the files are there, say what they show, and do not change by themselves."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import PARTS, summary
from benchmarks.plots import METHOD_COLOURS, colours_of, draw, main, spread
from tests.benchmarks.test_figures import KINDS, SECONDS, records

ROWS = {
    "benchmark": "rows",
    "model": "small.BF16.gguf",
    "groups": ["all"],
    "methods": {
        "rest": {"4": {"all": {"tokens_per_step": 1.5}}, "16": {"all": {"tokens_per_step": 1.93}}},
        "another": {"4": {"all": {"tokens_per_step": 1.25}}, "16": {"all": {"tokens_per_step": 2.41}}},
    },
}


@pytest.fixture
def peers() -> dict[str, Any]:
    """Figures of a comparison on one model."""
    figures = summary(records(SECONDS), KINDS)
    for name in ("plain", "rest"):
        figures["contenders"][name]["groups"]["all"]["milliseconds_per_token"] = dict.fromkeys(PARTS, 1.5)
    return {"benchmark": "peers", "models": {"small.BF16.gguf": figures}}


def texts(file: Path) -> list[str]:
    """What a picture says."""
    return [text.strip() for text in ElementTree.parse(file).getroot().itertext() if text.strip()]


def test_peers_become_two_pictures_for_each_model(peers, tmp_path):
    speedup, parts = draw(peers, tmp_path / "pictures")
    assert (speedup.name, parts.name) == ("speedup-small-bf16.svg", "time-small-bf16.svg")
    said = texts(speedup)
    for wanted in (
        "all",
        "MT-Bench",
        "writing",
        "qa",
        "rest: 1.33 over all",
        "best llama-server mode of each: 1.11 over all",
    ):
        assert wanted in said
    assert "small.BF16: decoding speed by category" in said
    said = texts(parts)
    assert set(PARTS) <= set(said)
    assert said.count("7.50") == 2  # plain and rest, five parts of 1.5 each


def test_rows_become_a_picture(tmp_path):
    (file,) = draw(ROWS, tmp_path)
    assert file.name == "rows-small-bf16.svg"
    said = texts(file)
    for wanted in ("4", "16", "1.93 rest", "2.41 another", "small.BF16: tokens per step"):
        assert wanted in said


def test_the_same_figures_make_the_same_small_file(peers, tmp_path):
    for figures in (peers, ROWS):
        for first, second in zip(draw(figures, tmp_path / "a"), draw(figures, tmp_path / "b"), strict=True):
            assert first.read_bytes() == second.read_bytes()
            assert first.stat().st_size < 40_000


def test_a_method_keeps_its_colour_and_no_two_share_one():
    assert colours_of(["rest", "auto"])["auto"] == METHOD_COLOURS["auto"]
    colours = colours_of([*METHOD_COLOURS, "rasd-rest", "rasd-dresd", "rasd-prompt"])
    assert len(set(colours.values())) == len(colours)


def test_saved_figures_are_drawn_again(peers, tmp_path, capsys):
    (tmp_path / "peers.json").write_text(json.dumps(peers), encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS), encoding="utf-8")
    main([str(tmp_path / "out"), str(tmp_path / "peers.json"), str(tmp_path / "rows.json"), "--png"])
    drawn = [Path(line) for line in capsys.readouterr().out.split()]
    assert [file.name for file in drawn] == ["speedup-small-bf16.png", "time-small-bf16.png", "rows-small-bf16.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in drawn)


def test_without_servers_there_are_only_our_bars(tmp_path):
    kinds = {"plain": "ours", "rest": "ours"}
    figures = summary(records({name: SECONDS[name] for name in kinds}), kinds)
    speedup, _ = draw({"benchmark": "peers", "models": {"m": figures}}, tmp_path)
    assert not any("server" in text for text in texts(speedup))


def test_labels_that_would_meet_move_up():
    assert spread([(1.0, "a"), (1.25, "b"), (3.0, "c"), (3.0, "d")], 0.5) == [1.0, 1.5, 3.0, 3.5]
    assert spread([], 0.5) == []
