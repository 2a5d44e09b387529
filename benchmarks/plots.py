"""Draws what benchmarks.peers and benchmarks.rows have saved, so that plots can change without measuring again.

usage: python -m benchmarks.plots FOLDER FILE.json …

From peers, by model: `speedup-MODEL.svg` (speed against our plain by category, and the best llama-server mode of each)
and `time-MODEL.svg` (where a token's time goes). From rows: `rows-MODEL.svg` (tokens per step against rows).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.figures import ALL, MT_BENCH, OURS, PARTS, PLAIN

INK = "#334155"
GRID = "#e2e8f0"
SERVER_COLOUR = "#94a3b8"
METHOD_COLOURS = {
    "plain": "#64748b",
    "auto": "#2563eb",
    "rest": "#b45309",
    "dresd": "#0d9488",
    "draft": "#7c3aed",
    "rasd": "#db2777",
    "prompt": "#ca8a04",
}
OTHER_COLOURS = ("#65a30d", "#0891b2", "#e11d48", "#4b5563")
"""For methods without a colour of their own."""
PART_COLOURS = {
    "drafting": "#7c3aed",
    "retrieval": "#b45309",
    "verification": "#93c5fd",
    "sampling": "#0d9488",
    "rest": "#94a3b8",
}
STYLE: dict[Any, Any] = {
    # Text stays text: small files, and the letters of whoever looks at them.
    "svg.fonttype": "none",
    # The same figures make the same file, so that a change in one is a change in figures.
    "svg.hashsalt": "localspec",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#94a3b8",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def colours_of(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method, the same in every plot that shows it beside the same others."""
    others = iter(OTHER_COLOURS * len(methods))
    return {method: METHOD_COLOURS.get(method) or next(others) for method in methods}


def speedups(model: str, figures: Mapping[str, Any]) -> Figure:
    """Bars by category: each of our methods and the best llama-server mode, against our plain. The line is plain; the
    thin strokes are 95% intervals."""
    peer_runs, groups = figures["contenders"], figures["groups"]
    methods = [name for name, values in peer_runs.items() if values["kind"] == OURS and name != PLAIN]
    colours = colours_of(methods)
    series = [(method, colours[method], [_against_plain(peer_runs, method, group) for group in groups])
              for method in methods]  # fmt: skip
    if figures["best_server"].get(ALL):
        bests = [_against_plain(peer_runs, figures["best_server"][group], group) for group in groups]
        series.append(("best llama-server mode of each", SERVER_COLOUR, bests))
    figure = Figure(figsize=(12.0 if len(groups) > 6 else 9.0, 4.4), layout="constrained")
    axes = figure.add_subplot()
    places = _with_gap(groups)
    width = 0.82 / max(1, len(series))
    for index, (label, colour, heights) in enumerate(series):
        across = places + (index - (len(series) - 1) / 2) * width
        axes.bar(across, heights, width * 0.94, color=colour, label=f"{label}: {heights[0]:.2f} over all")
        if label in peer_runs and "against_plain_interval" in peer_runs[label]["groups"][ALL]:
            axes.vlines(across[0], *peer_runs[label]["groups"][ALL]["against_plain_interval"], color=INK, linewidth=1.2)
    axes.axhline(1.0, color=INK, linewidth=1)
    names = ["MT-Bench" if group == MT_BENCH else group.replace("_", " ") for group in groups]
    axes.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.margins(x=0.01)
    axes.set_ylabel("speed ÷ our plain decoding")
    axes.grid(True, axis="y")
    _title(axes, f"{model}: decoding speed by category", len(series), 4 if len(groups) > 6 else 3)
    return figure


def _against_plain(peer_runs: Mapping[str, Any], name: str, group: str) -> float:
    return float(peer_runs[name]["groups"][group]["against_plain"])


def _with_gap(groups: Sequence[str]) -> NDArray[np.float64]:
    """Places of the groups: those of many categories stand apart."""
    wide = sum(group in (ALL, MT_BENCH) for group in groups)
    numbers = np.arange(len(groups), dtype=np.float64)
    return numbers + 0.5 * (numbers >= wide)


def time_parts(model: str, figures: Mapping[str, Any]) -> Figure:
    """Stacked bars: milliseconds of each of our methods per token, over all prompts, by part."""
    values = {
        name: peer_run["groups"][ALL]["milliseconds_per_token"]
        for name, peer_run in figures["contenders"].items()
        if "milliseconds_per_token" in peer_run["groups"][ALL]
    }
    figure = Figure(figsize=(7.6, 1.7 + 0.5 * len(values)), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(values))
    names = list(values)[::-1]  # the first on top
    for part in PARTS:
        widths = np.array([values[name][part] for name in names])
        axes.barh(names, widths, 0.62, left=left, color=PART_COLOURS[part], label=part)
        left += widths
    for place, total in enumerate(left):
        axes.annotate(f"{total:.2f}", (total, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, 1.1 * max(left, default=1.0))
    axes.set_xlabel("milliseconds per token, prefill excluded")
    axes.xaxis.grid(True)
    axes.yaxis.grid(False)
    _title(axes, f"{model}: where the time goes", len(PARTS), len(PARTS))
    return figure


def tokens_per_step(figures: Mapping[str, Any]) -> Figure:
    """Lines: tokens per step of each method over all prompts against the rows of a batch, on a logarithmic axis."""
    methods = figures["methods"]
    colours = colours_of(list(methods))
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log", base=2)
    shown: set[int] = set()
    ends: list[tuple[float, str]] = []
    for method, by_rows in methods.items():
        rows = sorted(int(count) for count in by_rows)
        values = [by_rows[str(count)][ALL]["tokens_per_step"] for count in rows]
        axes.plot(rows, values, marker="o", color=colours[method], label=method, linewidth=2)
        ends.append((values[-1], method))
        shown.update(rows)
    axes.set_xticks(sorted(shown), [str(count) for count in sorted(shown)])
    axes.minorticks_off()
    highest = max((value for value, _ in ends), default=1.0)
    axes.set_ylim(1.0, 1.0 + 1.08 * max(0.1, highest - 1.0))
    for place, (value, method) in zip(spread(sorted(ends), 0.05 * (highest - 1.0)), sorted(ends), strict=True):
        axes.annotate(
            f"{value:.2f} {method}", (max(shown), place), (8, 0), textcoords="offset points", va="center",
            color=colours[method], fontsize=10, annotation_clip=False,
        )  # fmt: skip
    axes.set_xlabel("rows of a verification batch, root included")
    axes.set_ylabel("tokens per step")
    axes.grid(True)
    axes.set_title(f"{_stem(figures['model'])}: tokens per step", loc="left", fontsize=12)
    return figure


def spread(ends: Sequence[tuple[float, str]], gap: float) -> list[float]:
    """Where the labels of values, ascending, are written: at least `gap` apart, moved up where they would meet."""
    places: list[float] = []
    for value, _ in ends:
        places.append(max(value, places[-1] + gap) if places else value)
    return places


def _title(axes: Axes, text: str, entries: int, columns: int) -> None:
    """A title, and under it the legend, where no bar can hide it."""
    columns = min(columns, max(1, entries))
    axes.set_title(text, loc="left", fontsize=12, pad=8 + 18 * -(-entries // columns))
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2, fontsize=10)


def draw(figures: Mapping[str, Any], folder: Path, suffix: str = ".svg") -> list[Path]:
    """Draw all that `figures` holds into `folder`; the files. Raises KeyError for figures of another kind."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        drawn: dict[str, Figure] = {}
        if figures["benchmark"] == "rows":
            drawn[f"rows-{_slug(figures['model'])}"] = tokens_per_step(figures)
        else:
            for model, values in figures["models"].items():
                drawn[f"speedup-{_slug(model)}"] = speedups(_stem(model), values)
                drawn[f"time-{_slug(model)}"] = time_parts(_stem(model), values)
        files = [folder / f"{name}{suffix}" for name in drawn]
        for file, figure in zip(files, drawn.values(), strict=True):
            # Without the date the same figures make the same file.
            metadata = {"Date": None} if suffix == ".svg" else None
            figure.savefig(file, facecolor="white", metadata=metadata, dpi=110)
    return files


def _stem(model: str) -> str:
    return model.removesuffix(".gguf")


def _slug(model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _stem(model).lower()).strip("-")


def main(words: Sequence[str] | None = None) -> None:
    """Draw the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--png", action="store_true", help="PNG instead of SVG")
    options = parser.parse_args(words)
    for file in options.files:
        figures = json.loads(file.read_text(encoding="utf-8"))
        print(*draw(figures, options.folder, ".png" if options.png else ".svg"), sep="\n")


if __name__ == "__main__":
    main()
