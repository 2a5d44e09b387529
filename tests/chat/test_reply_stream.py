"""Thinking is told from answers token by token, whatever the tokens are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.reply_stream import Marks, ReplyStream, answer_tokens

CONTROLS = ("<|channel|>", "<|message|>", "<|end|>", "<|start|>", "[THINK]", "[/THINK]")


class Bytes:
    """A vocabulary of bytes, and of control tokens that give no text."""

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < 256 else b""

    def tokenize(self, text: str, *, special: bool = False) -> NDArray[np.int32]:
        ids: list[int] = []
        while text:
            name = next((name for name in CONTROLS if special and text.startswith(name)), "")
            ids += [256 + CONTROLS.index(name)] if name else text[0].encode()
            text = text[len(name) or 1 :]
        return np.array(ids, dtype=np.int32)


VOCABULARY = Bytes()
HARMONY = "<|start|>{{ role }}<|channel|>final<|message|>"


def split(template: str, prompt: str, reply: str) -> tuple[str, str, int]:
    """Thinking, answer, and tokens before it; told piece by piece and as a whole alike."""
    marks = Marks(VOCABULARY, template)
    stream = ReplyStream(marks, VOCABULARY.tokenize(prompt, special=True).tolist())
    parts = stream.add(VOCABULARY.tokenize(reply, special=True).tolist())
    parts.append(stream.finish())
    assert "".join(part.thinking for part in parts) == stream.thinking
    assert "".join(part.answer for part in parts) == stream.text
    return stream.thinking, stream.text, stream.thinking_tokens


@pytest.mark.parametrize(
    ("template", "prompt", "reply", "thinking", "answer"),
    [
        ("</think>", "assistant\n", "<think>\nA bay.\n</think>\n\nBy the sea.", "A bay.\n", "By the sea."),
        ("</think>", "<think>\n", "A bay.\n</think>\n\nBy the sea.", "A bay.\n", "By the sea."),
        ("</think>", "<think>", "\nA bay.</think>By the sea.", "A bay.", "By the sea."),
        ("</think>", "<think>\n\n</think>\n\n", "By the <think> sea.", "", "By the <think> sea."),
        ("</think>", "assistant\n", "\n<think>\n\n</think>\n\nBy the sea.", "", "By the sea."),
        ("</think>", "assistant\n", "By the <think>sea</think>.", "", "By the <think>sea</think>."),
        ("", "assistant\n", "<think>A bay.</think> <b>Sea</b>", "A bay.", "<b>Sea</b>"),
        ("", "assistant\n", "  <thin ice>", "", "  <thin ice>"),
        ("", "assistant\n", "<thi", "", "<thi"),
        ("</think>", "assistant\n", "<think>A bay, < 9 m, </thin", "A bay, < 9 m, </thin", ""),
        ("[THINK]", "[/INST]", "[THINK]A bay.[/THINK]Sea.", "A bay.", "Sea."),
        (
            "</think>", "assistant", "<think>A bay.</think><response>By the sea < </response>",
            "A bay.", "By the sea < ",
        ),
        (
            HARMONY, "<|start|>assistant",
            "<|channel|>analysis<|message|>A bay.<|end|><|start|>assistant<|channel|>final<|message|>Sea.",
            "A bay.", "Sea.",
        ),
        (HARMONY, "<|start|>assistant", "<|channel|>final<|message|>Sea.", "", "Sea."),
        (
            HARMONY, "<|start|>assistant",
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>Sea.",
            "", "I look.\n\nSea.",
        ),
        (
            HARMONY, "<|start|>assistant",
            "<|channel|>analysis<|message|>A.<|end|><|start|>assistant<|channel|>commentary to=f<|message|>{}",
            "A.", "<|start|>assistant<|channel|>commentary to=f<|message|>{}",
        ),
        (HARMONY, "<|start|>assistant", "<|channel|>analysis<|message|>A bay", "A bay", ""),
    ],
)  # fmt: skip
def test_what_was_thought_stands_apart(template: str, prompt: str, reply: str, thinking: str, answer: str) -> None:
    assert split(template, prompt, reply)[:2] == (thinking, answer)


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 80))
def test_going_on_anywhere_gives_the_same(thought: str, said: str, cut: int) -> None:
    marks = Marks(VOCABULARY, "</think>")
    tokens = list(f"<think>{thought}</think>\n\n{said}".encode("utf-8", "replace"))
    whole = ReplyStream(marks, [])
    whole.add(tokens)
    whole.finish()
    first = ReplyStream(marks, [])
    first.add(tokens[:cut])
    first.finish()
    later = ReplyStream(marks, [], tokens[:cut], first.thinking, first.text)
    later.add(tokens[cut:])
    later.finish()
    assert (later.thinking, later.text, later.thinking_tokens) == (whole.thinking, whole.text, whole.thinking_tokens)


@given(st.text(max_size=60))
def test_a_reply_without_marks_is_text_as_it_comes(said: str) -> None:
    data = said.encode("utf-8", "replace")
    stream = ReplyStream(Marks(VOCABULARY, ""), [])
    stream.add(list(data))
    stream.finish()
    if not said.lstrip().startswith(("<think", "[THINK", "<seed", "<|")):
        assert stream.text == data.decode("utf-8", "replace")
        assert stream.thinking == ""


def test_the_answers_tokens_are_known_unless_they_share_one_with_the_thought(engine: Engine) -> None:
    tokens = engine.tokenize("<think>A bay.</think>\n\nBy the sea.").tolist()
    stream = ReplyStream(engine.marks, [])
    stream.add(tokens)
    assert (stream.thinking, stream.text) == ("A bay.", "By the sea.")
    known = answer_tokens(stream.text, tokens, stream.thinking_tokens, engine.model)
    assert known is not None
    assert known.tolist() == tokens[stream.thinking_tokens :]
    assert answer_tokens("By the sea", tokens, stream.thinking_tokens, engine.model) is None
    assert answer_tokens("whatever", tokens, 0, engine.model) is not None


@pytest.mark.parametrize("template", ["", "</think>"])
@pytest.mark.parametrize("said", ["\N{WAVING HAND SIGN} Ahoy.", "\n\nAhoy.", "Ahoy."])
def test_an_answer_without_a_thought_has_no_tokens_of_one(template: str, said: str) -> None:
    assert split(template, "assistant\n", said) == ("", said, 0)


def test_what_was_thought_stays_where_its_tokens_are_not_known() -> None:
    """As of a chat that was imported, or written with another model."""
    stream = ReplyStream(Marks(VOCABULARY, "</think>"), [], list(b"By the"), "A bay.", "By the")
    stream.add(list(b" sea."))
    assert (stream.thinking, stream.text, stream.thinking_tokens) == ("A bay.", "By the sea.", 0)
