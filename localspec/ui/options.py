"""The settings on the page as the values the rest of the program takes, checked. Pure functions."""

from __future__ import annotations

from typing import Any

from localspec import texts
from localspec.chat.sampling_presets import RECOMMENDED
from localspec.chat.turn import ReplyOptions
from localspec.config import DEFAULT_LIBRARY
from localspec.errors import SettingsError
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings
from localspec.stores.naming import library_title

Number = float | int | None
"""What a number field gives: None when it is empty."""

SAMPLING_ORDER = (
    "method", "preset", "rows", "max_tokens", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed",
    "grammar", "read", "system", "thinking", "dry_multiplier", "sampling",
)  # fmt: skip
"""The fields in the order in which the page hands them to `reply_options`."""
PASSAGES, ALL, NONE = "", "all", "none"
"""What the field "read" holds beside a document and its library: the best passages, all documents, or none."""


def reply_options(
    method: str,
    preset: str,
    rows: Number,
    max_tokens: Number,
    temperature: Number,
    top_k: Number,
    top_p: Number,
    min_p: Number,
    repeat_penalty: Number,
    seed: Number | str,
    grammar: str,
    read: str | None = None,
    system: str | None = None,
    thinking: str | None = None,
    dry_multiplier: Number = 0.0,
    sampling: str | None = None,
    *,
    library: str = DEFAULT_LIBRARY,
) -> ReplyOptions:
    """How the next answer is made, over this library; `sampling` is the preset that the fields show. Raises
    SettingsError that names the field."""
    drawn = SamplingSettings(
        **sampling_values(temperature, top_k, top_p, min_p, repeat_penalty, dry_multiplier),
        grammar=(grammar or "").strip(),
        seed=_seed(seed),
    )
    return ReplyOptions(
        *(method, preset, _whole("rows", rows), _whole("max tokens", max_tokens), drawn),
        whole=chosen_documents(read, library),
        documents="none" if is_without(read) else "auto",
        thinking=thinking or "",
        system=(system or "").strip(),
        recommended=sampling == RECOMMENDED,
    )


def sampling_values(
    temperature: Number,
    top_k: Number,
    top_p: Number,
    min_p: Number,
    repeat_penalty: Number,
    dry_multiplier: Number = 0.0,
) -> dict[str, Any]:
    """The fields that a preset sets, by their names in `SamplingSettings`. Raises SettingsError that names one."""
    return {
        "temperature": _number("temperature", temperature),
        "top_k": _whole("top-k", top_k),
        "top_p": _number("top-p", top_p),
        "min_p": _number("min-p", min_p),
        "repeat_penalty": _number("repeat penalty", repeat_penalty),
        "dry_multiplier": _number("DRY", dry_multiplier),
    }


def is_without(value: str | None) -> bool:
    """Whether the field "read" says that no documents are wanted."""
    return value in (NONE, texts.READ_NONE)


def chosen_documents(value: str | None, library: str) -> tuple[int, ...] | None:
    """The documents to be read whole, as `ReplyOptions` has them. Raises SettingsError for one of another library."""
    if not value or value == texts.READ_PASSAGES or is_without(value):
        return None
    if value == ALL:
        return ()
    identity, _, own = value.partition(" ")
    if not identity.isdecimal() or len(identity) > 18 or own != library:
        raise SettingsError(texts.READ_ELSEWHERE.format(library=library_title(library)), texts.READ_ELSEWHERE_ADVICE)
    return (int(identity),)


def load_settings(context: Number, gpu_layers: Number, threads: Number) -> LoadSettings:
    """How a model is loaded. Raises SettingsError that names the field."""
    count = _whole("threads", threads)
    if count < 0:
        raise SettingsError(f"{count} threads are not possible.", "Choose 0 (all cores) or more.")
    return LoadSettings(_whole("context length", context), count, _whole("GPU layers", gpu_layers))


def _seed(value: Number | str) -> int:
    """A text field's seed: empty is a fresh one. (Gradio turns an empty number field into 0 as the page opens.)"""
    text = "" if value is None else str(value).strip()
    if not text:
        return RANDOM_SEED
    try:
        return _whole("seed", float(text))
    except (ValueError, OverflowError) as error:
        raise SettingsError(texts.NOT_WHOLE.format(name="seed")) from error


def _number(name: str, value: Number) -> float:
    if value is None:
        raise SettingsError(texts.NUMBER_MISSING.format(name=name), texts.NUMBER_MISSING_ADVICE)
    return float(value)


def _whole(name: str, value: Number) -> int:
    number = _number(name, value)
    if number != int(number):
        raise SettingsError(texts.NOT_WHOLE.format(name=name))
    return int(number)
