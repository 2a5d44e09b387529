"""Prompts of requests: the tokens behind which the answer is written, and how what is written is to be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.reply_stream import Marks, ReplyStream
from localspec.chat.session import with_system
from localspec.chat.template import Extras, Message
from localspec.endpoint.answer_schemas import beside_tools, forced_call
from localspec.endpoint.call_heads import MARKS
from localspec.endpoint.chat_request import ChatRequest
from localspec.endpoint.completion_request import CompletionRequest
from localspec.endpoint.refusals import refuse
from localspec.endpoint.reply_pieces import ReplyTexts
from localspec.endpoint.tool_calls import ToolCallReader
from localspec.endpoint.tool_fields import Toolbox
from localspec.models.llama import LlamaModel

TOOLS_TOLD = """You may call these functions, which are described in JSON, one a line:
{tools}

To call one, write nothing but its name and its arguments, in this form:
<tool_call>
{{"name": "the function", "arguments": {{"an argument": "its value"}}}}
</tool_call>"""
"""What is said about tools where a model's template has no place for them: in the form of the Hermes models, which most
others have learnt, too."""


_THOUGHT = "</think>"
"""Ends what a template has the model think, where an answer has to follow a schema"""


@dataclass(frozen=True, slots=True)
class ReplyPrompt:
    """What an answer is written behind."""

    tokens: NDArray[np.int32]  # [n]
    piece: Callable[[int], bytes]  # the bytes of a token of the answer
    calls: ToolCallReader | None = None  # finds calls of tools in it
    texts: ReplyTexts | None = None  # tells what was thought apart
    before: str = ""  # what the answer is told with in front of it
    schema: str = ""  # JSON schema that it follows, as JSON
    question: str = ""  # what the person said last


def prompt_of(engine: Engine, request: ChatRequest | CompletionRequest) -> ReplyPrompt:
    """The prompt of a request. Raises RequestError for what the model cannot do."""
    size = engine.model.vocabulary_size
    if any(token >= size for token, _ in request.sampling.get("logit_bias", ())):
        refuse(f"{engine.name} knows {size} tokens.", "logit_bias")
    return _of_chat(engine, request) if isinstance(request, ChatRequest) else _of_text(engine, request)


def _of_chat(engine: Engine, request: ChatRequest) -> ReplyPrompt:
    """A conversation as the chat has it, with tools as the model's template shows them."""
    messages, tools, schema = with_system(request.messages), request.tools, request.schema
    # Where the answer has to follow a schema there is no place to think.
    thinking = request.thinking or ("off" if schema or tools.must_call else "")
    extras = Extras(tools=tools.functions, thinking=thinking)
    if tools and not _shows_tools(engine, messages, extras):
        messages, extras = _with_tools(messages, tools), replace(extras, tools=())
    question = next((one.content or "" for one in reversed(messages) if one.role == "user"), "")
    tokens = engine.template.tokens(messages, engine.model, goes_on=request.goes_on, extras=extras)
    model = engine.model
    marks = (_CallMarks if tools else Marks)(model, model.chat_template)
    if (schema or tools.must_call) and marks.opened(tokens.tolist()):
        tokens = np.concatenate([tokens, model.tokenize(f"{_THOUGHT}\n\n", special=True)])
    if not tools:
        texts = ReplyStream(marks, tokens.tolist())
        return ReplyPrompt(tokens, marks.piece, texts=texts, schema=schema, question=question)
    reader = ToolCallReader(tools.parameters, one_at_a_time=tools.one_at_a_time)
    if tools.must_call:
        begun, schema = forced_call(engine.model.chat_template, tools)
        reader.add(begun)
        tokens = np.concatenate([tokens, engine.model.tokenize(begun, special=True)])
    elif schema:
        schema = beside_tools(schema, tools)
    texts = ReplyStream(marks, tokens.tolist())
    return ReplyPrompt(tokens, marks.piece, reader, texts, schema=schema, question=question)


def _of_text(engine: Engine, request: CompletionRequest) -> ReplyPrompt:
    """A text as it is. In it the names of control tokens count: whoever completes texts puts marks into them."""
    model, prompt = engine.model, request.prompt
    if isinstance(prompt, str):
        tokens = model.tokenize(prompt, special=True)
        if model.adds_bos and not (len(tokens) and tokens[0] == model.bos):
            tokens = np.concatenate([np.array([model.bos], np.int32), tokens])
        return ReplyPrompt(tokens, model.piece, before=prompt if request.echo else "")
    if max(prompt) >= model.vocabulary_size:
        refuse(f"{engine.name} knows {model.vocabulary_size} tokens.", "prompt")
    # One that is longer than the context is refused in any case, before it is told.
    told = prompt[: model.context_size] if request.echo else ()
    before = b"".join(model.piece(token) for token in told).decode("utf-8", "replace")
    return ReplyPrompt(np.array(prompt, np.int32), model.piece, before=before)


def _shows_tools(engine: Engine, messages: list[Message], extras: Extras) -> bool:
    """Whether the template writes the tools into the prompt. The messages may name them, too."""
    shown = engine.template.text(messages, extras=extras)
    without = engine.template.text(messages, extras=replace(extras, tools=()))
    names = [one["function"]["name"] for one in extras.tools]
    return all(shown.count(name) > without.count(name) for name in names)


def _with_tools(messages: list[Message], tools: Toolbox) -> list[Message]:
    """The messages, the first system message of which tells of the tools."""
    lines = "\n".join(json.dumps(one["function"], ensure_ascii=False) for one in tools.functions)
    place = next(number for number, message in enumerate(messages) if message.role == "system")
    told = f"{messages[place].content}\n\n{TOOLS_TOLD.format(tools=lines)}"
    return [*messages[:place], replace(messages[place], content=told), *messages[place + 1 :]]


class _CallMarks(Marks):
    """The marks of thinking, and those that open a call."""

    def __init__(self, model: LlamaModel, template: str) -> None:
        super().__init__(model, template)
        self._calls: dict[int, bytes] = {}
        for mark in MARKS:
            tokens = model.tokenize(mark, special=True)
            if len(tokens) == 1 and not model.piece(int(tokens[0])):
                self._calls[int(tokens[0])] = mark.encode()

    def piece(self, token: int) -> bytes:
        """The bytes of a token; those of the marks that are control tokens too."""
        return super().piece(token) or self._calls.get(token, b"")
