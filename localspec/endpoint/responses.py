"""Answers in OpenAI's shapes. Pure functions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.endpoint.reply_pieces import ReplyPiece, TokenText, ToldToken

_FINISHES = {
    "end": "stop",
    "stop": "stop",
    "length": "length",
    "context": "length",
    "loop": "length",
    "tool_calls": "tool_calls",
}
_LEAST_LOGPROB = -9999.0
"""OpenAI's for what is as good as impossible; minus infinity is no JSON."""


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of an answer begins with."""

    id: str
    created: int  # Unix time, seconds
    model: str
    fingerprint: str


@dataclass(slots=True)
class Whole:
    """An answer that is put together from its pieces."""

    text: str = ""
    thinking: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[ToldToken] = field(default_factory=list)

    def add(self, piece: ReplyPiece) -> None:
        """Take a piece in."""
        self.text += piece.text
        self.thinking += piece.thinking
        self.tokens += piece.tokens
        call = piece.call
        if call is None:
            return
        if call.index == len(self.calls):
            function = {"name": call.name, "arguments": ""}
            self.calls.append({"id": call.id, "type": "function", "function": function})
        self.calls[call.index]["function"]["arguments"] += call.arguments


# -- chats --------------------------------------------------------------------------------------------------------


def completion(
    head: Head, whole: Whole, finish: str, usage: Mapping[str, Any], *, with_logprobs: bool = False
) -> dict[str, Any]:
    """A whole answer. `finish` is "end", "stop", "length", "context" or "tool_calls"."""
    message: dict[str, Any] = {"role": "assistant", "content": whole.text, "refusal": None}
    if whole.calls:
        message = {**message, "content": whole.text or None, "tool_calls": whole.calls}
    if whole.thinking:
        message["reasoning_content"] = whole.thinking
    logprobs = chat_logprobs(whole.tokens) if with_logprobs else None
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": _FINISHES[finish]}
    return {**_headed(head, "chat.completion"), "choices": [choice], "usage": usage}


def chunk(
    head: Head,
    delta: Mapping[str, Any],
    finish: str = "",
    *,
    with_usage: bool = False,
    logprobs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A piece of an answer; `with_usage` where a chunk with the usage will follow."""
    reason = _FINISHES[finish] if finish else None
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    shaped = {**_headed(head, "chat.completion.chunk"), "choices": [choice]}
    return {**shaped, "usage": None} if with_usage else shaped


def delta_of(piece: ReplyPiece) -> dict[str, Any]:
    """What a chunk says of this piece."""
    call = piece.call
    if call is None:
        thought = {"reasoning_content": piece.thinking} if piece.thinking else {}
        return {**thought, "content": piece.text} if piece.text else thought
    shaped: dict[str, Any] = {"index": call.index, "function": {"arguments": call.arguments}}
    if call.id:
        function = {"name": call.name, "arguments": call.arguments}
        shaped = {"index": call.index, "id": call.id, "type": "function", "function": function}
    return {"tool_calls": [shaped]}


def chat_logprobs(tokens: Iterable[ToldToken]) -> dict[str, Any]:
    """How likely the tokens of an answer were."""
    content = [{**_logprob(one.token), "top_logprobs": [_logprob(other) for other in one.top]} for one in tokens]
    return {"content": content, "refusal": None}


def _logprob(token: TokenText) -> dict[str, Any]:
    return {"token": token.text, "logprob": _finite(token.logprob), "bytes": list(token.bytes)}


# -- completions --------------------------------------------------------------------------------------------------


def text_completion(
    head: Head,
    text: str,
    tokens: Sequence[ToldToken] | None,
    finish: str,
    usage: Mapping[str, Any] | None,
    *,
    with_usage: bool = True,
) -> dict[str, Any]:
    """A text that was gone on with, or a piece of it (with `finish` ""); `tokens` where probabilities are told."""
    reason = _FINISHES[finish] if finish else None
    logprobs = _text_logprobs(tokens) if tokens is not None else None
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}
    shaped = {**_headed(head, "text_completion"), "choices": [choice]}
    return {**shaped, "usage": usage} if with_usage else shaped


def _text_logprobs(tokens: Sequence[ToldToken]) -> dict[str, Any]:
    return {
        "tokens": [one.token.text for one in tokens],
        "token_logprobs": [_finite(one.token.logprob) for one in tokens],
        # Two tokens that are each a part of a character look alike: the likelier one is told.
        "top_logprobs": [{other.text: _finite(other.logprob) for other in reversed(one.top)} for one in tokens],
        "text_offset": [one.offset for one in tokens],
    }


# -- vectors ------------------------------------------------------------------------------------------------------


def embeddings(model: str, vectors: NDArray[np.float32], tokens: int, *, as_base64: bool) -> dict[str, Any]:
    """Vectors [n, d] as numbers, or as base64 of little-endian 32-bit floats."""
    data = []
    for index, vector in enumerate(vectors):
        told = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": told})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


# -- what they share ----------------------------------------------------------------------------------------------


def usage_chunk(head: Head, usage: Mapping[str, Any], kind: str = "chat.completion.chunk") -> dict[str, Any]:
    """The last chunk, for those who asked for it."""
    return {**_headed(head, kind), "choices": [], "usage": usage}


def usage(prompt: int, cached: int, written: int, figures: Mapping[str, Any], thought: int = 0) -> dict[str, Any]:
    """Tokens of the prompt, those of them known from before, and of the answer, `thought` of which were thought; beside
    them LocalSpec's figures."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
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


def _finite(logprob: float) -> float:
    return max(logprob, _LEAST_LOGPROB)
