"""llama-cpp-python's own `Llama` in a process of its own, so that it shares no state of llama.cpp with ours.

usage: python -m benchmarks.llama_child MODEL.gguf CONTEXT THREADS GPU_LAYERS DRAFT_TOKENS

Reads a line of JSON per prompt, `{"tokens": [...], "max_tokens": n}`, and answers each with one; the first line says
that the model is loaded. DRAFT_TOKENS 0 = no prompt lookup. The clock of decoding starts with the first token, which
prefill has made, as llama-server's does.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_speculative import LlamaPromptLookupDecoding
from numpy.typing import NDArray


class CountedLookup(LlamaPromptLookupDecoding):
    """llama-cpp-python's prompt lookup, which is asked once after each decode."""

    def __init__(self, tokens: int) -> None:
        super().__init__(num_pred_tokens=tokens)
        self.calls = 0
        self.drafted = 0

    def __call__(self, input_ids: NDArray[np.intc], /, **others: Any) -> NDArray[np.intc]:  # noqa: ANN401 - as above it
        """The draft for `input_ids` [n]."""
        draft = super().__call__(input_ids, **others)
        self.calls += 1
        self.drafted += len(draft)
        return draft


def answer(llama: llama_cpp.Llama, lookup: CountedLookup | None, tokens: list[int], most: int) -> dict[str, object]:
    """A greedy reply of at most `most` tokens, its end token counted, as the others count."""
    if lookup is not None:
        lookup.calls = lookup.drafted = 0
    vocabulary = llama_cpp.llama_model_get_vocab(llama.model)
    reply: list[int] = []
    # A prompt that the last one began with would be taken from the cache.
    llama.reset()  # type: ignore[no-untyped-call]
    started = first = perf_counter()
    for token in llama.generate(tokens, temp=0.0, top_k=1, repeat_penalty=1.0, reset=True):
        if not reply:
            first = perf_counter()
        reply.append(int(token))
        if len(reply) >= most or llama_cpp.llama_vocab_is_eog(vocabulary, token):
            break
    decoded = perf_counter()
    ended = llama_cpp.llama_vocab_is_eog(vocabulary, reply[-1])
    text = llama.detokenize(reply[: len(reply) - ended]).decode("utf-8", "replace")
    return {
        "tokens": len(reply),
        "decode_seconds": decoded - first,
        "whole_seconds": perf_counter() - started,
        "text": text,
        # the decode that follows each call, but for the one that the end of the reply makes needless
        "steps": lookup.calls if lookup is not None else len(reply) - 1,
        "drafted": lookup.drafted if lookup is not None else 0,
    }


def main() -> None:
    """Load, then answer until the input ends."""
    path, context, threads, layers, draft_tokens = sys.argv[1], *map(int, sys.argv[2:6])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what llama.cpp prints must not come between the answers
    lookup = CountedLookup(draft_tokens) if draft_tokens else None
    llama = llama_cpp.Llama(
        path,
        n_ctx=context,
        n_threads=threads,
        n_threads_batch=threads,
        n_gpu_layers=layers,
        draft_model=lookup,
        # A draft model asks for all logits but makes room for one batch of them only (0.3.36): longer texts would fail.
        logits_all=lookup is not None,
        verbose=False,
    )
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(answer(llama, lookup, asked["tokens"], asked["max_tokens"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
