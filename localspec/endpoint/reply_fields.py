"""The fields that chats and completions share: how a reply is drawn, where it ends, and how it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localspec.chat.methods import DEFAULT_METHOD, METHODS
from localspec.chat.turn import ReplyOptions
from localspec.endpoint.refusals import refuse
from localspec.endpoint.request_fields import WHOLE, Fields, sound
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings

MOST_STOPS = 16
LONGEST_STOP = 256
"""Characters"""
UNLIMITED = 2**20
"""Tokens of an answer that may go on until the context is full: more than any context holds"""
_DRAWN = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
          "dry_multiplier")  # fmt: skip
"""Settings of which each says how a reply is drawn"""
_WHOLE_REPLY = ("presence_penalty", "frequency_penalty")
"""Penalties that look back over all of the reply, as OpenAI has them"""
_LONGEST_ID = 10
"""Digits of a token's id. Python refuses to read numbers of thousands."""
MOST_LOGPROBS = 20
"""Alternatives of each token that can be asked for, as OpenAI allows"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """What is asked of a reply, whatever it answers."""

    model: str
    method: str = DEFAULT_METHOD
    max_tokens: int = UNLIMITED
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """settings that were named, by their names in `SamplingSettings`"""
    ends_loops: bool = True  # A reply that begins to repeat itself is ended there
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    library: str | None = None  # Drafts come from it; "" for none, None for the usual one
    top_logprobs: int | None = None
    """How many alternatives are told with each token's probability; None where no probabilities are asked for"""

    def options(self, context: int, schema: str = "") -> ReplyOptions:
        """How the reply is made where the context holds `context` tokens, and the reply follows a JSON schema. Where
        nothing is said about how it is drawn, it is drawn as is recommended for the model. Raises SettingsError."""
        named = dict(self.sampling)
        if any(named.get(name) for name in _WHOLE_REPLY):
            named.setdefault("repeat_last_n", context)
        if schema:
            named["json_schema"] = schema
        return ReplyOptions(
            method=self.method,
            max_tokens=min(self.max_tokens, context),
            sampling=SamplingSettings(**named),
            ends_loops=self.ends_loops,
            recommended=not any(name in named for name in _DRAWN),
        )


def shared_fields(fields: Fields) -> dict[str, Any]:
    """The fields of every `ReplyRequest`, by their names there, but for lengths and probabilities."""
    model = model_name(fields)
    method, library = _own(fields)
    stream = bool(fields.flag("stream"))
    options = Fields(fields.take("stream_options") or {}, "stream_options")
    include_usage = bool(options.flag("include_usage"))
    if include_usage and not stream:
        refuse("stream_options need a stream.", "stream_options")
    options.finish(frozenset({"include_obfuscation"}))
    if fields.whole("n", 1, 128) not in (None, 1):
        refuse("One answer is written at a time: n must be 1.", "n", "unsupported_value")
    return {
        "model": model,
        "method": method,
        "library": library,
        "sampling": _sampling(fields),
        "stop": _stops(fields.take("stop")),
        "stream": stream,
        "include_usage": include_usage,
    }


def model_name(fields: Fields) -> str:
    """The model that is asked."""
    model = fields.text("model")
    if not model:
        refuse("Name a model; /v1/models lists what there is.", "model", "missing_required_parameter")
    return model


def longest(fields: Fields, *names: str) -> int | None:
    """Tokens that a reply may have, by the first of `names` that says so."""
    said = [fields.whole(name, 1, WHOLE) for name in names]
    most = next((number for number in said if number), None)
    return None if most is None else min(most, UNLIMITED)


def _own(fields: Fields) -> tuple[str, str | None]:
    own = Fields(fields.take("localspec") or {}, "localspec")
    method = own.text("method") or DEFAULT_METHOD
    if method not in METHODS:
        refuse(f"There is no such method. Choose one of {', '.join(METHODS)}.", "localspec.method")
    library = own.text("library")
    own.finish()
    return method, library


def _sampling(fields: Fields) -> dict[str, Any]:
    """The settings that were named."""
    temperature = fields.number("temperature", 0.0, 2.0)
    top_p = fields.number("top_p", 0.0, 1.0)
    if top_p == 0.0:
        temperature, top_p = 0.0, None  # nothing but the likeliest token
    top_k = fields.whole("top_k", 0, WHOLE)
    seed = fields.whole("seed", -WHOLE, WHOLE)
    other = fields.number("repetition_penalty", 0.1, 10.0)  # as vLLM calls it
    penalty = fields.number("repeat_penalty", 0.1, 10.0)
    named = {
        "temperature": temperature,
        "top_k": None if top_k is None else min(top_k, 2**31 - 1),
        "top_p": top_p,
        "min_p": fields.number("min_p", 0.0, 0.999),
        "repeat_penalty": other if penalty is None else penalty,
        "repeat_last_n": fields.whole("repeat_last_n", 0, 2**20),
        "presence_penalty": fields.number("presence_penalty", -2.0, 2.0),
        "frequency_penalty": fields.number("frequency_penalty", -2.0, 2.0),
        "dry_multiplier": fields.number("dry_multiplier", 0.0, 10.0),
        "dry_base": fields.number("dry_base", 1.0, 10.0),
        "dry_allowed_length": fields.whole("dry_allowed_length", 1, 1000),
        "logit_bias": _logit_bias(fields.take("logit_bias")),
        "grammar": fields.text("grammar"),
        # Every number is a seed; the one that llama.cpp takes for "a fresh one" is not among the rests.
        "seed": RANDOM_SEED if seed is None else seed % RANDOM_SEED,
    }
    return {name: value for name, value in named.items() if value is not None}


def _logit_bias(value: object) -> tuple[tuple[int, float], ...] | None:
    """Numbers by token ids, which JSON has as texts."""
    if value is None:
        return None
    given = Fields(value, "logit_bias")
    names = list(value) if isinstance(value, dict) else []
    for name in names:
        if not (name.isascii() and name.isdecimal() and len(name) <= _LONGEST_ID and int(name) < 2**31):
            refuse("The names must be token ids.", "logit_bias")
    return tuple((int(name), given.number(name, -100.0, 100.0) or 0.0) for name in sorted(names, key=int))


def _stops(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value if value is not None else []
    if not isinstance(stops, list) or len(stops) > MOST_STOPS:
        refuse(f"stop must be a text or a list of at most {MOST_STOPS}.", "stop", "invalid_type")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= LONGEST_STOP:
            refuse(f"A stop text must have 1 to {LONGEST_STOP} characters.", "stop")
        sound(stop, "stop")
    return tuple(stops)
