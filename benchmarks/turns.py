"""How far repeated measurements of an answer's speed against plain decoding lie apart: one after another, or in turns.

The answer is written by Auto once. Then its speed against plain decoding is measured again and again, in two ways: by
decoding it whole once more without drafts, as "Measure plain" did before; and by both in turns of short stretches, as
it does now. Other programs may run meanwhile: that is what it is about. The last line printed is JSON.

    python -m benchmarks.turns --tokens 128 --repeats 6
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from statistics import fmean, stdev

from localspec.chat.comparison import PLAIN, Comparison, as_made
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.alternation import Way

QUESTION = "Write a table of the months with the number of days of each, then the same table as JSON."


def ways(session: Session, options: ReplyOptions, *methods: str) -> dict[str, Way]:
    """The last answer, by plain decoding and these methods, in turns."""
    *_, ended = Comparison(session, methods=methods).run(options)
    return {way.name: way for way in ended.ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="name or file of the target")
    parser.add_argument("--tokens", type=int, default=128, help="of the answer, at most")
    parser.add_argument("--repeats", type=int, default=6, help="measurements of each kind")
    parser.add_argument("--question", default=QUESTION)
    arguments = parser.parse_args()

    engine = Engine(arguments.model)
    session = Session(engine, learns=False)
    asked = ReplyOptions(max_tokens=arguments.tokens, sampling=SamplingSettings(), ends_loops=False)
    for _ in session.ask(arguments.question, asked):
        pass
    turn = session.turns[-1]
    options = replace(as_made(turn, engine, asked)[0], ends_loops=False)
    one_after_the_other: list[float] = []
    in_turns: list[float] = []
    intervals: list[float] = []
    told = 0
    for _ in range(arguments.repeats):
        plain = ways(session, options)[PLAIN].metrics
        both = ways(session, options, "auto")
        speed = both["auto"].beside(both[PLAIN])
        assert speed is not None
        one_after_the_other.append(turn.metrics.tokens_per_second / plain.tokens_per_second)
        in_turns.append(speed.factor)
        intervals.append(speed.high / speed.low)
        told += speed.is_told
        print(f"one after the other {one_after_the_other[-1]:.2f}×  in turns {speed.factor:.2f}× "
              f"({speed.low:.2f}–{speed.high:.2f}), {speed.rounds} rounds")  # fmt: skip
    figures = {
        "tokens": turn.metrics.tokens,
        "accepted": turn.metrics.acceptance_rate,
        "one_after_the_other": fmean(one_after_the_other),
        "one_after_the_other_deviation": stdev(one_after_the_other) / fmean(one_after_the_other),
        "in_turns": fmean(in_turns),
        "in_turns_deviation": stdev(in_turns) / fmean(in_turns),
        "in_turns_high_by_low": fmean(intervals),
        "told": f"{told} of {arguments.repeats}",
        "model": engine.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    engine.close()
    print(json.dumps({name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}))


if __name__ == "__main__":
    main()
