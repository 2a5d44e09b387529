"""Chats on disk: kept, found, taken back, and intact after whatever happens to the program or the file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.errors import DiskFullError, LibraryInUseError, StoreError
from localspec.stores import stored_turns
from localspec.stores.chat_folders import CHAT_FOLDER_MIGRATIONS
from localspec.stores.chat_words import CHAT_WORD_MIGRATIONS
from localspec.stores.conversations import DATABASE, MARK, TITLE_CHARACTERS, UNMARK, Conversations, one_line
from localspec.stores.database import Migration, StoreDatabase
from localspec.stores.stored_turns import CONVERSATION_MIGRATIONS, Citation, StoredConversation, StoredTurn

CITED = [Citation(1, "a.pdf", 3, "", "Clean it with vinegar.", 41), Citation(2, "a.pdf", None, "Horn", "Loud.")]
LAMP = StoredTurn(
    "How is the lamp cleaned?", "Text.\n\nQuestion: How is the lamp cleaned?", "With vinegar [1].", [1], "tok", "lib",
    "2026-01-02T03:04:05+00:00", "auto", "end", ("a.pdf",), ["Added."], ["b.pdf: bad"], (7,), tuple(CITED), CITED[:1],
    thinking="Lamps are made of glass.", thinking_tokens=4, metrics={"tokens": 3}, window={"size": 4096, "question": 7},
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Conversations]:
    opened = Conversations(tmp_path)
    yield opened
    opened.close()


def asked(question: str, reply: str = "", **more: object) -> StoredTurn:
    return replace(StoredTurn(question, question, reply, finish="end"), **more)  # type: ignore[arg-type]


def begun(store: Conversations, *turns: StoredTurn, title: str = "Title") -> int:
    identity = store.begin(title, "documents")
    for position, turn in enumerate(turns):
        store.put(identity, position, turn)
    return identity


# ---- kept as it was ----


def test_what_was_put_is_loaded_also_after_a_restart(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    identity = store.begin("The lamp", "documents")
    store.put(identity, 0, LAMP)
    before = store.load(identity)
    store.close()
    store = Conversations(tmp_path)
    kept = store.load(identity)
    assert kept == before
    assert kept.turns == (LAMP,)
    assert list(kept.citations) == CITED
    assert [made.source for made in kept.citations] == [41, 0]
    assert (kept.title, kept.library) == ("The lamp", "documents")
    store.close()


def test_a_system_prompt_is_kept_with_its_chat(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    own, other = store.begin("Own", "documents", "Be short."), begun(store, LAMP)
    store.put(own, 0, LAMP)
    order = [info.id for info in store.newest()]
    store.set_system(own, "Be \ud800 long.")
    assert [info.id for info in store.newest()] == order
    store.close()
    store = Conversations(tmp_path)
    assert store.load(own).system == "Be ? long."
    assert store.load(other).system == ""
    store.set_system(own, "")
    assert store.load(own).system == ""
    store.add([StoredConversation("Imported", "documents", (LAMP,), system="Be kind.")])
    assert store.load(store.newest(1)[0].id).system == "Be kind."
    store.close()


OLD_TURNS = (LAMP, replace(LAMP, question="And then?", given=(), citations=[]), replace(LAMP, question="Why?"))


def old_chats(folder: Path, migrations: Sequence[Migration]) -> int:
    """A chat as versions before branches kept it: turns in a line, each passage with the first that was given it."""
    with closing(StoreDatabase(folder / DATABASE, migrations)) as file, file.write() as database:
        database.execute(
            "INSERT INTO conversations (title, library, created, changed) VALUES ('The lamp', 'documents', ?, ?)",
            [LAMP.asked, LAMP.asked],
        )
        known = {row[1] for row in database.execute("PRAGMA table_info(turns)")}
        for position, turn in enumerate(OLD_TURNS):
            row = dict(zip(stored_turns.COLUMNS, stored_turns.as_row(turn), strict=True))
            details = json.loads(str(row["details"]))
            del details["edited"], details["window"]
            row |= {"conversation": 1, "position": position, "details": json.dumps(details)}
            row = {name: value for name, value in row.items() if name in known}
            database.execute(
                f"INSERT INTO turns ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
            )
        for made in CITED:
            database.execute(
                "INSERT INTO citations (conversation, number, position, source, file, page, section, passage)"
                " VALUES (1, ?, 0, ?, ?, ?, ?, ?)",
                [made.number, made.source, made.file, made.page, made.section, made.passage],
            )
    return 1


@pytest.mark.parametrize(
    "migrations",
    [
        CONVERSATION_MIGRATIONS[:1],
        CONVERSATION_MIGRATIONS,
        (*CONVERSATION_MIGRATIONS, *CHAT_WORD_MIGRATIONS),
        (*CONVERSATION_MIGRATIONS, *CHAT_WORD_MIGRATIONS, *CHAT_FOLDER_MIGRATIONS),
    ],
    ids=["the first", "before words", "before folders", "before branches"],
)
def test_chats_of_earlier_versions_are_taken_over(tmp_path: Path, migrations: Sequence[Migration]) -> None:
    identity = old_chats(tmp_path, migrations)
    store = Conversations(tmp_path)
    kept = store.load(identity)
    assert kept.system == ""
    assert kept.turns == tuple(replace(turn, window={}) for turn in OLD_TURNS)
    assert kept.nodes == (), "a line, numbered from 0"
    assert kept.citations == CITED
    assert [info.id for info in store.search("vinegar")] == [identity]
    store.set_system(identity, "Be brief.")
    store.put(identity, 3, replace(LAMP, origins=b"\1\0\1\4"))
    store.write_on(identity, 3, "With vin", [2], b"\1\0\1\5")
    assert [turn.origins for turn in store.load(identity).turns] == [b"", b"", b"", b"\1\0\1\5"]
    store.write_on(identity, 3, "With vine", [2])
    store.put(identity, 4, replace(LAMP, question="Which?"), parent=0)
    store.close()
    store = Conversations(tmp_path)
    kept = store.load(identity)
    assert [turn.question for turn in kept.turns] == [LAMP.question, "Which?"]
    assert kept.nodes[3].turn.origins == b"\1\0\1\5"
    assert [node.parent for node in kept.nodes] == [-1, 0, 1, 2, 0]
    assert kept.system == "Be brief."
    store.close()


def test_a_reply_grows_where_it_stands(store: Conversations) -> None:
    identity = begun(store, asked("First", "One"), replace(LAMP, reply="", finish=""))
    version = store.version
    store.write_on(identity, 1, "With vin", [2])
    turn = store.load(identity).turns[1]
    assert (turn.reply, turn.reply_tokens, turn.finish) == ("With vin", [2], "")
    assert [info.id for info in store.search("vin")] == [identity]
    assert store.version == version, "a list would be made anew for every second of a reply"
    store.write_on(identity, 9, "nowhere", [])
    store.write_on(identity + 1, 0, "nowhere", [])
    assert len(store.load(identity).turns) == 2


def test_a_sibling_hides_the_other_with_what_followed_it(store: Conversations) -> None:
    identity = store.begin("Lamp", "documents")
    store.put(identity, 0, asked("First", "zebra", given=(CITED[0],)))
    store.put(identity, 1, asked("Second", "giraffe", given=tuple(CITED)))
    store.put(identity, 2, asked("Third", "okapi"))
    other = Citation(2, "new.pdf", 14, "", "Another.", 5, "xii")
    store.put(identity, 3, asked("Edited", "tapir", given=(other,)), parent=0, library="work")
    kept = store.load(identity)
    assert [turn.question for turn in kept.turns] == ["First", "Edited"]
    assert list(kept.citations) == [CITED[0], other]
    assert [made.source for made in kept.citations] == [41, 5]
    assert kept.library == "work"
    for word in ("giraffe", "okapi", "zebra", "tapir"):
        assert [info.id for info in store.search(word)] == [identity], "hidden branches are searched, too"
    store.show(identity, [1])
    kept = store.load(identity)
    assert [turn.question for turn in kept.turns] == ["First", "Second", "Third"]
    assert list(kept.citations) == CITED
    assert [(node.number, node.parent, node.shown) for node in kept.nodes] == [
        *((0, -1, True), (1, 0, True), (2, 1, True), (3, 0, False))
    ]


def test_undo_to_the_first_question_deletes_the_conversation(store: Conversations) -> None:
    identity = begun(store, asked("One", "a"), asked("Two", "b"))
    store.remove(identity, [1])
    assert [turn.question for turn in store.load(identity).turns] == ["One"]
    store.remove(identity, [0])
    assert store.newest() == []
    with pytest.raises(StoreError, match="no longer exists"):
        store.load(identity)
    with pytest.raises(StoreError, match="no longer exists"):
        store.put(identity, 0, asked("One"))


def test_the_one_that_changed_last_comes_first(store: Conversations) -> None:
    first, second = begun(store, asked("a")), begun(store, asked("b"))
    assert [info.id for info in store.newest()] == [second, first]
    time.sleep(0.002)  # times are kept in milliseconds
    store.put(first, 1, asked("c"))
    assert [info.id for info in store.newest()] == [first, second]
    assert [info.id for info in store.newest(1)] == [first]
    assert store.count() == 2


def test_titles_are_one_line(store: Conversations) -> None:
    identity = begun(store, asked("a"), title="  two\nlines\0 \ud800 ")
    assert store.newest()[0].title == "two lines ?"
    store.rename(identity, "x" * 500)
    assert len(store.newest()[0].title) == TITLE_CHARACTERS
    store.rename(identity, " \n ")
    assert store.newest()[0].title.startswith("xxx"), "an empty title would leave nothing to click on"
    assert one_line("a  b") == "a b"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=60))
def test_any_text_is_kept(store: Conversations, question: str, reply: str) -> None:
    identity = begun(store, asked(question, reply, files=(question,), notices=[reply]), title=question)
    turn = store.load(identity).turns[0]
    writable = [text.encode("utf-8", "replace").decode() for text in (question, reply)]
    assert [turn.question, turn.reply] == writable
    store.delete(identity)


# ---- found again ----


def test_words_are_found_in_questions_answers_and_titles(store: Conversations) -> None:
    lamp = begun(store, asked("How is the lamp cleaned?", "With vinegar and a soft cloth."), title="Cleaning")
    horn = begun(store, asked("When does the horn sound?", "Every half minute, and the lamp flashes."), title="Fog")
    tide = begun(store, asked("How high is the tide?", "Nine metres."), title="Lamp posts")

    def found(text: str) -> list[int]:
        return [info.id for info in store.search(text)]

    assert found("vinegar") == [lamp]
    assert found("VINEG") == found("with VINEG") == [lamp]
    assert found("lamp") == [tide, horn, lamp], "titles first, then the newest"
    assert found("lamp cloth") == [lamp], "all words"
    assert found("cloth horn") == []
    assert found("") == found("  ") == [tide, horn, lamp]
    (only,) = store.search("vinegar")
    assert f"{MARK}vinegar{UNMARK}" in only.snippet
    assert store.search("posts")[0].snippet == ""
    assert len(store.search("lamp", 2)) == 2


def test_accents_scripts_and_signs_are_found(store: Conversations) -> None:
    cafe = begun(store, asked("Où est le café ?", "À côté."))
    china = begun(store, asked("灯塔什么时候建成的？", "一八七四年由工程师建成。"))
    code = begun(store, asked("What does ⇒ mean?", "In maths, 'implies'."))
    assert [info.id for info in store.search("cafe")] == [cafe]
    assert [info.id for info in store.search("工程师")] == [china]
    (arrow,) = store.search("⇒ mean")
    assert arrow.id == code
    assert store.search("⇒")[0].snippet.count(MARK) == 1


@pytest.mark.parametrize(
    ("question", "reply", "query", "marked"),
    [
        ("हिंदी में?", "प्रिंटर की स्याही बदलें।", "स्याही", "स्याही"),
        ("滤芯？", "水泵的滤芯每六个月清洗一次。", "每六个月", "每六个月"),
        ("滤芯？", "水泵的滤芯每六个月清洗一次。", "泵", "泵"),
        ("間隔は?", "フィルターは六か月ごとに洗浄します。", "ﾌｨﾙﾀｰ", "フィルター"),
        ("เมื่อไร", "ต้องล้างไส้กรองทุกหกเดือน", "ไส้กรอง", "ไส้กรอง"),
        ("언제?", "필터를 여섯 달마다 씻습니다.", "필터", "필터"),
        ("Wie oft?", "Der Schra\u0308gfilter wird gespült.", "schräg", "Schra\u0308gfilter"),
        ("ＡＢＣ", "x", "abc", "ＡＢＣ"),
    ],
)
def test_words_are_found_in_every_script(
    store: Conversations, question: str, reply: str, query: str, marked: str
) -> None:
    begun(store, asked("Something else?", "更换电池。 फ़िल्टर バッテリー แบตเตอรี่ 배터리"))
    wanted = begun(store, asked(question, reply))
    (found,) = store.search(query)
    assert found.id == wanted
    assert f"{MARK}{marked}{UNMARK}" in found.snippet
    store.delete(wanted)
    assert store.search(query) == []


def test_a_changed_answer_is_found_by_its_new_words_only(store: Conversations) -> None:
    identity = begun(store, asked("How is the lamp cleaned?", "With vinegar."))
    assert store.search("vinegar")
    store.write_on(identity, 0, "With lemon juice.", [])
    assert store.search("vinegar") == []
    assert [info.id for info in store.search("lemon ju")] == [identity]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.text(st.characters(), max_size=80))
def test_no_query_raises(store: Conversations, text: str) -> None:
    if not store.count():
        begun(store, asked("How is the lamp cleaned?", "With vinegar."))
    store.search(text)


@pytest.mark.parametrize(
    "text",
    [
        '"', '""', "'", "lamp AND", "NOT", "OR OR", "NEAR(lamp", "lamp*", "*", "^lamp", "question:lamp", "{a b}: c",
        "+", "-lamp", "lamp\0vinegar", "\0", "\ud800", "%", "_", "__", "a" * 100_000, "lamp " * 10_000, "(" * 500, "²",
        "\u0301", "; DROP TABLE turns", "?", "lamp:vinegar", MARK,
    ],
)  # fmt: skip
def test_hostile_queries_are_only_text(store: Conversations, text: str) -> None:
    identity = begun(store, asked("How is the lamp cleaned?", "With vinegar."))
    store.search(text)
    assert store.newest()[0].id == identity


# ---- many ----


def test_five_hundred_chats_are_listed_and_searched_in_a_tenth_of_a_second(tmp_path: Path) -> None:
    """500 conversations of 50 messages; the common word stands in every one of them."""
    text = "the tide rises nine metres in spring and ships enter the harbour only at high water with a pilot"
    words = text.split()

    def message(number: int, turn: int) -> str:
        start = (7 * number + turn) % len(words)
        return " ".join([*words[start:], *words[:start]] * 3) + f" number{number} turn{turn}"

    store = Conversations(tmp_path)
    store.add(
        StoredConversation(
            f"About number {number}",
            "documents",
            tuple(asked(f"{message(number, turn)}?", message(number, turn + 1) * 2) for turn in range(25)),
        )
        for number in range(500)
    )
    store.close()
    started = time.perf_counter()
    store = Conversations(tmp_path)
    opening = time.perf_counter() - started
    took: dict[str, float] = {}

    def timed(name: str, seconds: list[float]) -> None:
        took[name] = min(seconds) * 1000

    def once(text: str | None) -> float:
        started = time.thread_time()  # other programs may hold the processor
        found = store.search(text) if text is not None else store.newest()
        seconds = time.thread_time() - started
        assert found or text == "xylophone"
        return seconds

    searches: tuple[tuple[str, str | None], ...] = (
        ("list", None), ("a word in all", "the"), ("one letter", "t"), ("two words in all", "harbour water"),
        ("a rare word", "number321"), ("no such word", "xylophone"), ("a title", "About"), ("inside one", "umber321"),
    )  # fmt: skip
    for name, wanted in searches:
        timed(name, [once(wanted) for _ in range(3)])
    print({name: f"{value:.1f} ms" for name, value in took.items()}, f"opened in {opening * 1000:.0f} ms")  # noqa: T201
    assert max(took.values()) <= 100
    assert len(store.newest()) == 500
    store.close()


# ---- whatever happens ----


def test_a_kill_loses_nothing_that_was_written(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from localspec.stores.conversations import Conversations\n"
        "from localspec.stores.stored_turns import StoredTurn\n"
        "store = Conversations(Path(sys.argv[1]))\n"
        "identity = store.begin('Story', 'documents')\n"
        "store.put(identity, 0, StoredTurn('Tell me a story.', 'Tell me a story.'))\n"
        "reply = ''\n"
        "while True:\n"
        "    reply += 'word '\n"
        "    store.write_on(identity, 0, reply, [])\n"
        "    print(len(reply), flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    written = [int(process.stdout.readline()) for _ in range(50)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = Conversations(tmp_path)
    assert store.set_aside is None
    (info,) = store.newest()
    (turn,) = store.load(info.id).turns
    assert turn.question == "Tell me a story."
    assert len(turn.reply) >= written
    assert turn.reply == "word " * (len(turn.reply) // 5)
    assert store.search("word")[0].id == info.id
    store.close()


@pytest.mark.parametrize("damage", ["garbage", "cut", "middle"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    store = Conversations(tmp_path)
    begun(store, *[asked(f"Question {number}", "A long answer. " * 50) for number in range(40)])
    store.close()
    file = tmp_path / DATABASE
    data = file.read_bytes()
    assert len(data) > 8 * 4096
    changed = {
        "garbage": b"no database" * 1000,
        "cut": data[: len(data) // 2 + 100],
        "middle": data[:4096] + os.urandom(4096 * 6) + data[4096 * 7 :],
    }[damage]
    file.write_bytes(changed)
    store = Conversations(tmp_path)
    assert store.set_aside is not None
    assert store.set_aside.read_bytes()[4096:] == changed[4096:]
    assert store.newest() == []
    begun(store, asked("Does it work?", "Yes."))
    store.close()
    again = Conversations(tmp_path)
    assert again.set_aside is None
    assert len(again.newest()) == 1
    again.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    begun(store, asked("Question", "Answer"))
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO migrations (name) VALUES ('conversations-99-more')")
    with pytest.raises(StoreError, match="newer version") as caught:
        Conversations(tmp_path)
    assert "left as it is" in caught.value.advice
    assert not list(tmp_path.glob("*damaged*"))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DELETE FROM migrations WHERE name = 'conversations-99-more'")
    store = Conversations(tmp_path)  # the lock was given back
    assert len(store.newest()) == 1
    store.close()


def test_a_second_instance_is_told(store: Conversations, tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from localspec.stores.conversations import Conversations\n"
    script += "try: Conversations(Path(sys.argv[1]))\nexcept Exception as error: print(type(error).__name__, error)"
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith(LibraryInUseError.__name__)
    assert "another LocalSpec" in ran.stdout


def test_a_full_disk_keeps_what_was_there(store: Conversations) -> None:
    identity = begun(store, asked("Question", "Answer"))
    connection = store._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(DiskFullError):
        store.put(identity, 1, asked("Big", "x" * 200_000))
    assert [turn.question for turn in store.load(identity).turns] == ["Question"]
    connection.execute("PRAGMA max_page_count = 1000000")
    store.put(identity, 1, asked("Big", "x" * 200_000))
    assert len(store.load(identity).turns) == 2


def test_many_are_added_together_or_not_at_all(store: Conversations) -> None:
    good = StoredConversation("Good", "documents", (LAMP,), "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")

    def broken() -> Iterator[StoredConversation]:
        yield good
        raise ValueError("The second one cannot be read.")

    with pytest.raises(ValueError, match="second"):
        store.add(broken())
    assert store.newest() == []
    assert store.add([good, good]) == 2
    for info in store.newest():
        assert (info.created, info.changed) == ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
        assert store.load(info.id) == good


def test_what_was_deleted_is_gone_from_the_file(store: Conversations, tmp_path: Path) -> None:
    secret = begun(store, *[asked(f"xyzzy{number} secret", "plugh " * 200) for number in range(20)])
    begun(store, asked("Something else", "stays"))
    store.delete(secret)
    store.tidy()
    for file in tmp_path.glob(f"{DATABASE}*"):
        data = file.read_bytes()
        assert b"xyzzy" not in data
        assert b"plugh" not in data
    assert [info.title for info in store.search("stays")] == ["Title"]
