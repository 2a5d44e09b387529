"""Words marked by where they came from: the text stays what it was, and nothing in it can act."""

from __future__ import annotations

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from localspec import texts
from localspec.application.chats import Chat, Exchange, View
from localspec.chat.origins import UNKNOWN, Origins
from localspec.chat.turn import Turn
from localspec.speculation.tree import SOURCE_DRAFT, SOURCE_PROMPT, SOURCE_REST, SOURCE_TARGET
from localspec.ui import answer_markup, elements, growing_answer, maths, message_actions, messages
from localspec.ui.messages import coloured_answer
from tests.ui.test_panel import HOSTILE, Tags


def origins(*pieces: tuple[str, int]) -> tuple[str, Origins]:
    """A text in tokens of these sources."""
    made = Origins()
    for text, source in pieces:
        made.add([source], [text])
    return "".join(text for text, _ in pieces), made


def text_in(page: str) -> str:
    """What the marked answer says, without its legend."""
    return Tags(page.split('<div class="origins-legend">')[0].replace("<br>", "\n")).text


def test_tokens_of_a_word_stand_together_in_runs_of_one_source() -> None:
    page = coloured_answer(
        *origins(("The ", SOURCE_TARGET), ("light", SOURCE_REST), ("house", SOURCE_REST), ("s", SOURCE_DRAFT))
    )
    assert '<span class="from from-rest" title="your documents"><span>light</span><span>house</span></span>' in page
    assert text_in(page) == "The lighthouses"
    assert re.findall(r"from-(\w+)", page.split("origins-legend")[0]) == ["target", "rest", "draft"]
    assert not Tags(page).open


def test_the_legend_names_and_counts_the_sources_in_words() -> None:
    page = coloured_answer(*origins(("a", SOURCE_PROMPT), ("b", SOURCE_PROMPT), ("c", SOURCE_TARGET), ("d", UNKNOWN)))
    legend = Tags(page.partition('<div class="origins-legend">')[2].removesuffix("</div>")).text
    assert f"{texts.SOURCES['prompt']} 2 tokens" in legend
    assert f"{texts.SOURCES['target']} 1 token" in legend
    assert texts.ORIGIN_UNKNOWN in legend
    assert texts.SOURCES["REST"] not in legend


def test_several_that_proposed_a_token_are_all_named() -> None:
    page = coloured_answer(*origins(("a", SOURCE_REST | SOURCE_DRAFT)))
    assert f'title="{texts.SOURCES["REST"]}, also&#58; {texts.SOURCES["draft"]}"' in page


def test_signs_are_not_torn_apart() -> None:
    for sign in ("e\u0301", "👩\u200d🚀", "👍🏽", "🇩🇪", "❤\ufe0f", "क\u094d\u0937"):
        pieces = [(character, 1 + number % 2) for number, character in enumerate(sign)]
        page = coloured_answer(*origins(("x", 0), *pieces, ("y", 0)))
        assert text_in(page) == f"x{sign}y"
        assert sign in page, f"{sign} lies in two elements"
    page = coloured_answer(*origins(("🇩", 1), ("🇪", 2), ("🇫", 1), ("🇷", 2)))
    assert re.findall(r"<span>([^<]+)</span>", page)[:2] == ["🇩🇪", "🇫🇷"]


def test_hostile_text_is_shown_not_run() -> None:
    cut = [(HOSTILE[place : place + 3], place % 4) for place in range(0, len(HOSTILE), 3)]
    page = coloured_answer(*origins(*cut))
    tags = Tags(page)
    assert set(tags.tags) <= {"div", "span", "br"}
    assert set(tags.attributes) <= {"class", "title"}
    assert text_in(page) == HOSTILE
    for meaning in ("![", "$$", "`", "<img"):
        assert meaning not in page


# A break of two characters may lie in two tokens; it is shown as two then.
ONE_BREAK = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=6)


# What only marks formulas for the page has no shape, and is left out wherever text is shown as it is.
@example([("\u2061", 0), ("x", 1)])
@given(st.lists(st.tuples(ONE_BREAK, st.sampled_from([0, 1, 2, 8, 10, UNKNOWN])), max_size=20))
def test_any_text_is_shown_as_it_was(pieces: list[tuple[str, int]]) -> None:
    text, made = origins(*pieces)
    page = coloured_answer(text, made)
    if text and made:
        assert "\n" not in page, "a blank line would end the element"
        answer = page.split('<div class="origins-legend">')[0].replace("<br>", "\n")
        assert html.unescape(re.sub(r"<[^>]*>", "", answer)) == "\n".join(
            re.split("[\n\v\f\x1c-\x1e\x85\u2028\u2029]", maths.unmarked(text))
        )


def test_an_answer_of_unknown_origin_stays_as_it_is_and_says_so() -> None:
    page = coloured_answer("**Bold** words", Origins())
    assert page.startswith(answer_markup.answer("**Bold** words"))
    assert html.unescape(page).count(texts.ORIGINS_UNKNOWN.split(":")[0]) == 1
    assert coloured_answer("", Origins()) == ""


def shown(exchange: Exchange, coloured: bool) -> str:
    return messages.message(exchange, coloured)


def test_only_complete_answers_are_marked_and_what_stands_below_stays() -> None:
    text, made = origins(("A **", SOURCE_TARGET), ("bold", SOURCE_REST), ("** word", SOURCE_TARGET))
    turn = Turn("Q", "Q", reply=text, origins=made, finish="end")
    whole = Exchange("Q", view=View("done", text=text, notices=("Below",)), turn=turn)
    plain = f"{answer_markup.answer(text)}\n\n{elements.note('Below')}\n\n{elements.written(text)}"
    assert shown(whole, False) == plain
    marked = shown(whole, True)
    assert text_in(marked.split("\n\n")[0]) == text
    assert marked.endswith(plain.partition("\n\n")[2])
    assert shown(whole, True) is marked, "it is made once, not for every update"
    turn.finish = ""
    assert shown(whole, True) == plain, "it is being written on"
    turn.finish = "end"
    early = Exchange("Q", view=View("writing", text=text[:4]), turn=turn)
    assert shown(early, True) == growing_answer.place(early), "not all of it is on the page yet"
    early.view = View("done", text=text)
    assert "from-rest" in shown(early, True)
    chat = Chat(exchanges=[whole])
    under = message_actions.under(chat, 0, whole)
    assert 'name="retry 0"' in under
    assert messages.messages(chat)[1]["content"] == f"{plain}\n\n{under}"
    coloured = messages.messages(chat, coloured=True)[1]["content"]
    assert "from-rest" in coloured
    assert coloured.endswith(under)


def test_what_was_thought_is_folded_above_the_answer_and_cannot_do_anything() -> None:
    text, made = origins(("By the ", SOURCE_TARGET), ("sea", SOURCE_REST))
    thought = "A bay?\n\n</details><script>x</script> ```"
    turn = Turn("Q", "Q", reply=text, origins=made, finish="end", thinking=thought)
    whole = Exchange("Q", view=View("done", text=text, thinking=thought), turn=turn)
    for coloured in (False, True):
        folded, _, said = shown(whole, coloured).partition("</details>\n\n")
        assert folded.startswith(f'<details class="thinking"><summary>{texts.THOUGHT}')
        assert "\n" not in folded
        assert "<script" not in folded
        assert text_in(said).strip() == text
    grown = growing_answer.growth(Exchange("Q", view=View("writing", thinking=thought), turn=turn), 0, 0)
    assert grown is not None
    assert '<details class="thinking" open>' in grown.blocks[0]
    assert grown.below == ""


def test_an_answer_that_names_passages_is_marked_as_well() -> None:
    text, made = origins(("A ", SOURCE_TARGET), ("lamp [1]", SOURCE_REST))
    turn = Turn("Q", "Q", reply=text, origins=made, finish="end")
    cited = Exchange("Q", view=View("done", text=text, given=frozenset({1})), turn=turn)
    assert 'name="cite 1"' in shown(cited, False)
    assert "from-rest" in shown(cited, True)
