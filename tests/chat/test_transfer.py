"""Chats to files and back: what people read, what is read back in, and what is refused."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.chat import transfer
from localspec.chat.context_usage import ContextUsage
from localspec.chat.engine import Engine
from localspec.chat.origins import UNKNOWN, Origins
from localspec.chat.session import Session
from localspec.chat.transfer import as_json, as_markdown, read_json
from localspec.chat.turn import ReplyOptions
from localspec.errors import ChatFileError
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores import stored_turns
from localspec.stores.conversations import Conversations
from localspec.stores.library import Library
from localspec.stores.stored_turns import (
    FIELDS,
    NAME,
    Citation,
    StoredConversation,
    StoredField,
    StoredNode,
    StoredTurn,
    stored_fields,
)
from tests.chat.test_session import WHEN, last
from tests.stores.test_stored_turns import EMPTY, with_sample

CITED = (Citation(1, "a.pdf", 3, "", "Clean it with vinegar."), Citation(2, "b.md", None, "Horn", "Loud.", label="iv"))
TURN = StoredTurn(
    "How is the lamp cleaned?", "Text.\n\nQuestion: How is the lamp cleaned?", "With vinegar [1].", method="auto",
    finish="length", asked="2026-01-02T03:04:05+00:00", files=("a.pdf",), notices=["It stopped."],
    problems=["b: bad"], given=CITED, citations=[CITED[0]],
    origins=Origins(bytearray([0, 2, 10, UNKNOWN]), [5, 8, 0, 4]).pack(),
)  # fmt: skip
LAMP = StoredConversation(
    "The lamp", "documents", (TURN, StoredTurn("And now?", "And now?", "Nothing.", finish="end")),
    "2026-01-02T03:04:05+00:00", "2026-01-02T04:04:05.123+00:00",
)  # fmt: skip


def file_of(folder: Path, data: object) -> Path:
    path = folder / "chats.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def exported(*conversations: StoredConversation) -> dict[str, Any]:
    data: dict[str, Any] = json.loads("".join(as_json(conversations)))
    return data


def test_what_is_exported_is_imported(tmp_path: Path) -> None:
    for conversations in ([], [LAMP], [LAMP, LAMP]):
        text = "".join(as_json(conversations))
        assert read_json(file_of(tmp_path, text)) == conversations
        assert text.count("\n") == len(conversations) + 2


BRANCHED = StoredConversation.of_nodes(
    "The lamp",
    "documents",
    [
        StoredNode(0, -1, TURN, shown=False),
        StoredNode(1, 0, replace(TURN, question="And then?", given=(), citations=[])),
        StoredNode(2, -1, replace(TURN, given=CITED[1:], citations=[])),
        StoredNode(4, 2, replace(TURN, reply="Mine.", finish="edited", edited=True, given=(), citations=[])),
        StoredNode(7, 0, replace(TURN, question="Why?", given=(), citations=[]), shown=False),
        StoredNode(8, 2, replace(TURN, reply="Another."), shown=False),
    ],
    "2026-01-02T03:04:05+00:00",
    "2026-01-02T04:04:05.123+00:00",
)
"""Shown are 2 and 4."""


def test_branches_are_exported_and_imported(tmp_path: Path) -> None:
    (read,) = read_json(file_of(tmp_path, "".join(as_json([BRANCHED]))))
    assert read == BRANCHED
    with closing(Conversations(tmp_path)) as store:
        store.add([BRANCHED])
        kept = store.load(1)
    assert [(node.number, node.parent, node.shown, node.turn.reply) for node in kept.nodes] == [
        (node.number, node.parent, node.shown, node.turn.reply) for node in BRANCHED.nodes
    ]
    assert [node.turn.given for node in kept.nodes] == [node.turn.given for node in BRANCHED.nodes]
    (text,) = as_markdown([BRANCHED])
    assert text.count("## Question") == 2
    assert "Mine." in text
    assert "And then?" not in text
    data = exported(BRANCHED)
    assert data["version"] == 1, "earlier versions read the shown path, and leave the rest out"
    assert [turn["reply"] for turn in data["conversations"][0]["turns"]] == [TURN.reply, "Mine."]
    assert "hidden" not in exported(LAMP)["conversations"][0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["numbers"], [2], "one for each"),
        (["numbers"], [2, "4"], "one for each"),
        (["numbers"], [4, 2], "no tree"),
        (["numbers"], [2, 2], "no tree"),
        (["numbers"], ..., "no tree"),
        (["hidden"], {}, "must be a list"),
        (["hidden", 0], [], "hidden question 1 is not an object"),
        (["hidden", 0, "number"], 1, "no tree"),
        (["hidden", 0, "number"], -1, "has no place"),
        (["hidden", 0, "parent"], ..., "has no place"),
        (["hidden", 1, "parent"], 1, "no tree"),
        (["hidden", 1, "parent"], 9, "no tree"),
        (["hidden", 0, "shown"], 1, "has no place"),
        (["hidden", 3, "shown"], True, "other questions are shown"),
        (["hidden", 0, "edited"], "yes", "true or false"),
        (["hidden", 0, "citations"], [{"number": 1}], "must be a text"),
        (["turns"], [], "one for each"),
    ],
)
def test_branches_that_make_no_tree_are_refused(
    tmp_path: Path, path: list[str | int], value: object, said: str
) -> None:
    with pytest.raises(ChatFileError, match=said):
        read_json(file_of(tmp_path, changed([*CHAT, *path], value, BRANCHED)))


def test_a_real_answer_is_exported_with_its_timings(engine: Engine, harbour: Library, tmp_path: Path) -> None:
    session = Session(engine, harbour)
    turn = last(session.ask(WHEN, ReplyOptions(max_tokens=24)))
    made = turn.stored()
    conversation = StoredConversation("Velm", "harbour", (made,))
    data = exported(conversation)
    (written,) = data["conversations"][0]["turns"]
    assert written["figures"]["tokens"] == turn.metrics.tokens
    assert written["figures"]["tokens_per_second"] == pytest.approx(turn.metrics.tokens_per_second)
    assert written["metrics"]["prefill_seconds"] == turn.metrics.prefill_seconds
    assert "tokens" not in written, "ids mean nothing to another model"
    (read,) = read_json(file_of(tmp_path, data))
    assert (read.turns[0].question, read.turns[0].content, read.turns[0].reply) == (WHEN, turn.content, turn.reply)
    assert read.turns[0].metrics == made.metrics
    assert exported(read)["conversations"] == data["conversations"]
    text = "".join(as_markdown([conversation]))
    for part in ("# Velm", WHEN, turn.reply, "> [1] harbour.pdf, page 1", "tokens/s", "library harbour"):
        assert part in text


def test_pin_and_folder_go_along_and_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    filed = replace(LAMP, pinned=True, folder="Work & <home>")
    assert read_json(file_of(tmp_path, exported(filed, LAMP))) == [filed, LAMP]
    assert not {"pinned", "folder"} & exported(LAMP)["conversations"][0].keys()


def test_a_system_prompt_and_what_filled_the_context_go_along(tmp_path: Path) -> None:
    window = {**ContextUsage(4096, 40, 900).record()}
    turns = tuple(replace(turn, window=window) for turn in LAMP.turns)
    conversation = replace(LAMP, system="Be short.\n\nAnd kind.", turns=turns)
    assert read_json(file_of(tmp_path, "".join(as_json([conversation])))) == [conversation]
    assert "And kind." in "".join(as_markdown([conversation]))
    for name, value in (("window", [1]), ("window", {"size": -1}), ("window", {"size": "1"})):
        data = exported(conversation)
        data["conversations"][0]["turns"][0][name] = value
        with pytest.raises(ChatFileError):
            read_json(file_of(tmp_path, data))
    data = exported(conversation)
    data["conversations"][0]["system"] = 3
    with pytest.raises(ChatFileError, match="“system” must be a text"):
        read_json(file_of(tmp_path, data))


def test_markdown_is_to_be_read() -> None:
    text = "".join(as_markdown([LAMP, LAMP]))
    assert text.startswith("# The lamp\n\n2026-01-02 · library documents\n\n## Question 1\n\n*a.pdf*\n\nHow is")
    assert "> [1] a.pdf, page 3" in text
    assert "> It stopped." in text
    assert text.count("# The lamp\n") == 2
    assert "Text.\n\n" not in text, "what was sent with a question is no part of what was said"


def changed(path: list[str | int], value: object, kept: StoredConversation = LAMP) -> dict[str, Any]:
    """An export with one thing changed; a value of `...` takes it away."""
    data = copy.deepcopy(exported(kept))
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


CHAT: list[str | int] = ["conversations", 0]
FIRST: list[str | int] = [*CHAT, "turns", 0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["format"], "other", "not exported by LocalSpec"),
        (["format"], ..., "not exported by LocalSpec"),
        (["version"], 2, "version 2"),
        (["version"], "x" * 10_000, "version xx"),
        (["conversations"], {}, "must be a list"),
        (["conversations"], ..., "must be a list"),
        (CHAT, [], "chat 1 is not an object"),
        ([*CHAT, "title"], 5, "chat 1: “title” must be a text"),
        ([*CHAT, "title"], "x" * 2000, "longer than 1,000"),
        ([*CHAT, "turns"], None, "“turns” must be a list"),
        ([*CHAT, "created"], "yesterday", "“created” must be a time"),
        ([*CHAT, "pinned"], "yes", "“pinned” must be true or false"),
        ([*CHAT, "folder"], 7, "“folder” must be a text"),
        (FIRST, "text", "question 1 is not an object"),
        ([*FIRST, "question"], ..., "question 1: “question” must be a text"),
        ([*FIRST, "reply"], None, "“reply” must be a text"),
        ([*FIRST, "finish"], "<script>", "“finish” says something unknown"),
        ([*FIRST, "files"], [1], "“files” must be texts"),
        ([*FIRST, "given"], [3], "numbers of citations"),
        ([*FIRST, "cited"], ["1"], "numbers of citations"),
        ([*FIRST, "cited"], [True], "numbers of citations"),
        ([*FIRST, "metrics"], [], "“metrics” is not an object"),
        ([*FIRST, "metrics"], {"tokens": -1}, "tokens is out of range"),
        ([*FIRST, "metrics"], {"tokens": 10**400}, "is no JSON|out of range"),
        ([*CHAT, "citations", 0, "number"], 10**9, "“number” must be"),
        ([*CHAT, "citations", 0, "number"], 2, "two citations of one number"),
        ([*CHAT, "citations", 0, "page"], "3", "“page” must be"),
        ([*CHAT, "citations", 0, "passage"], ..., "“passage” must be a text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: list[str | int], value: object, said: str) -> None:
    with pytest.raises(ChatFileError, match=said) as caught:
        read_json(file_of(tmp_path, changed(path, value)))
    assert "Nothing was imported" in caught.value.advice
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, "null", "5", '"text"', "[]", '{"format": NaN}', '{"a": Infinity}', "\ufeff{}", "9" * 5000],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_export_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ChatFileError):
        read_json(file_of(tmp_path, text))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    for path in (tmp_path / "binary.json", tmp_path / "missing.json", tmp_path):
        with pytest.raises(ChatFileError):
            read_json(path)
    monkeypatch.setattr(transfer, "LARGEST_FILE", 100)
    with pytest.raises(ChatFileError, match="the most"):
        read_json(file_of(tmp_path, exported(LAMP)))


def test_a_time_to_come_is_now(tmp_path: Path) -> None:
    (read,) = read_json(file_of(tmp_path, changed([*CHAT, "changed"], "9999-01-01T00:00:00Z")))
    assert read.changed < "9000", "the chat would stay on top for good"


@pytest.mark.parametrize("each", FIELDS, ids=lambda each: each.name)
def test_every_field_is_exported_and_imported_or_stays_here(tmp_path: Path, each: StoredField) -> None:
    turn = with_sample(EMPTY, each)
    if each.name == "metrics":
        turn.metrics = ReplyMetrics(tokens=3).record()
    if each.name == "window":
        turn.window = ContextUsage(4096, question=7).record()
    conversation = StoredConversation("Title", "documents", (turn,))
    (read,) = read_json(file_of(tmp_path, "".join(as_json([conversation]))))
    if each.exported:
        assert read.turns == (turn,)
    else:
        assert read.turns == (EMPTY,)
        assert each.label not in exported(conversation)["conversations"][0]["turns"][0]


def test_a_field_is_added_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another field of the record, kept inside `details`, is in the database and in exports without further code."""

    @dataclass(slots=True)
    class Wider(StoredTurn):
        mood: str = field(default="", metadata={"stored": StoredField(NAME, "mood")})

    with closing(Conversations(tmp_path)) as store:
        store.add([StoredConversation("Older", "documents", (EMPTY,))])
    for module in (stored_turns, transfer):
        monkeypatch.setattr(module, "FIELDS", stored_fields(Wider))
        monkeypatch.setattr(module, "StoredTurn", Wider)
    turn = Wider("Question", "Question", asked=EMPTY.asked, mood="glad")
    with closing(Conversations(tmp_path)) as store:
        (older,) = store.load(store.newest()[0].id).turns
        assert older == Wider(EMPTY.question, EMPTY.content, asked=EMPTY.asked)
        identity = store.begin("Title", "documents")
        store.put(identity, 0, turn)
        conversation = store.load(identity)
    assert conversation.turns == (turn,)
    assert exported(conversation)["conversations"][0]["turns"][0]["mood"] == "glad"
    assert read_json(file_of(tmp_path, exported(conversation)))[0].turns == (turn,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
BRANCH_PLACES = st.sampled_from(
    [
        *([*CHAT, name] for name in ("numbers", "hidden", "turns")),
        *([*CHAT, "hidden", 0], [*CHAT, "hidden", 1, "number"], [*CHAT, "hidden", 1, "parent"]),
        *([*CHAT, "hidden", 2, "shown"], [*CHAT, "hidden", 0, "citations"], [*CHAT, "numbers", 0]),
    ]
)
PLACES = st.sampled_from(
    [
        *(CHAT, FIRST, [*CHAT, "turns"], [*CHAT, "citations"], [*CHAT, "citations", 1], [*CHAT, "library"]),
        *([*FIRST, name] for name in ("question", "sent", "reply", "asked", "method", "finish", "files", "given")),
        [*FIRST, "metrics"],
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.tuples(PLACES, st.just(LAMP)) | st.tuples(BRANCH_PLACES, st.just(BRANCHED)), JSON | st.integers(-1, 9))
def test_anything_is_read_or_refused(
    tmp_path: Path, place: tuple[list[str | int], StoredConversation], value: object
) -> None:
    try:
        conversations = read_json(file_of(tmp_path, changed(place[0], value, place[1])))
    except ChatFileError:
        return
    assert exported(*conversations)
    assert "".join(as_markdown(conversations))
