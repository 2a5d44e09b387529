"""A model that thinks before it answers: the shipped one, held to it by a grammar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localspec import texts
from localspec.chat.comparison import Comparison, as_made
from localspec.chat.engine import Engine
from localspec.chat.session import Session, SingleReply
from localspec.chat.template import ChatTemplate, Message
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import SettingsError
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.library import Library
from localspec.stores.stored_turns import as_row, of_row
from tests.builders import make_pdf
from tests.chat.conftest import HARBOUR

GRAMMAR = 'root ::= "<think>\\n" [a-z ]{24} "\\n</think>\\n\\n" "Velm lies " [a-z ]{30} "."'
THINKS = ReplyOptions("plain", max_tokens=80, sampling=SamplingSettings(temperature=0.0, grammar=GRAMMAR))
USUAL = ReplyOptions("plain", max_tokens=12, sampling=SamplingSettings(temperature=0.0))


def answered(session: Session, question: str, options: ReplyOptions) -> Turn:
    """The turn; what was streamed is what it holds."""
    updates = list(session.ask(question, options))
    turn = updates[-1].turn
    assert "".join(update.delta for update in updates) == turn.reply
    assert "".join(update.thinking for update in updates) == turn.thinking
    return turn


@pytest.fixture
def thought(engine: Engine) -> tuple[Session, Turn]:
    session = Session(engine)
    return session, answered(session, "Where does Velm lie?", THINKS)


def test_thinking_is_no_part_of_the_answer(engine: Engine, thought: tuple[Session, Turn]) -> None:
    _, turn = thought
    assert turn.finish == "end"
    assert len(turn.thinking.strip()) > 10
    assert turn.reply.startswith("Velm lies ")
    assert "think" not in turn.reply
    assert sum(turn.origins.lengths) == len(turn.reply)
    assert len(turn.origins.lengths) == len(turn.reply_tokens)
    said = b"".join(map(engine.model.piece, turn.reply_tokens[turn.thinking_tokens :])).decode()
    assert said == turn.reply
    assert turn.answer_length == len(turn.reply_tokens) - turn.thinking_tokens > 5


def test_a_later_prompt_leaves_it_out_and_keeps_the_answers_tokens(
    engine: Engine, thought: tuple[Session, Turn]
) -> None:
    session, turn = thought
    before = len(engine.template.tokens([Message("system", "x"), Message("user", turn.content)], engine.model))
    later = answered(session, "Why?", USUAL)
    prompt = session.prompts.compose_again().tolist()
    ids = turn.reply_tokens[turn.thinking_tokens :]
    assert any(prompt[at : at + len(ids)] == ids for at in range(len(prompt)))
    assert b"<think>" not in b"".join(map(engine.model.piece, prompt))
    # The cache is used as far as both prompts are the same: up to where the answer begins.
    assert 5 < later.metrics.reused_tokens <= before + 64


def test_it_is_kept_with_the_turn(thought: tuple[Session, Turn]) -> None:
    _, turn = thought
    kept = Turn.of_stored(of_row(as_row(turn.stored()), {}))
    assert (kept.thinking, kept.thinking_tokens, kept.reply) == (turn.thinking, turn.thinking_tokens, turn.reply)


def test_a_limit_that_went_into_thinking_is_told(engine: Engine) -> None:
    options = ReplyOptions("plain", max_tokens=12, sampling=THINKS.sampling)
    session = Session(engine)
    turn = answered(session, "Where does Velm lie?", options)
    assert (turn.finish, turn.reply) == ("length", "")
    assert turn.thinking
    assert texts.THOUGHT_TO_THE_LIMIT.format(tokens=12) in turn.notices
    whole = answered(Session(engine), "Where does Velm lie?", THINKS)
    # The grammar begins anew behind what was said, so what follows is thought, too.
    *_, done = session.go_on(USUAL)
    assert done.turn.thinking.startswith(turn.thinking[:3])
    assert whole.thinking.startswith(turn.thinking[:3])
    # A turn that was only thought is in no later prompt.
    assert not Turn("q", "q", reply_tokens=[1], thinking="x", thinking_tokens=1).is_answered


def test_it_is_not_learnt(
    engine: Engine, make_library: Callable[[list[Path]], Library], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = make_library([make_pdf(tmp_path / "harbour.pdf", HARBOUR)])
    library.replies.set_learning(True)
    learnt: list[tuple[list[int], int]] = []
    monkeypatch.setattr(
        library.replies, "add_later", lambda tokens, states: learnt.append((tokens.tolist(), len(states)))
    )
    turn = answered(Session(engine, library), "Where does Velm lie?", THINKS)
    ((tokens, states),) = learnt
    answer = turn.reply_tokens[turn.thinking_tokens :]
    # The token before it, the answer, and the end.
    assert tokens[1 : 1 + len(answer)] == answer
    assert len(tokens) == len(answer) + 2
    assert states == len(tokens) - 1


def test_a_model_that_cannot_be_told_says_so(engine: Engine) -> None:
    turn = answered(Session(engine), "Where?", ReplyOptions("plain", max_tokens=2, thinking="off"))
    assert texts.THINKING_UNKNOWN.format(model=engine.name) in turn.notices
    with pytest.raises(SettingsError, match="think"):
        ReplyOptions(thinking="hard")


def test_a_switch_reaches_the_template(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (Path(__file__).parent / "templates" / "qwen3.jinja").read_text(encoding="utf-8")
    monkeypatch.setattr(engine, "template", ChatTemplate(source))
    session = Session(engine)
    turn, off = session.prompts.compose("Where?", ReplyOptions(thinking="off"))
    assert not [notice for notice in turn.notices if "think" in notice]
    assert b"".join(map(engine.model.piece, off.tolist())).decode().endswith("assistant\n<think>\n\n</think>\n\n")
    on = session.prompts.compose("Where?", ReplyOptions(thinking="on"))[1]
    assert b"".join(map(engine.model.piece, on.tolist())).decode().endswith("assistant\n")
    single = SingleReply(engine, off)
    *_, done = single.write(USUAL)
    assert done.turn.thinking == ""


def test_a_grammar_without_a_thought_gives_an_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (Path(__file__).parent / "templates" / "deepseek-r1-distill.jinja").read_text(encoding="utf-8")
    monkeypatch.setattr(engine, "template", ChatTemplate(source))
    thinks = replace(USUAL, thinking="on")
    free = answered(Session(engine), "Where?", thinks)
    assert (bool(free.thinking), free.reply) == (True, ""), "the prompt opens a thought"
    for form in ({"grammar": 'root ::= "Velm."'}, {"json_schema": '{"const": "Velm."}'}):
        turn = answered(Session(engine), "Where?", replace(thinks, sampling=SamplingSettings(**form)))  # type: ignore[arg-type]
        assert (turn.thinking, turn.reply.strip('"'), turn.finish) == ("", "Velm.", "end")


def test_a_comparison_thinks_as_the_answer_did(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (Path(__file__).parent / "templates" / "qwen3.jinja").read_text(encoding="utf-8")
    monkeypatch.setattr(engine, "template", ChatTemplate(source))
    session = Session(engine)
    turn = answered(session, "Where?", replace(USUAL, thinking="off"))
    for goes_on in (True, False):
        made, known = as_made(turn, engine, USUAL)
        (plain,) = list(Comparison(session).run(made))[-1].ways
        assert known
        assert plain.metrics.prompt_tokens == session.prompts.compose_again("off").size
        assert plain.tokens[: len(turn.reply_tokens)] == turn.reply_tokens
        if goes_on:
            assert turn.finish == "length"
            # What is chosen meanwhile is for the next question.
            list(session.go_on(replace(USUAL, thinking="on")))


def test_without_a_template_it_is_said_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "template", ChatTemplate(""))
    session = Session(engine)
    said = texts.TEMPLATE_MISSING.format(model=engine.name)
    assert said in answered(session, "Where?", USUAL).notices
    assert said not in answered(session, "Why?", USUAL).notices
