"""Chat requests, read and checked.

A field that is not known here is refused, unless its value is null, false, 0 or empty, which asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from localspec.chat.template import Message
from localspec.endpoint.message_fields import read_messages
from localspec.endpoint.refusals import refuse
from localspec.endpoint.reply_fields import MOST_LOGPROBS, UNLIMITED, ReplyRequest, longest, shared_fields
from localspec.endpoint.request_fields import WITHOUT_EFFECT, Fields, read_json
from localspec.endpoint.tool_fields import Toolbox, read_schema, read_tools

_EFFORTS = {"none": "off", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(ReplyRequest):
    """A conversation to be gone on with, and how."""

    messages: tuple[Message, ...]
    tools: Toolbox = field(default_factory=Toolbox)
    schema: str = ""  # JSON schema that the answer follows, as JSON
    thinking: str = ""
    """"on", "off", "low", "medium" or "high", as templates are told; "" for what the model does by itself"""

    @property
    def schema_field(self) -> str:
        """The field whose schema the answer follows; "" where there is none."""
        return "tools" if self.tools.must_call else "response_format" if self.schema else ""

    @property
    def goes_on(self) -> bool:
        """The last message is the beginning of the answer."""
        return self.messages[-1].role == "assistant"


def parse_chat(body: bytes) -> ChatRequest:
    """The request in `body`. Raises RequestError (400) that names the field to blame."""
    fields = Fields(read_json(body))
    shared = shared_fields(fields)
    request = ChatRequest(
        **shared,
        messages=read_messages(fields.take("messages")),
        max_tokens=longest(fields, "max_completion_tokens", "max_tokens") or UNLIMITED,
        top_logprobs=_logprobs(fields),
        tools=read_tools(fields),
        schema=read_schema(fields),
        thinking=_thinking(fields),
    )
    fields.finish(WITHOUT_EFFECT)
    return request


def _logprobs(fields: Fields) -> int | None:
    asked = fields.flag("logprobs")
    top = fields.whole("top_logprobs", 0, MOST_LOGPROBS)
    if top and not asked:
        refuse("top_logprobs need logprobs to be true.", "top_logprobs")
    return (top or 0) if asked else None


def _thinking(fields: Fields) -> str:
    """What is said about thinking: by OpenAI's name, by a template's own, or by that of Anthropic's and GLM's."""
    effort = fields.text("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        refuse(f"This must be one of {', '.join(_EFFORTS)}.", "reasoning_effort")
    given = Fields(fields.take("chat_template_kwargs") or {}, "chat_template_kwargs")
    switches = [given.flag(name) for name in ("enable_thinking", "thinking")]
    given.finish()
    other = Fields(fields.take("thinking") or {}, "thinking")
    kind = other.text("type")
    if kind not in (None, "enabled", "disabled", "auto"):
        refuse("The type must be enabled, disabled or auto.", "thinking.type")
    other.finish(frozenset({"budget_tokens"}))
    switches.append({"enabled": True, "disabled": False}.get(kind or ""))
    switch = next((one for one in switches if one is not None), None)
    if effort is not None:
        return _EFFORTS[effort]
    return "" if switch is None else "on" if switch else "off"
