"""From messages to token ids, through the model's own chat template.

Only the template's own text may become control tokens. What people, documents and models said is tokenized on its own,
so that `<|im_end|>` inside a document stays text; a reply keeps the very tokens it was generated with. So the prompt of
a later turn starts with the tokens of the earlier one, and the KV cache is reused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Protocol

import jinja2
import numpy as np
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from numpy.typing import NDArray

_MARK = re.compile("\ue000(\\d+)\ue001")
_PLAIN = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models that carry no template, or one that fails."""
_FAILURES = (
    jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError,
    SyntaxError,
)  # fmt: skip
"""What a template can raise when it is compiled or run."""


class Tokenizer(Protocol):
    """The part of a model that turns text into ids."""

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        """Ids of `text`; `special` lets control tokens in it count."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `tokens` are the ids a reply was generated with, where it was."""

    role: str
    content: str
    tokens: NDArray[np.int32] | None = None


class _Generation(Extension):
    """`{% generation %}` … `{% endgeneration %}`, with which templates mark replies for training; no text changes."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What lies between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A model's Jinja chat template, run in a sandbox."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "", begin: Sequence[int] = ()) -> None:
        """`begin` are ids to put in front unless the template writes `bos` itself."""
        # the same options and tags as in transformers (utils/chat_template_utils.py)
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
        self._bos, self._eos, self._begin = bos, eos, list(begin)
        self.is_plain = not source
        self._plain = self._template = environment.from_string(_PLAIN)
        try:
            self._template = environment.from_string(source or _PLAIN)
        except _FAILURES:
            self.is_plain = True

    def tokens(self, messages: Sequence[Message], tokenizer: Tokenizer, *, reply: bool = True) -> NDArray[np.int32]:
        """Ids [n] of the conversation, ready for a reply (or complete, with `reply` False)."""
        pieces = self._pieces(messages, reply)
        parts: list[NDArray[np.int32]] = []
        first = next(iter(pieces), "")
        if self._begin and not (self._bos and isinstance(first, str) and first.startswith(self._bos)):
            parts.append(np.array(self._begin, dtype=np.int32))
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(tokenizer.tokenize(piece, special=True))
            else:
                said = messages[piece]
                parts.append(said.tokens if said.tokens is not None else tokenizer.tokenize(said.content.strip()))
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def _pieces(self, messages: Sequence[Message], reply: bool) -> list[str | int]:
        """The rendered conversation as template text and indices of messages."""
        marked = [{"role": said.role, "content": f"\ue000{index}\ue001"} for index, said in enumerate(messages)]
        text = self._render(self._template, marked, reply)
        if text is None:
            text = self._render(self._template, _without_system(marked), reply)
        if text is None:
            text = self._render(self._plain, marked, reply) or ""
        pieces: list[str | int] = []
        end = 0
        for match in _MARK.finditer(text):
            if match.start() > end:
                pieces.append(text[end : match.start()])
            pieces.append(int(match.group(1)))
            end = match.end()
        if end < len(text):
            pieces.append(text[end:])
        return pieces

    def _render(self, template: jinja2.Template, messages: list[dict[str, str]], reply: bool) -> str | None:
        """The conversation as `template` writes it; None when it fails or loses the last message."""
        try:
            text = template.render(
                messages=messages, add_generation_prompt=reply, bos_token=self._bos, eos_token=self._eos, tools=None
            )
        except _FAILURES:
            return None
        return text if not messages or messages[-1]["content"] in text else None


def _without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The system message as the start of the first question, for templates that know no system role."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    joined = {"role": messages[1]["role"], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [joined, *messages[2:]]


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
