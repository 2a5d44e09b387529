"""What search takes for words, in many languages and scripts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.stores.languages import language_of, stem, stop_words
from localspec.stores.words import Term, content_words, index_text, normalized, question_terms, words_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I give up a package that I have no time for?", "english"),
        ("Wie kann ich den Drucker mit dem Rechner verbinden?", "german"),
        ("Comment est-ce que je peux relier une imprimante à mon ordinateur ?", "french"),
        ("¿Cómo puedo conectar una impresora con el ordenador?", "spanish"),
        ("Как подключить принтер к компьютеру?", "russian"),
        ("Як під’єднати принтер до комп’ютера?", "ukrainian"),
        ("如何把打印机连接到电脑？", "chinese"),
        ("プリンターをコンピューターに接続するには", "japanese"),
        ("印刷設定を変更する方法", "japanese"),
        ("प्रिंटर को कंप्यूटर से कैसे जोड़ें?", "hindi"),
        ("จะต่อเครื่องพิมพ์กับคอมพิวเตอร์อย่างไร", "thai"),
        ("프린터를 컴퓨터에 연결하려면 어떻게 합니까?", "korean"),
        ("كيف أوصل الطابعة بالحاسوب؟", "arabic"),
        ("چگونه چاپگر را به رایانه وصل کنم؟", "persian"),
        ("Πώς συνδέω τον εκτυπωτή με τον υπολογιστή;", "greek"),
        ("របៀបភ្ជាប់ម៉ាស៊ីនបោះពុម្ព", "khmer"),
        ("K-217; 12.5; 40", ""),
        ("", ""),
        ("Main Street 5", ""),
        ("def main(argv): return parser.parse_args(argv).run()", ""),
    ],
)
def test_the_language_is_told_by_script_and_words(text: str, language: str) -> None:
    assert language_of(text) == language


def test_forms_of_one_word_are_one_word() -> None:
    assert words_of("Schräg SCHRÄG schra\u0308g ｓｃｈｒａｇ") == ["schrag"] * 4
    assert words_of("Straße STRASSE") == ["strasse"] * 2
    assert words_of("ёлка Елка") == ["елка"] * 2
    assert words_of("май маи") == ["май", "маи"]  # the breve of й makes another letter
    assert words_of("ﬁle Ⅳ ２０２６ ①") == ["file", "iv", "2026", "1"]
    assert words_of("soft\u00adhyphen کِتاب كـتاب می\u200cخواهم") == ["softhyphen", "کتاب", "كتاب", "میخواهم"]
    assert words_of("ガラス ｶﾞﾗｽ") == words_of("ガラス") * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("प्रिंटर की स्याही", ["प्रिंटर", "की", "स्याही"]),
        ("தமிழ்நாடு மொழி", ["தமிழ்நாடு", "மொழி"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("తెలుగు భాష", ["తెలుగు", "భాష"]),
        ("ಕನ್ನಡ ಭಾಷೆ", ["ಕನ್ನಡ", "ಭಾಷೆ"]),
        ("مُحَمَّد", ["محمد"]),
        ("Tiếng Việt", ["tieng", "viet"]),
        ("k-217_b/3,5", ["k", "217", "b", "3", "5"]),
    ],
)
def test_marks_stay_in_their_words(text: str, words: list[str]) -> None:
    assert words_of(unicodedata.normalize("NFC", text)) == words_of(unicodedata.normalize("NFD", text))
    assert words_of(text) == [unicodedata.normalize("NFC", word) for word in words]


def test_scripts_without_spaces_are_cut_into_pieces() -> None:
    assert words_of("打印机A4卡纸") == ["打印", "印机", "机", "a4", "卡纸", "纸"]
    assert words_of("ที่นี่") == ["ที่นี่", "นี่"]
    # A word is found inside a run, at its end, and alone.
    for text, wanted in (
        ("更换打印机墨盒", "墨盒"),
        ("更换墨盒", "墨"),
        ("ระบบแฟ้มเสียหาย", "แฟ้ม"),
        ("한국어를", "한국어"),
    ):
        held = words_of(text)
        for term in question_terms(wanted):
            assert any(word.startswith(term.forms) if term.begins else word in term.forms for word in held), wanted


def test_words_of_a_language_meet_in_their_stems() -> None:
    for language, words in (
        ("german", ("drucker", "druckern", "druckers")),
        ("french", ("imprimer", "imprimes", "imprimée")),
        ("russian", ("документа", "документы")),
        ("english", ("print", "prints", "printing")),
    ):
        assert len({stem(word, language) for word in words}) == 1, language
    assert stem("ออก", "thai") == "ออก"
    assert stem("word", "") == "word"
    assert "und" in stop_words("german")
    assert stop_words("klingon") == frozenset()


def test_questions_become_quoted_terms() -> None:
    queries = [term.query for term in question_terms('Say "NEAR(p q)" NOT col:x* ^y')]
    assert queries == ['"say"', '"near"', '"p"', '"q"', '"col"', '"x"', '"y"']
    assert question_terms("Who is with the NMU?") == [Term(["nmu"])]
    assert [term.forms for term in question_terms("Who is it?")] == [("who",), ("is",), ("it",)]
    assert question_terms("?! \x00 \ud800") == []
    assert question_terms("same SAME same") == [Term(["same"])]
    assert len(question_terms(" ".join(f"w{number}" for number in range(500)))) == 64
    assert question_terms("水")[0].query == '"水"*'
    # In the languages of the texts, too: which one a word is in, a single word does not say.
    assert question_terms("Druckern", ["german", "english"])[0].query == '("druckern" OR "druck")'


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Welche Drucker gibt es?", ["drucker"]),
        ("Quelle est la durée de la garantie ?", ["durée", "garantie"]),
        ("Какой срок гарантии у насоса?", ["срок", "гарантии", "насоса"]),
        ("如何更换滤芯？", ["更换滤芯"]),
        ("ต้องเปลี่ยนไส้กรองเมื่อไร", ["เปลี่ยนไส้กรอง"]),
    ],
)
def test_what_only_asks_is_no_content(question: str, words: list[str]) -> None:
    assert content_words(question) == words


@given(st.text(st.characters(exclude_categories=[]), max_size=80))
def test_any_text_has_words_that_stay_themselves(text: str) -> None:
    words = words_of(text)
    assert all(words)
    assert index_text(text) == " ".join(words)
    assert not any(character.isspace() for word in words for character in word)
    assert normalized(normalized(text)) == normalized(text)
    assert len(question_terms(text)) <= 64
