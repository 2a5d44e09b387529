"""Recorded replies on another device: a method against plain decoding with the T(k) that was measured there.

    python -m benchmarks.replay --recordings FILE.pickle --device h200-1.5b [--method rasd] [--draft-level MS]

`benchmarks/devices.json` has the devices. The real loop, drafters and policy run; decodes take their time on a clock
that is set forward. What is ours takes the processor time that it takes here, without what a step takes to sample and
to keep its path, which `benchmarks.overhead` measures: `--step-cost` adds so much to every step, plain ones included.
`--change`: milliseconds that a decode takes longer after another size, where each size has its graph
(`localspec/native/graphs.cpp`), which is built anew when the text grows; `one-graph`: with llama.cpp's own, which is
built at each change. `--pauses`: a CUDA device gives graphs up that were not used for ten seconds. `--draft-level`: of
a decode of the draft model there; without it none is used. Methods draft from the chat alone, without a library. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import ALL, MT_BENCH, MT_BENCH_TOPICS
from benchmarks.recordings import Recording, Recordings, ReplayDraft, ReplayTarget, load
from localspec.models.decode_times import interpolate
from localspec.models.draft import DraftModel
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import SteadyTimes, ThroughputAverage
from localspec.speculation.decode import generate
from localspec.speculation.drafters.auto import AutoDrafter, Gates, new_gates
from localspec.speculation.drafters.dresd import DresdDrafter, HybridDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.interface import Drafter
from localspec.speculation.policy import CostBudget
from localspec.speculation.tree_size import break_even_probability

ONE_GRAPH = "one-graph"
AUTO = "auto"
METHODS = (AUTO, "rest", "dresd", "draft", "rasd")
DEVICES = Path(__file__).with_name("devices.json")


@dataclass(slots=True)
class Figures:
    """Of one category."""

    plain_seconds: float = 0.0
    seconds: float = 0.0
    tokens: int = 0
    steps: int = 0
    changes: int = 0


@dataclass(slots=True)
class Device:
    """T(k) in seconds, what a change of size adds, and what every step takes beside."""

    seconds: NDArray[np.float64]
    change: float
    build: float
    """what a decode takes longer for which there is no graph"""
    keeps: bool
    """graphs last from one reply to the next"""
    step_cost: float
    draft_level: float
    """seconds; 0 = no draft model"""
    method: str = AUTO


@dataclass(slots=True)
class Replies:
    """What is learnt over the replies of a run, as one engine has it."""

    device: Device
    acceptance: Acceptance = field(default_factory=Acceptance)
    throughput: ThroughputAverage = field(default_factory=ThroughputAverage)
    gates: Gates = field(default_factory=new_gates)
    graphs: dict[int, int] = field(default_factory=dict)

    def play(self, reply: Recording, *, drafted: bool) -> Figures:
        """One reply, with the device's method or without drafts."""
        device = self.device
        if not device.keeps:
            self.graphs.clear()
        target = ReplayTarget(reply, device.seconds, device.change, device.build, self.graphs)
        times = SteadyTimes(device.seconds, device.change, device.build)
        budget = CostBudget(times, self.acceptance, 65, throughput=self.throughput, estimated=device.method == AUTO)
        drafters = self._drafters(reply, target, budget) if drafted else []
        count = len(reply.tokens) - reply.reply_start
        figures = Figures(tokens=count)
        for step in generate(target, target, drafters, reply.tokens[: reply.reply_start], budget, count, target.clock):
            figures.steps += 1
            figures.seconds += step.seconds + device.step_cost
        figures.changes = target.changes
        return figures

    def _drafters(self, reply: Recording, target: ReplayTarget, budget: CostBudget) -> list[Drafter]:
        """As `chat.methods` has them where there is no library."""
        device = self.device
        model = None
        if device.draft_level and reply.drafts:
            replayed = cast(DraftModel, ReplayDraft(reply, device.draft_level))
            least = break_even_probability(device.seconds)
            model = ModelDrafter(replayed, least, float(device.seconds[1]), alone=device.method == "draft")
        if device.method == AUTO:
            recycled = RecycledTokens(target.likeliest)
            return [AutoDrafter(budget, draft=model, recycled=recycled, gates=self.gates)]
        prompt: Drafter = PromptDrafter()
        if device.method == "dresd":
            return [HybridDrafter([prompt], DresdDrafter(None))]
        if device.method == "rest":
            return [prompt]
        if model is None:
            raise ValueError(f"{device.method} needs recorded drafts and --draft-level")
        return [model] if device.method == "draft" else [RasdDrafter(model, [prompt])]


def replay(recordings: Recordings, device: Device) -> dict[str, Figures]:
    """By category of Spec-Bench, and `all`."""
    auto, plain = Replies(device), Replies(device)
    found: dict[str, Figures] = defaultdict(Figures)
    for reply in recordings.replies:
        if len(reply.tokens) - reply.reply_start < 2:
            continue
        drafted, without = auto.play(reply, drafted=True), plain.play(reply, drafted=False)
        for category in (ALL, MT_BENCH if reply.category in MT_BENCH_TOPICS else reply.category):
            figures = found[category]
            figures.plain_seconds += without.seconds
            figures.seconds += drafted.seconds
            figures.tokens += drafted.tokens
            figures.steps += drafted.steps
            figures.changes += drafted.changes
    return dict(found)


def device_of(
    name: str, change: str, step_cost: float = 0.05, draft_level: float = 0.0, *, keeps: bool = True
) -> Device:
    """A device of `devices.json`; the times given are milliseconds."""
    known = json.loads(DEVICES.read_text(encoding="utf-8"))[name]
    seconds = interpolate({int(rows): taken / 1e3 for rows, taken in known["milliseconds"].items()})
    one = float(known["change_of_one_graph"])
    changed, build = (one, 0.0) if change == ONE_GRAPH else (float(change), one)
    return Device(seconds, changed / 1e3, build / 1e3, keeps, step_cost / 1e3, draft_level / 1e3)


def main() -> None:
    """Replay and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--device", required=True, help=f"a name in {DEVICES.name}")
    parser.add_argument("--change", default="0", help=f"milliseconds, or {ONE_GRAPH}")
    parser.add_argument("--pauses", action="store_true", help="before each reply, in which graphs are given up")
    parser.add_argument("--step-cost", type=float, default=0.05, help="milliseconds")
    parser.add_argument("--draft-level", type=float, default=0.0, help="milliseconds; 0 = no draft model")
    parser.add_argument("--method", choices=METHODS, default=AUTO)
    options = parser.parse_args()
    device = device_of(options.device, options.change, options.step_cost, options.draft_level, keeps=not options.pauses)
    device.method = options.method
    found = replay(load(options.recordings), device)
    for category, each in sorted(found.items()):
        print(
            f"{category:16} {each.plain_seconds / each.seconds:.3f} x plain, {each.tokens / each.steps:.2f} tokens per"
            f" step, {each.changes / each.steps:.2f} changes of size per step, {each.tokens} tokens"
        )
    print(json.dumps({name: round(each.plain_seconds / each.seconds, 4) for name, each in found.items()}))


if __name__ == "__main__":
    main()
