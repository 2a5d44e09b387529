"""Tells the language of a text by its script and its commonest words, and knows the stop words and stems of a language.

Light on purpose: what depends on it (stems, a notice) can do without an answer. Stop words are those of `stop-words`,
stems those of Snowball; a language without either has none.
"""

from __future__ import annotations

import functools
import re
import threading
from collections import Counter
from typing import Any

import snowballstemmer  # type: ignore[import-untyped]
from stop_words import AVAILABLE_LANGUAGES, get_stop_words  # type: ignore[import-untyped]

_stemming = threading.Lock()
"""A stemmer of Snowball keeps the word at work in itself."""
UNKNOWN = ""
_LOOKED_AT = 4000
"""Characters of a text that are looked at: they decide."""
_LATIN = (
    *("english", "german", "french", "spanish", "italian", "portuguese", "dutch", "danish", "swedish", "norwegian"),
    *("finnish", "polish", "czech", "slovak", "hungarian", "romanian", "catalan", "turkish", "indonesian"),
    "vietnamese",
)
_CYRILLIC = ("russian", "ukrainian", "bulgarian")
_ARABIC = ("arabic", "persian")
_BY_SCRIPT: dict[str, tuple[str, ...]] = {
    "latin": _LATIN,
    "cyrillic": _CYRILLIC,
    "arabic": _ARABIC,
    "kana": ("japanese",),
    "han": ("chinese",),
    "hangul": ("korean",),
    "thai": ("thai",),
    "lao": ("lao",),
    "khmer": ("khmer",),
    "burmese": ("burmese",),
    "devanagari": ("hindi",),
    "greek": ("greek",),
    "hebrew": ("hebrew",),
    "armenian": ("armenian",),
    "tamil": ("tamil",),
    "gujarati": ("gujarati",),
}
"""The languages that a script may be, of those whose words are known. One that stands alone needs no word to be told:
Marathi counts as Hindi, whose stems serve it as well."""
_SCRIPTS: dict[str, str] = {
    "latin": "A-Za-z\u00aa-\u024f\u1e00-\u1eff",
    "cyrillic": "\u0400-\u052f",
    "arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff",
    "kana": "\u3041-\u30ff\u31f0-\u31ff",
    "han": "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "thai": "\u0e00-\u0e7f",
    "lao": "\u0e80-\u0eff",
    "khmer": "\u1780-\u17ff",
    "burmese": "\u1000-\u109f",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "gurmukhi": "\u0a00-\u0a7f",
    "gujarati": "\u0a80-\u0aff",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "kannada": "\u0c80-\u0cff",
    "malayalam": "\u0d00-\u0d7f",
    "sinhala": "\u0d80-\u0dff",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "hebrew": "\u0590-\u05ff",
    "armenian": "\u0530-\u058f",
    "georgian": "\u10a0-\u10ff",
    "ethiopic": "\u1200-\u137f",
}
_OF_SCRIPT = re.compile("|".join(f"(?P<{name}>[{letters}]+)" for name, letters in _SCRIPTS.items()))
_LETTER = re.compile("[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")
_KANA_SHARE = 0.05
"""Of Han and kana letters, from which a text is Japanese: Chinese has none."""
_LEAST_SHARE = 0.12
"""Of a longer text's words that a language's commonest ones must be: running text has from 25 to 55 percent of them, a
list of names or a program hardly any."""
_FEW = 4
_SHARE_OF_FEW = 0.3
"""The same among at most so many words."""
_COMMONEST = {_CYRILLIC: "russian", _ARABIC: "arabic"}
"""What a text of the script counts as where its words don't tell."""
_SURE = 1.2
"""How many times as many as of any other language, at least."""
_TELLING = {"ukrainian": "іїєґ", "bulgarian": "ъ", "persian": "پچژگ"}
"""Letters by which a text is told from others of its script; Russian has ъ, too, but seldom."""
_TELLING_SHARE = 0.01
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about above after again all also am an and any are as at be because been before being below"
        " between both but by can could did do does doing down during each few for from further had has have"
        " having he her here hers him his how i if in into is it its itself just me more most my no nor not"
        " now of off on once only or other our ours out over own please same she should so some such tell than"
        " that the their theirs them then there these they this those through to too under until up us very"
        " was we were what when where which while who whom whose why will with would you your yours",
    )
)
"""English words that say nothing about the subject (after Snowball's stop words)."""
_ALSO: dict[str, str] = {
    "german": "welche welcher welches welchen welchem wie wo wann warum wer wen wem was gibt gibts kann könnte man mein"
    " meine meinen meiner bitte muss müssen soll sollte wird werden macht mache machen lässt oft lange viel"
    " viele",
    "french": "quel quelle quels quelles comment pourquoi quand où qui que quoi est-ce peut peux puis dois doit faut"
    " faire fait mon ma mes souvent combien",
    "russian": "какой какая какое какие каким как где когда почему кто что чем сколько можно нужно надо мне мой моя"
    " мои делать сделать часто долго много",
    "hindi": "क्या कैसे कौन कौन-सा कहाँ कब क्यों कितने कितना किस मैं मुझे मेरा मेरी मेरे करें करूँ करना सकता सकते सकती चाहिए",
    "spanish": "qué cuál cuáles cómo cuándo dónde quién puedo debo hacer",
    "italian": "quale quali come quando dove chi cosa posso devo fare",
}
"""What people ask with, where the lists lack it."""
_UNSPACED_FUNCTION: dict[str, str] = {
    "chinese": "為什麼 什麼 怎麼 哪裡 嗎 請問 我們 應該 與"
    " 为什么 什么样 什么时候 什么 怎么办 怎么样 怎样 怎么 如何 哪些 哪个 哪里 哪儿 多少 是否 可以 能否 能不能 应该"
    " 需要 请问 我们 你们 他们 我 你 的 了 吗 呢 吧 在 是 有 和 或 把 被 会 要 想",
    "japanese": "どのように どうすれば どうやって どんな どの どこ どれ なぜ いつ 何 誰",
    "thai": "อย่างไร ยังไง อะไรบ้าง อะไร ที่ไหน เมื่อไร เมื่อไหร่ ทำไม ใคร เท่าไร เท่าไหร่ หรือไม่ ไหม ได้บ้าง กี่ ผม ฉัน ต้อง คือ ครับ ค่ะ",
}
"""The like where words have no spaces between them: longer ones first."""


def language_of(text: str) -> str:
    """The English name of the language that most of a text is in, as "german"; "" where it cannot be told, as of a few
    words, names, or numbers."""
    sample = text[:_LOOKED_AT].casefold()
    if sample.isascii():
        return _by_words(sample, _LATIN) if _LETTER.search(sample) else UNKNOWN
    counts: Counter[str] = Counter()
    for found in _OF_SCRIPT.finditer(sample):
        counts[str(found.lastgroup)] += len(found[0])
    if not counts:
        return UNKNOWN
    eastern = counts["kana"] + counts["han"]
    if eastern and counts["kana"] >= _KANA_SHARE * eastern:
        counts["kana"] = eastern
        counts["han"] = 0
    # A letter of these says as much as three of an alphabet.
    for script in ("kana", "han", "hangul"):
        counts[script] *= 3
    script = counts.most_common(1)[0][0]
    candidates = _BY_SCRIPT.get(script, (script,))
    if len(candidates) == 1:
        return candidates[0]
    return _by_words(sample, candidates)


def _by_words(sample: str, candidates: tuple[str, ...]) -> str:
    """The one of these languages whose stop words are the most of a text's words."""
    for language, letters in _TELLING.items():
        if language in candidates and sum(map(sample.count, letters)) >= _TELLING_SHARE * len(sample):
            return language
    words = _WORD.findall(sample)
    counts: Counter[str] = Counter()
    telling = _by_word(candidates)
    for word in words:
        for language in telling.get(word, ()):
            counts[language] += 1
    ((best, most), (_, second)) = [*counts.most_common(2), (UNKNOWN, 0), (UNKNOWN, 0)][:2]
    needed = _LEAST_SHARE if len(words) > _FEW else _SHARE_OF_FEW
    if most < needed * len(words) or most < _SURE * second or not most:
        return _COMMONEST.get(candidates, UNKNOWN)
    return best


@functools.cache
def _by_word(languages: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Which of these languages have a word as a stop word."""
    found: dict[str, tuple[str, ...]] = {}
    for language in languages:
        for word in stop_words(language):
            found[word] = (*found.get(word, ()), language)
    return found


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """Words of a language that say nothing about a subject, case-folded; empty where they are not known."""
    if language == "english":
        return FUNCTION_WORDS
    known = get_stop_words(language) if language in AVAILABLE_LANGUAGES else []
    return frozenset(word.casefold() for word in [*known, *_ALSO.get(language, "").split()])


@functools.cache
def question_phrases(language: str) -> re.Pattern[str] | None:
    """Finds what only asks or joins in a language without spaces; None where that is not known."""
    phrases = _UNSPACED_FUNCTION.get(language, "").split()
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if phrases else None


def stem(word: str, language: str) -> str:
    """The stem of a case-folded word in a language; the word itself where the language has no stemmer."""
    stemmer = _stemmer(language)
    if stemmer is None:
        return word
    with _stemming:
        return str(stemmer.stemWord(word)) or word


@functools.cache
def _stemmer(language: str) -> Any:  # noqa: ANN401 - a class of its own for each language
    return snowballstemmer.stemmer(language) if language in snowballstemmer.algorithms() else None
