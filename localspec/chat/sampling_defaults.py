"""How a model's answers are drawn where the person has not chosen: what its makers recommend, and what keeps small
models from running in circles.

In this order: the catalogue's entry, the file's own metadata (`general.sampling.*`, as llama.cpp's converters write
them), the model's family, and a general default. Sources of the families' figures: the makers' model cards and
`generation_config.json` on the hub.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from localspec.models.files.catalogue import SAMPLING
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings

SMALL = 2.5e9
"""Weights below which a model is kept from loops."""
TINY = 5e8
"""Below this its own words draw it into loops at once."""
_GENERAL: Mapping[str, Any] = {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
_FAMILIES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (r"gpt-?oss", {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}),
    (r"deepseek.?r1|r1.?distill", {"temperature": 0.6, "top_k": 50, "top_p": 0.95, "min_p": 0.0}),
    (r"qwen.?3.*instruct", {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.0}),
    (r"qwen.?3|qwq", {"temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.0}),
    (r"qwen.?2", {"temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.0, "repeat_penalty": 1.05}),
    (r"gemma", {"temperature": 1.0, "top_k": 64, "top_p": 0.95, "min_p": 0.0}),
    (r"smollm3", {"temperature": 0.6, "top_k": 50, "top_p": 0.95, "min_p": 0.0}),
    (r"smollm", {"temperature": 0.2, "top_k": 50, "top_p": 0.9, "min_p": 0.0}),
    (r"llama.?3", {"temperature": 0.6, "top_k": 50, "top_p": 0.9, "min_p": 0.0}),
    (r"lfm2", {"temperature": 0.3, "top_k": 0, "top_p": 1.0, "min_p": 0.15, "repeat_penalty": 1.05}),
    (r"mistral.?small", {"temperature": 0.15, "top_k": 0, "top_p": 1.0, "min_p": 0.0}),
    (r"mistral.?nemo", {"temperature": 0.3, "top_k": 0, "top_p": 1.0, "min_p": 0.0}),
    (r"phi.?4.*reasoning", {"temperature": 0.8, "top_k": 50, "top_p": 0.95, "min_p": 0.0}),
)
"""By architecture and name; the first that fits counts. Where makers name no top-k, it is what their own programs take
then (transformers: 50); top-p over a whole vocabulary would take a fifth of a step."""
_SAFE: Mapping[str, Any] = {"min_p": 0.05, "dry_multiplier": 0.8}
_SAFER: Mapping[str, Any] = {**_SAFE, "repeat_penalty": 1.05}
_STRICT: Mapping[str, Any] = {"dry_allowed_length": 3, "dry_breakers": ()}
"""What DRY counts in answers of tiny models: also short runs, and across lines, where they would say the same again in
other words."""

METADATA = {"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
             "penalty_repeat": "repeat_penalty", "penalty_last_n": "repeat_last_n"}  # fmt: skip
"""llama.cpp's names (`gguf.constants.Keys.General`) and ours."""

_WANTS_REPETITION = re.compile(
    r"```|\bc(?:\+\+|#)|\b(?:code|functions?|script|program|snippet|regex|sql|query|html|css|json|ya?ml|xml|toml|csv"
    r"|latex|markdown|table|matrix|array|python|java|javascript|typescript|kotlin|rust|golang|php|bash|shell|makefile"
    r"|dockerfile|copy|quote|quotation|repeat|verbatim|word for word|recite|transcribe|proofread|translate|convert"
    r"|reformat|rewrite|rephrase|correct|lyrics|song|poem|refrain|chorus|multiplication|list of numbers"
    r"|count (?:from|to|up|down))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a model's answers are drawn with, and who says so: "catalogue", "file", "family" or "general"."""

    sampling: SamplingSettings
    source: str

    def of(self, asked: SamplingSettings, question: str) -> SamplingSettings:
        """The settings for an answer, with the seed, the grammar, the schema and the biases that were `asked` for. What
        a grammar or schema prescribes has to be repeated."""
        repeats = bool(asked.grammar or asked.json_schema) or wants_repetition(question)
        own = without_penalties(self.sampling) if repeats else self.sampling
        return replace(
            own, seed=asked.seed, grammar=asked.grammar, json_schema=asked.json_schema, logit_bias=asked.logit_bias
        )


def recommend(
    name: str, weights: int, metadata: Mapping[str, str], listed: Mapping[str, float] | None = None
) -> Recommended:
    """What suits a model. `name`: its architecture and names, `weights`: how many it has (0 = unknown), `metadata`: the
    values of its file below "general.sampling.", `listed`: those of the catalogue, by our names."""
    own = _from_metadata(metadata)
    family = next((values for pattern, values in _FAMILIES if re.search(pattern, name, re.IGNORECASE)), None)
    source = "catalogue" if listed else "file" if own else "family" if family is not None else "general"
    chosen: dict[str, Any] = {**(family if family is not None else _GENERAL), **own, **(listed or {})}
    if 0 < weights < SMALL:
        for setting, least in (_SAFER if weights < TINY else _SAFE).items():
            chosen[setting] = max(chosen.get(setting, least), least)
    if 0 < weights < TINY:
        chosen.update(_STRICT)
    return Recommended(SamplingSettings(**chosen), source)


def wants_repetition(question: str) -> bool:
    """Whether the answer may well repeat itself: code, tables, copies, translations, songs."""
    return _WANTS_REPETITION.search(question) is not None


def without_penalties(sampling: SamplingSettings) -> SamplingSettings:
    """The same, where nothing that was said is held against a token."""
    return replace(sampling, repeat_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, dry_multiplier=0.0)


def against_loops(sampling: SamplingSettings) -> SamplingSettings:
    """Settings for another try after a loop: other draws, and more against repetition."""
    return replace(
        sampling,
        temperature=max(sampling.temperature, 0.7),
        min_p=max(sampling.min_p, 0.05),
        repeat_penalty=max(sampling.repeat_penalty, 1.1),
        dry_multiplier=max(sampling.dry_multiplier, 1.2),
        dry_allowed_length=min(sampling.dry_allowed_length, 4),
        dry_breakers=(),
        seed=sampling.seed if sampling.seed == RANDOM_SEED else (sampling.seed + 1) % RANDOM_SEED,
    )


def _from_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, setting in METADATA.items():
        try:
            value = float(metadata.get(key, ""))
        except ValueError:
            continue
        if not math.isfinite(value):
            continue
        chosen = int(value) if setting in ("top_k", "repeat_last_n") else value
        if _is_possible(setting, chosen):
            found[setting] = chosen
    return found


def _is_possible(setting: str, value: float) -> bool:
    """A file may say anything."""
    low, high = SAMPLING[setting]
    return low <= value <= high
