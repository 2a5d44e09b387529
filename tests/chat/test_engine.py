"""One model, one request at a time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from localspec.chat.engine import Engine
from localspec.chat.session import ReplyOptions, Session
from localspec.errors import ModelError, ModelFileError, SettingsError
from localspec.models.llama import MAX_ROWS, LoadSettings
from localspec.speculation.tree import DraftTree


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
