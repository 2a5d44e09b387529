"""The benchmark on the shipped model: what it reads, what it measures, and the shape of its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localspec.chat.engine import Engine
from localspec.chat.library_setup import ingest, open_library
from localspec.cli.bench import (
    ALL,
    TABLE_HEADER,
    BenchSettings,
    MethodRun,
    Prompt,
    compare_methods,
    read_prompts,
    summary,
    table,
)
from localspec.errors import SettingsError
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.measurements import measurements

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 24
FIGURES = {
    "tokens", "seconds", "tokens_per_second", "steps", "tokens_per_step", "drafted", "accepted", "acceptance_rate",
    "accepted_length", "mean_acceptance_length", "speedup", "diverged",
}  # fmt: skip
TIDE = "The tide at Velm rises by nine metres in spring, and ships enter the harbour only at high water."
PROMPTS = [
    Prompt("copying", f"Repeat this sentence twice: {TIDE}"),
    Prompt("copying", "Say these words again: red granite, red granite, red granite, red granite."),
    Prompt("writing", "Write one sentence about the sea."),
    Prompt("writing", "Count from one to twenty."),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Takes the place of the checkout."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(measurements.lend(folder)))
        yield folder


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    """The shipped model."""
    loaded = Engine("", LoadSettings(context=1024, threads=1))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def library(home: Path, engine: Engine) -> Iterator[Library]:
    """A library whose words the prompts use."""
    opened = open_library(engine, "bench")
    assert ingest(opened, [make_pdf(home / "tide.pdf", [TIDE])], lambda text: None) == []
    yield opened
    opened.close()


def contest(
    engine: Engine, library: Library | None, settings: BenchSettings, prompts: list[Prompt] | None = None
) -> tuple[list[MethodRun], dict[str, Any]]:
    """A run, and its figures."""
    runs = compare_methods(engine, library, prompts or PROMPTS, settings, lambda done, total: None, pytest.fail)
    return runs, summary(engine, runs)


def lines(path: Path, *texts: str) -> Path:
    """A file of lines."""
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def test_prompts_are_read_in_their_order(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "prompts.jsonl",
        '{"question_id": 1, "category": "writing", "turns": ["first", "second"]}',
        "",
        '{"category": "coding", "turns": ["über\u2028two lines"]}',
        '{"category": "writing", "turns": ["third"]}\r',
        "",
    )
    assert read_prompts(file) == [
        Prompt("writing", "first"),
        Prompt("coding", "über\u2028two lines"),
        Prompt("writing", "third"),
    ]
    assert [prompt.text for prompt in read_prompts(file, 1)] == ["first", "über\u2028two lines"]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "not JSON",
        "[]",
        "7",
        "null",
        '{"category": "writing"}',
        '{"turns": ["text"]}',
        '{"category": "writing", "turns": []}',
        '{"category": "writing", "turns": 3}',
        '{"category": "writing", "turns": "text"}',
        '{"category": "writing", "turns": [3]}',
        '{"category": "writing", "turns": {"0": "text"}}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    file = lines(tmp_path / "prompts.jsonl", '{"category": "writing", "turns": ["text"]}', "", bad)
    with pytest.raises(SettingsError, match=r"prompts\.jsonl, line 3 ") as caught:
        read_prompts(file)
    assert "turns" in caught.value.advice


def test_files_without_prompts(tmp_path: Path) -> None:
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("absent.jsonl", "binary.jsonl"):
        with pytest.raises(SettingsError, match=name):
            read_prompts(tmp_path / name)
    with pytest.raises(SettingsError, match="holds no prompts"):
        read_prompts(lines(tmp_path / "empty.jsonl", "", "  "))


def check_shape(figures: dict[str, Any], methods: list[str], categories: list[str]) -> None:
    """Hold the figures against the form that scripts rely on."""
    assert set(figures) == {"model", "format", "device", "methods"}
    assert figures["model"] == "smollm2-135m"
    assert "1 threads" in figures["device"]
    assert list(figures["methods"]) == methods
    for method in figures["methods"].values():
        assert list(method) == [ALL, *categories]
        for values in method.values():
            assert set(values) >= FIGURES
            assert values["tokens"] == pytest.approx(values["steps"] + values["accepted"], abs=values["prompts"])
        for counted in ("tokens", "steps", "drafted", "accepted", "diverged", "prompts"):
            assert method[ALL][counted] == sum(method[category][counted] for category in categories)


def test_drafts_change_no_greedy_text(engine: Engine, library: Library) -> None:
    runs, figures = contest(engine, library, BenchSettings(("rest",), max_tokens=TOKENS))
    check_shape(figures, ["plain", "rest"], ["copying", "writing"])
    plain, rest = figures["methods"]["plain"], figures["methods"]["rest"]
    for category in (ALL, "copying", "writing"):
        assert rest[category]["diverged"] == plain[category]["diverged"] == 0
        assert rest[category]["tokens"] == plain[category]["tokens"] > 0
        assert plain[category]["speedup"] == pytest.approx(1.0)
        assert plain[category]["drafted"] == 0
        expected = rest[category]["tokens_per_second"] / plain[category]["tokens_per_second"]
        assert rest[category]["speedup"] == pytest.approx(expected)
    rows = list(table(runs, figures))
    assert len(rows) == 6
    assert all(len(row) == len(TABLE_HEADER) for row in rows)
    assert rows[1][:2] == ("all", "rest")
    assert rows[1][-1] == "0/4"


@pytest.mark.parametrize("sizing", ["device", "paper"])
def test_four_rows_hold_three_drafts(engine: Engine, library: Library, sizing: str) -> None:
    settings = BenchSettings(("rest",), sizing, rows=4, max_tokens=TOKENS)
    runs, figures = contest(engine, library, settings, PROMPTS[:2])
    rest = figures["methods"]["rest"][ALL]
    assert rest["drafted"] <= 3 * runs[1].scores[ALL].metrics.drafted_steps <= 3 * rest["steps"]
    assert rest["diverged"] == 0
    if sizing == "paper":
        assert rest["drafted"] > 0


def test_published_rest_drafts_wide_trees_from_the_library_only(engine: Engine, library: Library) -> None:
    runs, figures = contest(engine, library, BenchSettings(("rest",), "paper", max_tokens=TOKENS), PROMPTS[:2])
    rest = figures["methods"]["rest"][ALL]
    assert rest["diverged"] == 0
    assert rest["drafted"] > 3 * runs[1].scores[ALL].metrics.drafted_steps > 0
    assert set(runs[1].scores[ALL].metrics.by_source) <= {"REST", "target"}
    assert 0 < rest["accepted"] <= rest["drafted"]
    _, without = contest(engine, None, BenchSettings(("rest",), "paper", max_tokens=8), PROMPTS[:1])
    assert without["methods"]["rest"][ALL]["drafted"] == 0


def test_a_seed_draws_the_same_text_with_drafts(engine: Engine, library: Library) -> None:
    sampling = SamplingSettings(temperature=0.8, seed=5)
    settings = BenchSettings(("rest",), "paper", max_tokens=TOKENS, sampling=sampling)
    _, figures = contest(engine, library, settings, PROMPTS[:2])
    assert figures["methods"]["rest"][ALL]["diverged"] == 0


def test_a_category_called_all_is_counted_once(engine: Engine) -> None:
    _, figures = contest(engine, None, BenchSettings((), max_tokens=4), [Prompt(ALL, "Hello.")])
    assert figures["methods"]["plain"][ALL]["prompts"] == 1
    assert figures["methods"]["plain"][ALL]["tokens"] <= 4


def test_prompts_that_are_too_long_are_left_out_with_a_word(engine: Engine) -> None:
    said: list[str] = []
    long = Prompt("long", "tide " * 1200)
    settings = BenchSettings((), max_tokens=4)
    runs = compare_methods(engine, None, [long, PROMPTS[2]], settings, lambda done, total: None, said.append)
    assert runs[0].scores[ALL].prompts == 1
    assert len(said) == 1
    assert "prompt 1 (long)" in said[0]
    with pytest.raises(SettingsError, match="No prompt fits"):
        compare_methods(engine, None, [long], settings, lambda done, total: None, said.append)


def test_the_command_ends_with_a_line_of_json(home: Path, engine: Engine, tmp_path: Path) -> None:
    records = [json.dumps({"category": prompt.category, "turns": [prompt.text]}) for prompt in PROMPTS]
    file = lines(tmp_path / "prompts.jsonl", *records)
    words = ["bench", "--prompts", str(file), "--methods", "rest", "--limit-per-category", "1", "--max-tokens", "12"]
    done = subprocess.run(
        [sys.executable, "-m", "localspec", *words, "--rows", "4", "--threads", "1", "--context", "1024"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *shown, last = done.stdout.rstrip("\n").split("\n")
    figures = json.loads(last)
    check_shape(figures, ["plain", "rest"], ["copying", "writing"])
    assert figures["methods"]["rest"][ALL]["diverged"] == 0
    assert figures["methods"]["rest"][ALL]["drafted"] <= 3 * figures["methods"]["rest"][ALL]["steps"]
    assert any("speedup" in line for line in shown)
