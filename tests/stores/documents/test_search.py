"""Passages found by a question, by meaning and by words, and by their place; on real SQLite and hnswlib."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec import texts
from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from localspec.stores.documents.search import _WORDS_WEIGHT, RANK_OFFSET, fuse
from localspec.stores.library import Library
from localspec.stores.overview import library_identity
from localspec.stores.words import question_terms
from tests.builders import make_pdf
from tests.stores.libraries import MANUAL, BrokenEmbedder, open_library


def test_search_by_meaning_and_words_finds_the_right_passage(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", embedder=Embedder())
    library.add(write("manual.md", MANUAL))
    library.ingest()
    for question, expected in (
        ("How do I give up a package that I have no time for?", "Orphaning a package"),
        ("NMU", "Non-maintainer uploads"),
        ("Who deals with vulnerabilities?", "Security updates"),
        ("What is the way to prepare basmati as a side dish?", "Cooking rice"),
    ):
        found = library.passages.search(question, 2)
        assert len(found) == 2
        assert expected in found[0].section + found[0].text
        assert found[0].name == "manual.md"
        assert 2 / (RANK_OFFSET + 1) >= found[0].score >= found[1].score > 0
    best = library.passages.search("NMU", 1)[0]
    rest = library.passages.search("NMU", 10, exclude=[best.id])
    assert best.id not in {passage.id for passage in rest}
    assert rest
    library.close()


def test_search_with_nothing_to_find(library: Library, write: Callable[..., Path]) -> None:
    assert library.passages.search("anything") == []
    library.add(write("manual.md", MANUAL))
    library.ingest()
    assert library.passages.search("") == library.passages.search(" \n") == library.passages.search("rice", 0) == []
    # No word of the question occurs: the vectors alone answer.
    assert len(library.passages.search("xylophone ?!", 3)) == 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.text(st.characters(exclude_categories=[]), max_size=60) | st.text('"*():^-+{}NEAROT AND', max_size=30)
)
def test_any_text_is_a_question(question: str, searchable: Library) -> None:
    for passage in searchable.passages.search(question, 3):
        assert passage.name == "manual.md"


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("searchable")
    (folder / "manual.md").write_text(MANUAL)
    library = open_library(folder / "library", embedder=BrokenEmbedder())
    library.add(folder / "manual.md")
    with pytest.raises(EmbedderError):
        library.ingest()
    yield library
    library.close()


def test_a_broken_embedder_leaves_the_search_by_words(searchable: Library) -> None:
    assert "NMU" in searchable.passages.search('what is an "NMU"?', 1)[0].text
    assert "not installed" in searchable.progress.problem
    assert not searchable.progress.done
    assert [document.status for document in searchable.documents()] == ["ngrams"]
    assert searchable.ngrams.count() > 0
    assert any("not installed" in reason for reason in searchable.rebuild_needed())


def test_rank_fusion() -> None:
    assert fuse([[1, 2], [2, 3]], [1, 0.5]) == pytest.approx({1: 1 / 6, 2: 0.5 / 6 + 1 / 7, 3: 0.5 / 7})
    assert fuse([[], []], [1, 1]) == {}
    # What is best by words alone is among the first five, however sure the vectors are.
    scores = fuse([range(1, 51), [99, 98]], [1, _WORDS_WEIGHT])
    assert 99 in sorted(scores, key=lambda passage: -scores[passage])[:5]


def test_a_cited_passage_is_found_among_its_neighbours(library: Library, write: Callable[..., Path]) -> None:
    pages = [
        f"Page {number} tells of {word * 60}." for number, word in enumerate(("tea ", "salt ", "rope ", "tar "), 1)
    ]
    first = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    passages = library.passages.of(first.id)
    assert len(passages) == 4
    made = passages[1]
    assert library.passages.around(made.id, made.text, made.name, 1) == passages[:3]
    assert library.passages.around(passages[0].id, passages[0].text, made.name) == passages[:3]
    # Another text has its id, or its document was added anew: what was cited counts.
    assert library.passages.around(made.id, "Another text.", made.name) == []
    library.remove(first.id)
    assert library.passages.around(made.id, made.text, made.name) == []
    again = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    found = library.passages.around(made.id, made.text, made.name, 1)
    assert [one.ordinal for one in found] == [0, 1, 2]
    assert {one.document for one in found} == {again.id}
    assert library.passages.around(made.id, made.text, "other.pdf") == []
    assert library_identity(library.folder) == library.identity


CARE = {
    "english": (
        "The filter of the pump is rinsed every six months. Close both valves before that.",
        "The belts of the fan are tightened when they whistle. A new belt needs two hours to settle.",
        "The lamp in the door lights up as long as the motor is turning.",
        "When can I open the doors of the motor?",
        "How often are filters rinsed?",
    ),
    "german": (
        "Das Sieb der Pumpe wird alle sechs Monate gespült. Vorher sind beide Ventile zu schließen.",
        "Die Riemen des Lüfters werden gespannt, wenn sie pfeifen. Ein neuer Riemen braucht zwei Stunden.",
        "Die Lampe in der Tür leuchtet, solange sich der Motor dreht.",
        "",
        "Wie oft muss man das Sieb einer Pumpe spülen?",
    ),
    "french": (
        "Le filtre de la pompe est rincé tous les six mois. Il faut fermer avant cela les deux vannes.",
        "Les courroies du ventilateur sont tendues quand elles sifflent. Une nouvelle courroie demande deux heures.",
        "La lampe de la porte est allumée tant que le moteur est en marche.",
        "",
        "Quand faut-il rincer les filtres des pompes ?",
    ),
    "russian": (
        "Фильтр насоса промывают каждые шесть месяцев. Перед этим нужно закрыть оба клапана.",
        "Ремни вентилятора натягивают, когда они свистят. Новому ремню нужно два часа.",
        "Лампа в двери горит, пока двигатель вращается.",
        "",
        "Как часто промывать фильтры насосов?",
    ),
    "chinese": (
        "水泵的滤芯每六个月清洗一次。清洗之前要关闭两个阀门。",
        "风扇的皮带发出尖叫声时应当张紧。新皮带需要两个小时才能就位。",
        "只要电机还在转动，门上的指示灯就会亮着。",
        "",
        "滤芯多久清洗一次？",
    ),
    "japanese": (
        "ポンプのフィルターは六か月ごとに洗浄します。その前に両方の弁を閉めてください。",
        "換気扇のベルトは音が鳴ったら張り直します。新しいベルトは二時間ほどでなじみます。",
        "モーターが回っている間は、扉のランプが点灯します。",
        "",
        "フィルターはどのくらいの間隔で洗浄すればよいですか。",
    ),
    "hindi": (
        "पंप का फ़िल्टर हर छह महीने में धोया जाता है। उससे पहले दोनों वाल्व बंद कर दें।",
        "पंखे के पट्टे सीटी बजाने लगें तो उन्हें कस दिया जाता है। नए पट्टे को दो घंटे लगते हैं।",
        "जब तक मोटर घूमती है तब तक दरवाज़े की बत्ती जलती रहती है।",
        "",
        "फ़िल्टर को कितने महीने में धोना चाहिए?",
    ),
    "thai": (
        "ไส้กรองของปั๊มต้องล้างทุกหกเดือน ก่อนล้างให้ปิดวาล์วทั้งสองตัว",
        "สายพานของพัดลมต้องปรับให้ตึงเมื่อมีเสียงหวีด สายพานใหม่ใช้เวลาสองชั่วโมง",
        "หลอดไฟที่ประตูจะสว่างตราบใดที่มอเตอร์ยังหมุนอยู่",
        "",
        "ต้องล้างไส้กรองเมื่อไร",
    ),
}


@pytest.fixture(scope="module")
def many_languages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """One document in each language, indexed by words alone."""
    folder = tmp_path_factory.mktemp("languages")
    library = open_library(folder / "library", embedder=BrokenEmbedder())
    for language, said in CARE.items():
        path = folder / f"{language}.md"
        path.write_text("".join(f"## {number}\n\n{text}\n\n" for number, text in enumerate(said[:3], 1)))
        library.add(path)
    with pytest.raises(EmbedderError):
        library.ingest()
    yield library
    library.close()


@pytest.mark.parametrize("language", CARE)
def test_words_find_the_passage_in_every_language(language: str, many_languages: Library) -> None:
    found = many_languages.passages.look_up(CARE[language][4], 3)
    assert found.passages[0].name == f"{language}.md"
    assert CARE[language][0][:8] in found.passages[0].text
    assert found.is_relevant


@pytest.mark.parametrize(
    "question",
    [
        "Who won the football championship in Argentina?",
        "Wer hat die Fußballmeisterschaft in Argentinien gewonnen?",
        "Qui a gagné le championnat de football en Argentine ?",
        "Кто выиграл чемпионат Аргентины по футболу?",
        "阿根廷足球锦标赛的冠军是谁？",
        "アルゼンチンのサッカー大会で優勝したのは誰ですか。",
        "अर्जेंटीना की फुटबॉल प्रतियोगिता किसने जीती?",
        "ใครชนะการแข่งขันฟุตบอลของอาร์เจนตินา",
    ],
)
def test_a_question_about_something_else_is_told_in_every_language(question: str, many_languages: Library) -> None:
    assert not many_languages.passages.look_up(question).is_relevant


def test_documents_in_other_languages_than_the_embedders_are_named(many_languages: Library) -> None:
    foreign = many_languages.passages.foreign_documents()
    assert foreign == {f"{language}.md": language for language in CARE if language != "english"}
    said = texts.foreign_documents(foreign, many_languages.passages.embedder_languages)
    assert "is for English: german.md (German), french.md (French), russian.md (Russian), and 4 more." in said
    assert texts.foreign_documents({}, ()) == ""


def test_a_library_of_an_earlier_version_gets_its_words(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder)
    library.add(write("manual.md", MANUAL))
    library.add(write("zh.md", CARE["chinese"][0]))
    library.ingest()
    passages = library.passages.search("orphaned", 10)
    expected = {question: ids(library, question) for question in ("orphaned packages", "滤芯", "security advisories")}
    library.close()
    with closing(sqlite3.connect(folder / "library.db")) as database:
        # The tables of words as the version before had them.
        database.executescript(
            "DROP TABLE passages_terms; DROP TABLE passages_fts; DROP TABLE passages_unworded;"
            "DROP TABLE passage_languages; DROP TRIGGER passages_added; DROP TRIGGER passages_removed;"
            "ALTER TABLE passages DROP COLUMN language; ALTER TABLE documents DROP COLUMN language;"
            "ALTER TABLE library DROP COLUMN forgets_words;"
            "DELETE FROM migrations WHERE name LIKE 'words-%';" + EARLIER_WORDS
        )
    library = open_library(folder)
    assert {question: ids(library, question) for question in expected} == expected
    assert library.passages.search("orphaned", 10) == passages
    assert not library.rebuild_needed()
    library.remove(library.documents()[0].id)
    assert ids(library, "orphaned packages") == []
    library.close()


EARLIER_WORDS = """
CREATE VIRTUAL TABLE passages_fts USING fts5(
    section, text, content = 'passages', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO passages_fts (rowid, section, text) VALUES (new.id, new.section, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO passages_fts (passages_fts, rowid, section, text) VALUES ('delete', old.id, old.section, old.text);
END;
INSERT INTO passages_fts (passages_fts) VALUES ('rebuild');
"""


def ids(library: Library, question: str) -> list[int]:
    """What the words of a question find."""
    words = library.passages._words
    frequencies = words.frequencies(question_terms(question, words.languages()), 100)
    return words.best(frequencies, 10)
