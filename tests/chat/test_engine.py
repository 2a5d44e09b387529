"""One model, one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localspec import texts
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.errors import ModelError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.files.catalogue import SHIPPED_DRAFT, resolve, resolve_draft
from localspec.models.llama import MAX_ROWS, LoadSettings
from localspec.speculation.tree import DraftTree
from tests.models.tiny import mamba


def test_a_loaded_engine_knows_its_model(engine: Engine) -> None:
    assert engine.name == "smollm2-135m"
    assert len(engine.tokenizer_fingerprint) == len(engine.weights_fingerprint) == 64
    assert len(engine.decode_seconds) == MAX_ROWS + 1
    assert (engine.decode_seconds > 0).all()
    assert engine.plain_seconds == engine.decode_seconds[1]
    assert engine.tokenize("<|im_end|>").tolist() != engine.model.tokenize("<|im_end|>", special=True).tolist()


def test_busy_while_a_turn_lasts(engine: Engine) -> None:
    busy = [engine.busy]
    with engine.turn() as model:
        busy.append(engine.busy)
        assert model is engine.model
    busy.append(engine.busy)
    assert busy == [False, True, False]


def test_a_turn_that_fails_is_given_back(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), engine.turn():
        raise ZeroDivisionError
    assert not engine.busy
    with engine.turn():
        assert engine.busy


def test_turns_exclude_each_other(engine: Engine) -> None:
    inside: list[str] = []
    most = 0
    waiting = threading.Event()
    begin = np.array([engine.model.bos, *engine.tokenize("The harbour of Velm").tolist()], dtype=np.int32)
    empty = DraftTree.empty()

    def work(name: str) -> None:
        nonlocal most
        waiting.wait()
        for _ in range(10):
            with engine.turn() as model:
                inside.append(name)
                most = max(most, len(inside))
                model.begin(begin)
                model.decode(int(begin[-1]), empty.tokens, empty.parents)
                model.keep(empty.parents)
                inside.remove(name)

    threads = [threading.Thread(target=work, args=[str(number)]) for number in range(2)]
    for thread in threads:
        thread.start()
    waiting.set()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert inside == []
    assert not engine.busy


def test_two_chats_at_once_get_the_answers_they_get_alone(engine: Engine) -> None:
    questions = ["Count from one to ten.", "Name three colours."]
    options = ReplyOptions(max_tokens=16)

    def answer(question: str) -> str:
        *_, done = Session(engine).ask(question, options)
        return done.turn.reply

    alone = [answer(question) for question in questions]
    together = ["", ""]

    def work(number: int) -> None:
        together[number] = answer(questions[number])

    threads = [threading.Thread(target=work, args=[number]) for number in range(2)]
    with engine.turn():
        for thread in threads:
            thread.start()
        until = time.monotonic() + 30
        while engine._wanted < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert engine._wanted == 3
        assert together == ["", ""]
    for thread in threads:
        thread.join(120)
    assert together == alone
    assert not engine.busy


@pytest.mark.parametrize("model", ["absent", "absent.gguf", "damaged.gguf", "empty.gguf", "text.gguf", "folder"])
def test_a_bad_model_is_a_model_error(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine, model: str
) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "text.gguf").write_text("This is no model.")
    with engine.model.path.open("rb") as file:
        (tmp_path / "damaged.gguf").write_bytes(file.read(3_000_000))
    with pytest.raises(ModelError) as caught:
        Engine(model)
    assert model in str(caught.value)
    assert caught.value.advice


def test_a_bad_context_is_refused_before_the_model_is_measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(home))
    with pytest.raises((SettingsError, ModelFileError), match="10000000"):
        Engine("", LoadSettings(context=10_000_000))


def answer(engine: Engine, method: str = "rasd") -> tuple[str, list[str], dict[str, int]]:
    """A reply with its notices, and the nodes that were drafted by source."""
    session = Session(engine)
    for _ in session.ask("Name three colours of the rainbow.", ReplyOptions(method=method, rows=8, max_tokens=24)):
        pass
    turn = session.turns[-1]
    notices = [notice for notice in turn.notices if "Stopped at the 24-token limit" not in notice]
    return turn.reply, notices, turn.metrics.drafted_by_source


@pytest.fixture(scope="module")
def plainly(engine: Engine) -> str:
    return answer(engine, "plain")[0]


@pytest.mark.usefixtures("drafting_pays")
def test_the_default_model_comes_with_its_draft(engine: Engine, plainly: str) -> None:
    assert engine.draft_name == "smollm2-135m-draft"
    assert engine.draft_problem == ""
    reply, notices, drafted = answer(engine)
    assert reply == plainly
    assert notices == []
    assert drafted["draft"] > 0


def loaded_with(draft: str) -> Iterator[Engine]:
    engine = Engine(settings=LoadSettings(context=1024), draft=draft)
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "has no draft model here"),
        ("no such thing", "There is no model called"),
        ("gone.gguf", "does not exist"),
        ("rubbish.gguf", "is not a GGUF file"),
        ("half.gguf", "cannot be used"),
        ("cousin.gguf", "in the target and"),
    ],
)
def test_a_draft_that_cannot_be_used_costs_the_draft_only(
    engine: Engine, plainly: str, tmp_path: Path, kind: str, said: str
) -> None:
    (tmp_path / "rubbish.gguf").write_bytes(bytes(range(256)) * 100)
    shipped = resolve_draft(SHIPPED_DRAFT).path.read_bytes()
    (tmp_path / "half.gguf").write_bytes(shipped[: len(shipped) // 2])
    (tmp_path / "cousin.gguf").write_bytes(shipped.replace(b"\xc4\xa0house", b"\xc4\xa0housX"))
    wanted = str(tmp_path / kind) if kind.endswith(".gguf") else kind
    for other in loaded_with(wanted):
        assert other.draft is None
        assert (said in other.draft_problem) or kind == "none"
        for method in ("rasd", "draft"):
            reply, notices, drafted = answer(other, method)
            assert reply == plainly
            assert len(notices) == 1
            assert said in notices[0]
            assert "draft" not in drafted


def test_no_memory_for_the_draft_costs_the_draft_only(
    plainly: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_little(*_: object) -> None:
        raise OutOfMemoryError("The draft model needs 9.0 GiB.", "Choose a smaller context.")

    monkeypatch.setattr("localspec.models.draft.BranchingContext", too_little)
    for other in loaded_with("auto"):
        assert other.draft is None
        reply, notices, _ = answer(other)
        assert reply == plainly
        assert "needs 9.0 GiB" in notices[0]


def test_a_draft_that_fails_in_the_middle_of_a_reply_is_given_up(
    plainly: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in loaded_with("auto"):
        assert other.draft is not None
        draft_tree = other.draft.draft_tree
        calls: list[int] = []

        def failing(*arguments: Any, draft_tree: Any = draft_tree, calls: list[int] = calls) -> Any:
            calls.append(1)
            if len(calls) > 2:
                raise ModelError("The draft model failed while decoding.")
            return draft_tree(*arguments)

        monkeypatch.setattr(other.draft, "draft_tree", failing)
        reply, notices, _ = answer(other)
        assert reply == plainly
        assert len(calls) == 3
        assert "failed while decoding" in notices[0]
        assert answer(other)[0] == plainly


def test_a_draft_model_cannot_chat() -> None:
    with pytest.raises(ModelFileError, match="draft model and cannot chat"):
        Engine(str(resolve_draft(SHIPPED_DRAFT).path))


def test_a_recurrent_model_says_why_nothing_is_drafted(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(home))
    file = mamba(tmp_path / "snake.gguf", resolve("").path)
    with closing(Engine(str(file), LoadSettings(context=512, threads=1, gpu_layers=0))) as engine:
        said = texts.NO_REWIND.format(model="snake", kind="recurrent")
        assert engine.draft_problem == said
        *_, done = Session(engine).ask("Hello", ReplyOptions("auto", max_tokens=4))
        assert said in done.turn.notices
        assert (done.turn.metrics.drafted, len(done.turn.reply_tokens)) == (0, 4)
        *_, done = Session(engine).ask("Hello", ReplyOptions("plain", max_tokens=2))
        assert said not in done.turn.notices
