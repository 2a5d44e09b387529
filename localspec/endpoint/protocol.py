"""OpenAI's chat protocol: requests read and checked, answers and errors shaped. Pure functions.

A field that is not known here is refused, unless its value is null, false, 0 or empty, which asks for nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from localspec.chat.methods import METHODS
from localspec.chat.template import Message
from localspec.chat.turn import ReplyOptions
from localspec.errors import LocalSpecError
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings

LARGEST_BODY = 4 * 2**20
"""Bytes of a request"""
DEEPEST = 32
"""Lists and objects inside each other"""
MOST_STOPS = 16
LONGEST_STOP = 256
"""Characters"""
UNLIMITED = 2**20
"""Tokens of an answer that may go on until the context is full: more than any context holds"""
ANY_MODEL = "localspec"
"""As a model's name: the one that is loaded, whatever it is called"""

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_FINISHES = {"end": "stop", "stop": "stop", "length": "length", "context": "length", "loop": "length"}
_WITHOUT_EFFECT = frozenset(
    ("metadata", "parallel_tool_calls", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
     "service_tier", "store", "user")
)  # fmt: skip
"""What changes no text, here"""
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
}
"""Fields with the values that ask for nothing else than what is done anyway"""
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_WHOLE = 2**63
_SHOWN = 64


class RequestError(LocalSpecError):
    """A request that is not answered, with the HTTP status and OpenAI's names for why."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        """`param` is the field that is to blame; `retry_after` are seconds."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        """As OpenAI's clients expect it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, kind)
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be gone on with, and how."""

    model: str
    messages: tuple[Message, ...]
    options: ReplyOptions
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    library: str | None = None  # Drafts come from it; "" for none, None for the usual one


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of an answer begins with."""

    id: str
    created: int  # Unix time, seconds
    model: str
    fingerprint: str


# -- requests ---------------------------------------------------------------------------------------------------


def parse(body: bytes) -> ChatRequest:
    """The request in `body`. Raises RequestError (400) that names the field to blame."""
    fields = _Fields(_json(body))
    model = fields.text("model")
    if not model:
        _refuse("Name a model; /v1/models lists what there is.", "model", "missing_required_parameter")
    messages = _messages(fields.take("messages"))
    options, library = _options(fields)
    stop = _stops(fields.take("stop"))
    stream = fields.flag("stream")
    stream_options = _Fields(fields.take("stream_options") or {}, "stream_options")
    include_usage = stream_options.flag("include_usage")
    if include_usage and not stream:
        _refuse("stream_options need a stream.", "stream_options", "invalid_value")
    stream_options.finish(frozenset({"include_obfuscation"}))
    if fields.whole("n", 1, 128) not in (None, 1):
        _refuse("One answer is written at a time: n must be 1.", "n", "unsupported_value")
    fields.finish(_WITHOUT_EFFECT)
    return ChatRequest(model, messages, options, stop, stream, include_usage, library)


def _options(fields: _Fields) -> tuple[ReplyOptions, str | None]:
    usual = SamplingSettings()
    longest = fields.whole("max_tokens", 1, _WHOLE)
    longest = fields.whole("max_completion_tokens", 1, _WHOLE) or longest or UNLIMITED
    temperature = fields.number("temperature", 0.0, 2.0)
    top_p = fields.number("top_p", 0.0, 1.0)
    if top_p == 0.0:
        temperature, top_p = 0.0, None  # nothing but the likeliest token
    top_k = fields.whole("top_k", 0, _WHOLE)
    min_p = fields.number("min_p", 0.0, 0.999)
    penalty = fields.number("repeat_penalty", 0.1, 10.0)
    seed = fields.whole("seed", -_WHOLE, _WHOLE)
    sampling = SamplingSettings(
        temperature=usual.temperature if temperature is None else temperature,
        top_k=usual.top_k if top_k is None else min(top_k, 2**31 - 1),
        top_p=usual.top_p if top_p is None else top_p,
        min_p=usual.min_p if min_p is None else min_p,
        repeat_penalty=usual.repeat_penalty if penalty is None else penalty,
        # Every number is a seed; the one that llama.cpp takes for "a fresh one" is not among the rests.
        seed=RANDOM_SEED if seed is None else seed % RANDOM_SEED,
    )
    own = _Fields(fields.take("localspec") or {}, "localspec")
    method = own.text("method") or ReplyOptions().method
    if method not in METHODS:
        _refuse(f"There is no such method. Choose one of {', '.join(METHODS)}.", "localspec.method", "invalid_value")
    library = own.text("library")
    own.finish()
    return ReplyOptions(method=method, max_tokens=min(longest, UNLIMITED), sampling=sampling), library


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        _refuse("messages must be a list of at least one message.", "messages", "missing_required_parameter")
    messages = tuple(_message(one, f"messages[{number}]") for number, one in enumerate(value))
    if messages[-1].role == "assistant":
        _refuse("The last message must not be the assistant's: that is the one to be written.", "messages")
    return messages


def _message(value: object, path: str) -> Message:
    fields = _Fields(value, path)
    role = fields.text("role")
    if role not in _ROLES:
        _refuse(f"The role must be one of {', '.join(_ROLES)}.", f"{path}.role", "invalid_value")
    content = _content(fields.take("content"), f"{path}.content")
    fields.text("name")
    fields.finish()
    return Message(_ROLES[role], content)


def _content(value: object, path: str) -> str:
    if isinstance(value, str):
        return _sound(value, path)
    if not isinstance(value, list):
        _refuse("The content must be a text or a list of texts.", path, "invalid_type")
    parts = []
    for number, one in enumerate(value):
        part = _Fields(one, f"{path}[{number}]")
        if part.text("type") != "text":
            _refuse("This model reads text only.", f"{path}[{number}].type", "unsupported_value")
        text = part.text("text")
        if text is None:
            _refuse("A part of type text needs a text.", f"{path}[{number}].text", "invalid_type")
        parts.append(text)
        part.finish()
    return "\n".join(parts)


def _stops(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value if value is not None else []
    if not isinstance(stops, list) or len(stops) > MOST_STOPS:
        _refuse(f"stop must be a text or a list of at most {MOST_STOPS}.", "stop", "invalid_type")
    for stop in stops:
        if not isinstance(stop, str) or not 0 < len(stop) <= LONGEST_STOP:
            _refuse(f"A stop text must have 1 to {LONGEST_STOP} characters.", "stop", "invalid_value")
        _sound(stop, "stop")
    return tuple(stops)


class _Fields:
    """The members of a JSON object, taken one by one; what is left in the end is not supported."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            _refuse("This must be an object.", path or None, "invalid_type")
        self._left = dict(value)
        self._path = f"{path}." if path else ""

    def take(self, name: str) -> object:
        """The value, unchecked; None where there is none."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """The value, a text that can be written as UTF-8."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            _refuse("This must be a text.", self._path + name, "invalid_type")
        return None if value is None else _sound(value, self._path + name)

    def flag(self, name: str) -> bool:
        """The value, false where there is none."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            _refuse("This must be true or false.", self._path + name, "invalid_type")
        return bool(value)

    def number(self, name: str, least: float, most: float) -> float | None:
        """The value, in its bounds."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            _refuse(f"This must be a number from {least:g} to {most:g}.", self._path + name, "invalid_value")
        return float(value)

    def whole(self, name: str, least: int, most: int) -> int | None:
        """The value, in its bounds."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _refuse(f"This must be a whole number from {least} to {most}.", self._path + name, "invalid_value")
        return value

    def finish(self, without_effect: frozenset[str] = frozenset()) -> None:
        """Refuse what was not taken, asks for something and is none of `without_effect`."""
        for name, value in self._left.items():
            neutral = not value or any(value == other for other in _NEUTRAL.get(name, ()) if not self._path)
            if not neutral and name not in without_effect:
                shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
                _refuse(f"LocalSpec does not support {shown!r} here.", self._path + shown, "unsupported_parameter")


def _json(body: bytes) -> object:
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
    # A number of more than 4300 digits and bytes that are no text are ValueErrors, too.
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is not valid JSON.", code="invalid_json") from None
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return value
    raise RequestError(400, f"The body is nested more than {DEEPEST} levels deep.", code="invalid_json")


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _sound(text: str, path: str) -> str:
    """`text`, which any tokenizer can read."""
    if _NO_TEXT.search(text):
        _refuse("This text holds characters that are none (NUL, or half a surrogate pair).", path, "invalid_value")
    return text


def _refuse(message: str, param: str | None, code: str = "invalid_value") -> NoReturn:
    raise RequestError(400, message, param=param, code=code)


# -- answers ----------------------------------------------------------------------------------------------------


def completion(head: Head, text: str, finish: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer. `finish` is "end", "stop", "length" or "context"."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISHES[finish]}
    return {**_headed(head, "chat.completion"), "choices": [choice], "usage": usage}


def chunk(head: Head, delta: Mapping[str, str], finish: str = "", *, with_usage: bool = False) -> dict[str, Any]:
    """A piece of an answer; `with_usage` where a chunk with the usage will follow."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": _FINISHES[finish] if finish else None}
    shaped = {**_headed(head, "chat.completion.chunk"), "choices": [choice]}
    return {**shaped, "usage": None} if with_usage else shaped


def usage_chunk(head: Head, usage: Mapping[str, Any]) -> dict[str, Any]:
    """The last chunk, for those who asked for it."""
    return {**_headed(head, "chat.completion.chunk"), "choices": [], "usage": usage}


def usage(prompt: int, cached: int, written: int, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens of the prompt, those of them known from before, and of the answer; beside them LocalSpec's figures."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "localspec": figures,
    }


def model_card(name: str) -> dict[str, Any]:
    """A model as the list of models shows it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "localspec"}


def event(data: Mapping[str, Any] | str) -> bytes:
    """A server-sent event. All its characters are ASCII, so that no reader takes one for the end of a line."""
    return b"data: " + (data if isinstance(data, str) else json.dumps(data, allow_nan=False)).encode("ascii") + b"\n\n"


def _headed(head: Head, kind: str) -> dict[str, Any]:
    return {
        "id": head.id,
        "object": kind,
        "created": head.created,
        "model": head.model,
        "system_fingerprint": head.fingerprint,
    }
