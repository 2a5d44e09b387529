"""What a reply is sent as, whole or chunk by chunk: as an answer in a chat, or as a text that was gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from localspec.endpoint import responses
from localspec.endpoint.chat_request import ChatRequest
from localspec.endpoint.completion_request import CompletionRequest
from localspec.endpoint.reply_pieces import ReplyPiece
from localspec.endpoint.responses import Head, Whole

Json = Mapping[str, Any]


class ReplyForm(Protocol):
    """The shapes of one reply."""

    id_prefix: str

    def first(self, head: Head, before: str) -> Iterator[Json]:
        """Chunks that go before all pieces. `before` is the text of the prompt where that is to be repeated."""

    def piece(self, head: Head, piece: ReplyPiece) -> Iterator[Json]:
        """Chunks for more of the reply."""

    def last(self, head: Head, finish: str, usage: Json) -> Iterator[Json]:
        """Chunks that end it."""

    def whole(self, head: Head, before: str, whole: Whole, finish: str, usage: Json) -> Json:
        """All of it at once."""


class ChatForm:
    """An answer in a chat."""

    id_prefix = "chatcmpl"

    def __init__(self, request: ChatRequest) -> None:
        self._with_usage = request.include_usage
        self._with_logprobs = request.top_logprobs is not None

    def first(self, head: Head, before: str) -> Iterator[Json]:
        """Whose answer it is."""
        yield responses.chunk(head, {"role": "assistant", "content": ""}, with_usage=self._with_usage)

    def piece(self, head: Head, piece: ReplyPiece) -> Iterator[Json]:
        """One chunk; none for what says nothing."""
        delta = responses.delta_of(piece)
        told = responses.chat_logprobs(piece.tokens) if self._with_logprobs and piece.tokens else None
        if delta or told is not None:
            yield responses.chunk(head, delta, with_usage=self._with_usage, logprobs=told)

    def last(self, head: Head, finish: str, usage: Json) -> Iterator[Json]:
        """Why it ends, and the usage where that was asked for."""
        yield responses.chunk(head, {}, finish, with_usage=self._with_usage)
        if self._with_usage:
            yield responses.usage_chunk(head, usage)

    def whole(self, head: Head, before: str, whole: Whole, finish: str, usage: Json) -> Json:
        """The answer as one message."""
        return responses.completion(head, whole, finish, usage, with_logprobs=self._with_logprobs)


class TextForm:
    """A text that was gone on with."""

    id_prefix = "cmpl"

    def __init__(self, request: CompletionRequest) -> None:
        self._with_usage = request.include_usage
        self._with_logprobs = request.top_logprobs is not None

    def first(self, head: Head, before: str) -> Iterator[Json]:
        """The prompt, where it is to be repeated."""
        if before:
            yield self._chunk(head, ReplyPiece(before), "")

    def piece(self, head: Head, piece: ReplyPiece) -> Iterator[Json]:
        """One chunk."""
        yield self._chunk(head, piece, "")

    def last(self, head: Head, finish: str, usage: Json) -> Iterator[Json]:
        """Why it ends, and the usage where that was asked for."""
        yield self._chunk(head, ReplyPiece(), finish)
        if self._with_usage:
            yield responses.usage_chunk(head, usage, "text_completion")

    def whole(self, head: Head, before: str, whole: Whole, finish: str, usage: Json) -> Json:
        """The text at once."""
        tokens = whole.tokens if self._with_logprobs else None
        return responses.text_completion(head, before + whole.text, tokens, finish, usage)

    def _chunk(self, head: Head, piece: ReplyPiece, finish: str) -> Json:
        tokens = piece.tokens if self._with_logprobs else None
        return responses.text_completion(head, piece.text, tokens, finish, None, with_usage=self._with_usage)
