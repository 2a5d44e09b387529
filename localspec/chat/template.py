"""From messages to token ids, through the model's own chat template.

Only the template's own text may become control tokens. Where people, documents or models said `<|im_end|>`, a mark
stands for it while the template runs, and the mark becomes plain text again. A reply keeps the very tokens it was
generated with. So the prompt of a later turn starts with the tokens of the earlier one, and the KV cache is reused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jinja2
import numpy as np
from numpy.typing import NDArray

from localspec.chat.message_forms import Form, Message, forms, holds, plain_form, shows_system, written
from localspec.chat.template_environment import FAILURES, PLAIN, compiled, undeclared

__all__ = ["ChatTemplate", "Message", "Tokenizer", "template_of"]

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([cre])(\\d+){_CLOSE}")
"""Stands for a control token's text (c), a reply with tokens (r), or the end of a message that is gone on with (e)."""
_THINKING_MARKS = ("<think>", "</think>", "[THINK]", "[/THINK]")
"""What templates look for in what a model said: it stays there as it is."""
SWITCHES = ("enable_thinking", "thinking")
"""Variables with which templates switch thinking on and off: of most makers; of Granite 3 and DeepSeek V3.1."""
EFFORT = "reasoning_effort"
"""Variable that says how long to think: gpt-oss's and others'."""
EFFORTS = ("low", "medium", "high")


class Tokenizer(Protocol):
    """The part of a model that turns text into ids."""

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        """Ids of `text`; `special` lets control tokens in it count."""

    @property
    def control_texts(self) -> Collection[str]:
        """The texts that `special` makes control tokens."""


class TemplateModel(Tokenizer, Protocol):
    """What a model says about its template."""

    @property
    def chat_template(self) -> str:
        """The template's text; "" for none."""

    @property
    def adds_bos(self) -> bool:
        """True when a text begins with the begin token."""

    @property
    def bos(self) -> int:
        """Id of the begin token."""

    def special_token(self, which: str) -> str:
        """Text of the token with this use; "" for none."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a template is given beside the messages."""

    tools: tuple[Mapping[str, Any], ...] = ()  # as OpenAI's protocol has them
    documents: tuple[Mapping[str, Any], ...] = ()  # with `title` and `text`
    thinking: str = ""
    """"on", "off", one of `EFFORTS`, or "" for what the template does by itself"""


class ChatTemplate:
    """A model's Jinja chat template, run in a sandbox."""

    def __init__(
        self,
        source: str,
        *,
        bos: str = "",
        eos: str = "",
        begin: Sequence[int] = (),
        special: Mapping[str, str] | None = None,
    ) -> None:
        """`begin` are ids to put in front unless the template writes `bos` itself; `special` the texts of further
        special tokens, by the name that templates know them by."""
        self._begin = list(begin)
        self._bos = bos
        self._tokens = {**(special or {}), "bos_token": bos, "eos_token": eos}
        self.is_plain = not source
        """True where questions and answers are written out plainly, as there is no template that can be used"""
        self.refused = False
        """True where the template would write no form of the last conversation, which was so written out plainly"""
        self._plain = self._template = compiled(PLAIN)
        try:
            self._template = compiled(source or PLAIN)
        except FAILURES:
            self.is_plain = True
        self._variables = frozenset() if self.is_plain else undeclared(source)
        self._shows_system: bool | None = None

    @property
    def switches_thinking(self) -> bool:
        """True where thinking can be switched on and off."""
        return bool(self._variables & set(SWITCHES))

    @property
    def has_effort(self) -> bool:
        """True where it can be said how long to think."""
        return EFFORT in self._variables

    def text(
        self, messages: Sequence[Message], *, reply: bool = True, goes_on: bool = False, extras: Extras | None = None
    ) -> str:
        """The conversation as the template writes it. Parameters as in `tokens`."""
        return "".join(
            piece if isinstance(piece, str) else "" for piece in self._pieces(messages, (), reply, goes_on, extras)
        )

    def tokens(
        self,
        messages: Sequence[Message],
        tokenizer: Tokenizer,
        *,
        reply: bool = True,
        goes_on: bool = False,
        extras: Extras | None = None,
    ) -> NDArray[np.int32]:
        """Ids [n] of the conversation, ready for a reply (or complete, with `reply` False). With `goes_on` the last
        message is the beginning of the reply."""
        pieces = self._pieces(messages, tokenizer.control_texts, reply, goes_on, extras)
        parts: list[NDArray[np.int32]] = []
        first = next(iter(pieces), "")
        if self._begin and not (self._bos and isinstance(first, str) and first.startswith(self._bos)):
            parts.append(np.array(self._begin, dtype=np.int32))
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(tokenizer.tokenize(piece, special=True))
            elif isinstance(piece, _Said):
                parts.append(tokenizer.tokenize(piece.text))
            else:
                parts.append(piece)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    # -- rendering ----------------------------------------------------------------------------------------------

    def _pieces(
        self, messages: Sequence[Message], controls: Collection[str], reply: bool, goes_on: bool, extras: Extras | None
    ) -> list[str | _Said | NDArray[np.int32]]:
        """The rendered conversation: template text, what must stay plain text, and ids of replies."""
        extras = extras or Extras()
        marks = _Marks(controls)
        hidden = [marks.hide_message(message) for message in messages]
        if goes_on and hidden:
            hidden[-1] = replace(hidden[-1], content=f"{hidden[-1].content or ''}{_OPEN}e0{_CLOSE}", tokens=None)
            reply = False
        more = {
            "tools": marks.hide(list(extras.tools)) or None,
            "documents": marks.hide(list(extras.documents)) or None,
        }
        more = {**more, **self._thinking(extras.thinking)}
        form, template = self._form(hidden, reply, more)
        text = self._with_replies(template, form, reply, more)
        if goes_on:
            text = text.partition(f"{_OPEN}e0{_CLOSE}")[0]
        return marks.pieces(text, form)

    def _thinking(self, wanted: str) -> dict[str, Any]:
        """The variables that ask for it."""
        if not wanted:
            return {}
        given: dict[str, Any] = {name: wanted != "off" for name in SWITCHES if name in self._variables}
        if EFFORT in self._variables:
            given[EFFORT] = wanted if wanted in EFFORTS else EFFORTS[0] if wanted == "off" else EFFORTS[1]
        return given

    def _form(self, messages: list[Message], reply: bool, more: dict[str, Any]) -> tuple[Form, jinja2.Template]:
        """The first form of the conversation that the template writes in full, with the template."""
        second: Form | None = None
        for form in forms(messages):
            text = self._render(self._template, form, reply, more)
            if text is None:
                continue
            if holds(text, form, with_system=not self._knows_system()):
                self.refused = False
                return form, self._template
            if second is None and holds(text, Form(form.messages[-1:]), with_system=True):
                second = form
        self.refused = second is None
        if second is not None:
            return second, self._template
        return plain_form(messages), self._plain

    def _knows_system(self) -> bool:
        """True for templates that write system messages: where they leave one out, they mean it (Mistral's)."""
        if self._shows_system is None:
            text = self._render(self._template, shows_system(), True, {})
            self._shows_system = text is not None and holds(text, shows_system(), with_system=True)
        return self._shows_system

    def _with_replies(self, template: jinja2.Template, form: Form, reply: bool, more: dict[str, Any]) -> str:
        """The text of `form`, with marks for the replies whose tokens are known."""
        whole = self._render(template, form, reply, more) or ""
        known = [index for index, message in enumerate(form.messages) if message.tokens is not None]
        marked = self._marked(template, form, known, reply, more)
        if not known or _same(whole, marked, form):
            return marked
        # A template that changes a reply, such as where it speaks of thinking, gets that one as a text.
        known = [index for index in known if _same(whole, self._marked(template, form, [index], reply, more), form)]
        marked = self._marked(template, form, known, reply, more)
        return marked if _same(whole, marked, form) else whole

    def _marked(
        self, template: jinja2.Template, form: Form, replies: Sequence[int], reply: bool, more: dict[str, Any]
    ) -> str:
        said = [
            replace(message, content=f"{_OPEN}r{index}{_CLOSE}") if index in replies else message
            for index, message in enumerate(form.messages)
        ]
        return self._render(template, replace(form, messages=tuple(said)), reply, more) or ""

    def _render(self, template: jinja2.Template, form: Form, reply: bool, more: dict[str, Any]) -> str | None:
        """The conversation as `template` writes it; None when it fails."""
        try:
            return template.render(messages=written(form), add_generation_prompt=reply, **self._tokens, **more)
        except FAILURES:
            return None


@dataclass(frozen=True, slots=True)
class _Said:
    """Text that must not become control tokens."""

    text: str


class _Marks:
    """Marks in place of what must not become control tokens."""

    def __init__(self, controls: Collection[str]) -> None:
        self._controls = controls
        self._hidden: list[str] = []

    def hide_message(self, message: Message) -> Message:
        """The message with marks."""
        spared = _THINKING_MARKS if message.role == "assistant" else ()
        content = self._hide(message.content, spared) if message.content is not None else None
        return replace(
            message,
            content=content,
            tool_calls=tuple(self.hide(list(message.tool_calls))),
            name=self._hide(message.name),
            reasoning_content=self._hide(message.reasoning_content),
        )

    def hide(self, value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
        """`value` with marks in all its texts."""
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, Mapping):
            return {key: self.hide(inside) for key, inside in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(inside) for inside in value]
        return value

    def _hide(self, text: str, spared: Collection[str] = ()) -> str:
        found = [control for control in (*self._controls, _OPEN, _CLOSE) if control in text and control not in spared]
        if not found:
            return text
        pattern = "|".join(re.escape(control) for control in sorted(found, key=len, reverse=True))
        return re.sub(pattern, self._mark, text)

    def _mark(self, found: re.Match[str]) -> str:
        self._hidden.append(found[0])
        return f"{_OPEN}c{len(self._hidden) - 1}{_CLOSE}"

    def pieces(self, text: str, form: Form) -> list[str | _Said | NDArray[np.int32]]:
        """`text` cut at the marks, with what they stand for."""
        pieces: list[str | _Said | NDArray[np.int32]] = []
        end = 0
        for match in _MARK.finditer(text):
            kind, number = match[1], int(match[2])
            before = text[end : match.start()]
            end = match.end()
            tokens = form.messages[number].tokens if kind == "r" else None
            if tokens is not None:
                # Space that the reply begins with was generated behind the prompt, which did not have it.
                content = form.messages[number].content or ""
                lead = content[: len(content) - len(content.lstrip())]
                before = before.removesuffix(lead) if lead else before
            if before:
                pieces.append(before)
            if tokens is not None:
                pieces.append(tokens)
            elif kind == "c":
                pieces.append(_Said(self._hidden[number]))
        if end < len(text):
            pieces.append(text[end:])
        return pieces


def template_of(model: TemplateModel) -> ChatTemplate:
    """The template inside a model's file."""
    further = {f"{name}_token": model.special_token(name) for name in ("pad", "sep", "mask")}
    return ChatTemplate(
        model.chat_template,
        bos=model.special_token("bos"),
        eos=model.special_token("eos"),
        begin=[model.bos] if model.adds_bos else [],
        special={name: text for name, text in further.items() if text},
    )


def _same(whole: str, marked: str, form: Form) -> bool:
    """Whether `marked` is `whole`, but for space around the replies that its marks stand for."""

    def said(match: re.Match[str]) -> str:
        return (form.messages[int(match[2])].content or "") if match[1] == "r" else match[0]

    return "".join(_MARK.sub(said, marked).split()) == "".join(whole.split())
