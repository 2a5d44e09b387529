"""The templates of models that people use, against transformers' own rendering of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localspec.chat.template import ChatTemplate, Extras, Message

FOLDER = Path(__file__).parent / "templates"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jinja"))
BOS, EOS = "<s>", "</s>"

SYSTEM = Message("system", "Answer briefly, in <b>plain</b> words.")
ASKED = Message("user", "What's the weather in Velm & Borsk?")
THERE = Message("user", "And <tomorrow>?")
GREETING = Message("assistant", "Hello! What would you like to know?")
CALL: dict[str, Any] = {
    "id": "abc123XYZ", "type": "function",
    "function": {"name": "get_weather", "arguments": {"town": "Velm's <harbour>", "days": 2}},
}  # fmt: skip
CALLED = Message("assistant", None, tool_calls=(CALL,))
ANSWERED = Message("tool", '{"sky": "grey <9 m>"}', tool_call_id="abc123XYZ", name="get_weather")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a town & its <sea>.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}  # fmt: skip


def template(name: str) -> ChatTemplate:
    return ChatTemplate((FOLDER / f"{name}.jinja").read_text(encoding="utf-8"), bos=BOS, eos=EOS)


def reference(name: str, messages: list[dict[str, Any]], *, reply: bool = True, **more: Any) -> str:
    """What transformers makes of it. Raises what the template raises."""
    from transformers.utils.chat_template_utils import render_jinja_template

    source = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    rendered: Any = render_jinja_template(
        [messages], chat_template=source, add_generation_prompt=reply, bos_token=BOS, eos_token=EOS, **more
    )
    return str(rendered[0][0])


def plainly(messages: list[Message]) -> list[dict[str, Any]]:
    return [{"role": said.role, "content": said.content} for said in messages]


def text_of(name: str, messages: list[Message], **more: Any) -> str:
    own = template(name)
    text = own.text(messages, **more)
    assert not own.is_plain
    assert not own.refused
    return text


@pytest.mark.parametrize("reply", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_usual_conversation_is_what_transformers_renders(name: str, reply: bool) -> None:
    said = [ASKED, Message("assistant", "Grey – 9 °C.\n\n| a | b |\n"), THERE]
    assert text_of(name, said, reply=reply) == reference(name, plainly(said), reply=reply)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("gemma-2", "mistral-7b")])
def test_so_is_one_with_a_system_message(name: str) -> None:
    said = [SYSTEM, ASKED, Message("assistant", "Grey."), THERE]
    assert text_of(name, said) == reference(name, plainly(said))


JOINED = ("gemma-2", "gemma-3", "mistral-7b", "mistral-nemo", "mistral-small-3.2", "ministral-3-reasoning")
"""Templates that demand alternation"""


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_of_one_role_are_joined_only_where_the_template_demands_it(name: str) -> None:
    said = [SYSTEM, ASKED, THERE]
    plain = plainly(said)
    if name in JOINED:
        with pytest.raises(Exception, match=r"alternate|not supported"):
            reference(name, plain)
        plain = [plain[0], {"role": "user", "content": f"{ASKED.content}\n\n{THERE.content}"}]
        if name in ("gemma-2", "mistral-7b"):
            plain = [{"role": "user", "content": f"{SYSTEM.content}\n\n{plain[1]['content']}"}]
    assert text_of(name, said) == reference(name, plain)


@pytest.mark.parametrize("name", NAMES)
def test_a_greeting_may_come_first(name: str) -> None:
    said = [GREETING, ASKED]
    plain = plainly(said)
    if name in JOINED:
        plain = [{"role": "user", "content": "Hello."}, *plain]
    assert text_of(name, said) == reference(name, plain)
    if name in ("gemma-2", "mistral-7b"):  # no system role: what it says opens the conversation
        plain = plainly([replace(SYSTEM, role="user"), *said])
    else:
        plain = [*plainly([SYSTEM]), *plain]
    assert text_of(name, [SYSTEM, *said]) == reference(name, plain)


WITH_TOOLS = (
    "llama-3.1", "qwen3", "gpt-oss", "granite-4.0", "mistral-nemo", "mistral-small-3.2", "ministral-3-reasoning",
    "deepseek-r1-distill",
)  # fmt: skip
"""Templates that know tools"""


@pytest.mark.parametrize("name", WITH_TOOLS)
@pytest.mark.parametrize("done", [False, True])
def test_calls_of_tools_are_written_as_the_template_has_them(name: str, done: bool) -> None:
    said = [SYSTEM, ASKED, CALLED, ANSWERED]
    content = None if name == "deepseek-r1-distill" else ""
    plain: list[dict[str, Any]] = [
        *plainly([SYSTEM, ASKED]),
        {"role": "assistant", "content": content, "tool_calls": [CALL]},
        {"role": "tool", "content": ANSWERED.content, "tool_call_id": "abc123XYZ", "name": "get_weather"},
    ]  # fmt: skip
    if done:
        said += [Message("assistant", "Grey."), THERE]
        plain += plainly([Message("assistant", "Grey."), THERE])
    assert text_of(name, said, extras=Extras(tools=(TOOL,))) == reference(name, plain, tools=[TOOL])
    assert text_of(name, said) == reference(name, plain)
    # Arguments as OpenAI's protocol has them, and ids of any length
    as_json = {**CALL, "function": {**CALL["function"], "arguments": '{"town": "Velm\'s <harbour>", "days": 2}'}}
    assert text_of(name, [*said[:2], replace(CALLED, tool_calls=(as_json,)), *said[3:]]) == reference(name, plain)
    long = [
        replace(
            message,
            tool_calls=tuple({**call, "id": "call_long-name"} for call in message.tool_calls),
            tool_call_id="call_long-name" if message.tool_call_id else "",
        )
        for message in said
    ]
    assert "Velm" in text_of(name, long)


@pytest.mark.parametrize("name", NAMES)
def test_a_history_with_tools_gets_through_every_template(name: str) -> None:
    text = text_of(name, [SYSTEM, ASKED, CALLED, ANSWERED])
    assert "get_weather" in text
    assert "Velm's <harbour>" in text
    assert "grey <9 m>" in text
    assert "Borsk" in text


@pytest.mark.parametrize(
    ("name", "switch"), [("qwen3", "enable_thinking"), ("granite-3.3", "thinking"), ("smollm3", "enable_thinking")]
)
def test_thinking_is_switched_as_the_template_knows_it(name: str, switch: str) -> None:
    own = template(name)
    assert own.switches_thinking
    for wanted in ("on", "off"):
        expected = reference(name, plainly([ASKED]), **{switch: wanted == "on"})
        assert own.text([ASKED], extras=Extras(thinking=wanted)) == expected
    assert own.text([ASKED]) == reference(name, plainly([ASKED]))


def test_an_effort_is_given_where_the_template_asks_for_one() -> None:
    own = template("gpt-oss")
    assert own.has_effort
    for effort in ("low", "medium", "high"):
        expected = reference("gpt-oss", plainly([ASKED]), reasoning_effort=effort)
        assert own.text([ASKED], extras=Extras(thinking=effort)) == expected
    assert "Reasoning: low" in own.text([ASKED], extras=Extras(thinking="off"))


@pytest.mark.parametrize("name", ["qwen3", "gpt-oss", "deepseek-r1-distill", "smollm3"])
def test_what_was_thought_is_left_out_of_later_prompts_as_the_template_does(name: str) -> None:
    answer = Message("assistant", "Grey.", reasoning_content="The sky is what they ask about.")
    said = [ASKED, answer, THERE]
    plain = plainly(said)
    plain[1]["reasoning_content"] = answer.reasoning_content
    text = text_of(name, said)
    assert text == reference(name, plain)
    assert "The sky" not in text


def test_a_message_can_be_gone_on_with() -> None:
    text = template("qwen3").text([ASKED, Message("assistant", "The sky is")], goes_on=True)
    assert text.endswith("The sky is")
    assert text.startswith("<|im_start|>user\n")
