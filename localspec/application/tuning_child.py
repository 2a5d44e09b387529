"""Chooses a weight format for the application, in a process of its own.

Run as a program (`python -m localspec.application.tuning_child NAME`): such a process can be halted while a reply is
written, gives all its memory back, and takes nothing with it if llama.cpp aborts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from localspec.chat.template import Message, template_of
from localspec.errors import LocalSpecError
from localspec.models.files.catalogue import ModelEntry, resolve
from localspec.models.llama import LlamaModel, LoadSettings
from localspec.models.quantization import format_search
from localspec.models.quantization.format_search import Judgement, TuningProgress
from localspec.models.quantization.quality import held_texts
from localspec.models.quantization.tuned import Tuning
from localspec.models.quantization.tuning_run import Interruptions
from localspec.speculation.tree_size import draft_traces, expected_speed


def tune(
    entry: ModelEntry,
    settings: LoadSettings,
    *,
    again: bool = False,
    thorough: bool = False,
    report: Callable[[TuningProgress], None] = lambda progress: None,
    interruptions: Interruptions | None = None,
) -> Tuning:
    """`format_search.tune`, by what drafts are expected to save, on texts as the model's template has them.

    Raises ModelError, OutOfMemoryError.
    """
    judgement = Judgement(expected_tokens_per_second, held_tokens)
    return format_search.tune(
        entry, settings, judgement, again=again, thorough=thorough, report=report, interruptions=interruptions
    )


def expected_tokens_per_second(decode_seconds: NDArray[np.float64]) -> float:
    """Of answers with usual drafts, where `decode_seconds[k]` is T(k)."""
    return expected_speed(decode_seconds, draft_traces())


def held_tokens(model: LlamaModel) -> Iterator[NDArray[np.int32]]:
    """The held texts in the model's own tokens: questions as its template has them."""
    begin = [model.bos] if model.adds_bos else []
    template = template_of(model)
    for text in held_texts():
        if text.document:
            yield np.concatenate([np.array(begin, np.int32), model.tokenize(text.document)])
        else:
            prompt = template.tokens([Message("user", text.question)], model)
            yield np.concatenate([prompt, model.tokenize(text.answer)])


def main(arguments: list[str]) -> int:
    """Tune the model named in `arguments` for the application: its progress as lines of JSON, and its orders from
    standard input (`Interruptions`)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args(arguments)
    interruptions = Interruptions()
    interruptions.listen(sys.stdin)

    def say(**values: object) -> None:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()

    settings = LoadSettings(0, given.threads, given.gpu_layers)
    try:
        tune(
            resolve(given.model),
            settings,
            again=given.again,
            report=lambda now: say(done=now.done, total=now.total, format=now.format),
            interruptions=interruptions,
        )
    except LocalSpecError as error:
        say(error=error.message, advice=error.advice)
        return 1
    say(finished=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
