"""Chat templates: the same text as a direct render, and nothing people wrote becomes a control token."""

from __future__ import annotations

from functools import lru_cache

import jinja2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.template import ChatTemplate, Message

SYSTEM = Message("system", "Answer briefly.")
QUESTION = Message("user", "Where is the harbour?")

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
WITHOUT_BOS = "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}"


@lru_cache(maxsize=1)
def names(engine: Engine) -> list[bytes]:
    """The name of every token, by id."""
    return engine.model.vocabulary()


def written(engine: Engine, tokens: NDArray[np.int32]) -> str:
    """The text of tokens, control tokens written out."""
    ids = tokens.tolist()
    return b"".join(engine.model.piece(token) or names(engine)[token] for token in ids).decode()


@pytest.fixture(scope="module")
def controls(engine: Engine) -> set[int]:
    """Ids of the tokens that are not text."""
    vocabulary = engine.model.vocabulary()
    found = {
        token
        for token in range(engine.model.vocabulary_size)
        if not engine.model.piece(token) or engine.model.is_end(token) or vocabulary[token].startswith(b"<|")
    }
    assert {int(engine.model.tokenize(name, special=True)[0]) for name in ("<|im_start|>", "<|im_end|>")} <= found
    return found


def direct(source: str, messages: list[Message], *, reply: bool = True, bos: str = "") -> str:
    """What Jinja makes of the template without any of our code."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    plain = [{"role": said.role, "content": said.content} for said in messages]
    return environment.from_string(source).render(messages=plain, add_generation_prompt=reply, bos_token=bos)


@pytest.mark.parametrize("reply", [True, False])
@pytest.mark.parametrize(
    "messages",
    [
        [QUESTION],
        [SYSTEM, QUESTION],
        [SYSTEM, QUESTION, Message("assistant", "In Velm.\n\nBy the sea – über 9 m."), Message("user", "Thanks 🙂")],
    ],
    ids=["question", "system", "several turns"],
)
def test_the_models_own_template_gives_the_text_of_a_direct_render(
    engine: Engine, messages: list[Message], reply: bool
) -> None:
    tokens = engine.template.tokens(messages, engine.model, reply=reply)
    assert not engine.template.is_plain
    assert written(engine, tokens) == direct(engine.model.chat_template, messages, reply=reply)


def test_the_templates_own_marks_are_control_tokens(engine: Engine) -> None:
    start, end = (int(engine.model.tokenize(name, special=True)[0]) for name in ("<|im_start|>", "<|im_end|>"))
    tokens = engine.template.tokens([SYSTEM, QUESTION], engine.model).tolist()
    assert tokens.count(start) == 3
    assert tokens.count(end) == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "system\n", "<repo_name>", " a", "\ue0000\ue001"]
        ),
        min_size=1,
        max_size=6,
    )
)
def test_control_tokens_in_what_people_say_stay_text(engine: Engine, controls: set[int], parts: list[str]) -> None:
    content = "".join(["x", *parts, "x"])
    messages = [Message("system", content), Message("user", content), Message("assistant", content), QUESTION]
    harmless = [Message(said.role, "x") for said in messages[:3]] + [QUESTION]
    tokens = engine.template.tokens(messages, engine.model)
    expected = [token for token in engine.template.tokens(harmless, engine.model).tolist() if token in controls]
    assert [token for token in tokens.tolist() if token in controls] == expected
    assert written(engine, tokens) == direct(engine.model.chat_template, messages)


def test_the_next_prompt_starts_with_the_last_prompt_and_its_reply(engine: Engine) -> None:
    first = [SYSTEM, QUESTION]
    prompt = engine.template.tokens(first, engine.model)
    # Cut where no tokenizer would cut: made again from text, these would be other tokens.
    reply = np.concatenate([engine.tokenize(part) for part in ("In Ve", "l", "m", ", by th", "e sea.")])
    text = b"".join(engine.model.piece(token) for token in reply.tolist()).decode()
    assert engine.tokenize(text).tolist() != reply.tolist()
    later = engine.template.tokens([*first, Message("assistant", text, reply), Message("user", "Why?")], engine.model)
    start = np.concatenate([prompt, reply])
    assert later[: len(start)].tolist() == start.tolist()
    assert len(later) > len(start)


def test_a_template_without_system_role_gets_it_with_the_first_question(engine: Engine) -> None:
    template = ChatTemplate(GEMMA, bos="<|im_start|>", begin=[1])
    answer = Message("assistant", "In Velm.")
    tokens = template.tokens([SYSTEM, QUESTION, answer, Message("user", "Why?")], engine.model)
    joined = [Message("user", "Answer briefly.\n\nWhere is the harbour?"), answer, Message("user", "Why?")]
    assert written(engine, tokens) == direct(GEMMA, joined, bos="<|im_start|>")
    assert not template.is_plain


@pytest.mark.parametrize("source", ["", "{% for message in %}", "{{ messages ", "{% unknown %}"])
def test_without_a_usable_template_the_conversation_is_written_out(engine: Engine, source: str) -> None:
    template = ChatTemplate(source)
    assert template.is_plain
    tokens = template.tokens([SYSTEM, QUESTION], engine.model)
    assert written(engine, tokens) == "System: Answer briefly.\n\nUser: Where is the harbour?\n\nAssistant:"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__.__base__.__subclasses__() }}{{ messages[0].content }}",
        "{{ raise_exception.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
        "{{ messages.append(messages[0]) }}{{ messages[0].content }}",
        "{% for number in range(100000000) %}{{ number }}{% endfor %}",
        "{{ raise_exception('no conversation is good enough') }}",
        "{{ 1 // (messages | length - messages | length) }}",
        "{{ messages[0].content.missing.attribute }}",
        "{{ messages | join(1, 2, 3, 4) }}",
    ],
)
def test_a_template_that_fails_or_tries_to_break_out_is_replaced(engine: Engine, source: str) -> None:
    template = ChatTemplate(source)
    text = written(engine, template.tokens([SYSTEM, QUESTION], engine.model))
    assert text == "System: Answer briefly.\n\nUser: Where is the harbour?\n\nAssistant:"


def test_a_template_that_loses_the_question_is_replaced(engine: Engine) -> None:
    template = ChatTemplate("{% for message in messages %}{{ message.content[0].text }}{% endfor %}")
    assert "Where is the harbour?" in written(engine, template.tokens([QUESTION], engine.model))


def test_tags_that_other_programs_know_are_known(engine: Engine) -> None:
    source = (
        "{% for message in messages %}{% if loop.index > 2 %}{% break %}{% endif %}"
        "{% generation %}{{ message.role }}: {{ message.content }};{% endgeneration %}{% endfor %}"
    )
    template = ChatTemplate(source)
    assert not template.is_plain
    text = written(engine, template.tokens([SYSTEM, QUESTION], engine.model))
    assert text == "system: Answer briefly.;user: Where is the harbour?;"


@pytest.mark.parametrize("source", [GEMMA, "{{ bos_token }}" + WITHOUT_BOS, WITHOUT_BOS, ""])
def test_the_begin_token_comes_once(engine: Engine, source: str) -> None:
    begin = int(engine.model.tokenize("<|im_start|>", special=True)[0])
    template = ChatTemplate(source, bos="<|im_start|>", begin=[begin])
    tokens = template.tokens([QUESTION], engine.model).tolist()
    assert tokens[0] == begin
    assert tokens.count(begin) == 1
    without = ChatTemplate(WITHOUT_BOS, bos="<|im_start|>").tokens([QUESTION], engine.model).tolist()
    assert begin not in without
