"""What of an answer is drawn as a formula, and what stays text."""

from __future__ import annotations

import html
import re

import pytest

from localspec.ui import answer_markup, elements, maths

INLINE, DISPLAY = ({"left": one["left"], "right": one["right"]} for one in reversed(maths.DELIMITERS))


def formulas(text: str) -> list[str]:
    """The formulas of a text, or of an answer, as the page is to draw them."""
    return drawn(answer_markup.answer(text))


def drawn(shown: str) -> list[str]:
    """The formulas that the page would draw of this markup."""
    marks = "|".join(f"{re.escape(str(one['left']))}(.+?){re.escape(str(one['right']))}" for one in (INLINE, DISPLAY))
    return [html.unescape(one or other) for one, other in re.findall(marks, shown, re.DOTALL)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The area is $A = \\pi r^2$.", ["A = \\pi r^2"]),
        ("$x$, $y$ and $n$-th, the $k$th", ["x", "y", "n", "k"]),
        ("$O(n \\log n)$ and $2x+3xy$ and $5 \\text{ km}$", ["O(n \\log n)", "2x+3xy", "5 \\text{ km}"]),
        ("\\(a+b\\) and \\[c\\]", ["a+b", "c"]),
        ("$$\nE = mc^2\n$$", ["E = mc^2"]),
        ("before $$x$$ after", ["x"]),
        ("a price of $5, and $x^2$", ["x^2"]),
        ("\\$5 and $x$", ["x"]),
        ("$a$, but the rest is not closed: $b", ["a"]),
        ("$\\text{costs \\$5}$", ["\\text{costs \\$5}"]),
        ("|$\\sqrt{2}$|$1|", ["\\sqrt{2}"]),
    ],
)
def test_formulas_are_found(text: str, expected: list[str]) -> None:
    assert formulas(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.", "$5-$10", "$5–$10 a day", "between $1,000 and $2,000", "US$5 or A$6", "$5/$6",
        "She paid $5. He paid 10$, and they 3$.", "$20/month or 200$/year", "($5) and ($10)", "$5 + $6 = $11",
        "costs $5, or 10$ each", "$10 million dollars and 20$ more", "$HOME/$PATH and $PATH:$HOME", "a lone $ sign",
        "$", "$$", "$$$$", "$ x $", "\\[1\\]", "\\(\\)", "\\\\(a\\\\)", "$a\n\nb$", "$$a\n\nb$$", "\\(a",
        "the words $are not all formulas$ here",
    ],
)  # fmt: skip
def test_money_and_words_are_none(text: str) -> None:
    assert formulas(text) == []


@pytest.mark.parametrize(
    "formula",
    [
        "\\href{javascript:alert(1)}{x}", "\\url{http://evil.example}", "\\includegraphics{http://evil.example/p.png}",
        "\\htmlData{a=b}{x}", "\\htmlStyle{color:red}{x}",
        "\\def\\a{\\a\\a}\\a", "\\gdef\\a{b}", "\\newcommand{\\a}{b}",
        "\\let\\a=\\b", "\\rule{9999em}{9999em}", "\\kern 1000px x", "{" * 40 + "}" * 40, "{{{", "}x{", "a\\",
        "x" * (maths.LONGEST + 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("marks", [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")])
def test_hostile_formulas_stay_text(formula: str, marks: tuple[str, str]) -> None:
    text = f"Before {marks[0]}{formula}{marks[1]} after $y$."
    shown = answer_markup.answer(text)
    assert formula not in drawn(shown)
    assert not any("javascript" in one or "evil" in one or "def" in one for one in drawn(shown))


def test_what_a_formula_holds_is_escaped() -> None:
    shown = answer_markup.answer("$a < b$ and \\(a & b\\) and $$<img src=x onerror=alert(1)>$$")
    assert "<" not in shown.removeprefix("<p>").removesuffix("</p>")
    assert drawn(shown) == ["a < b", "a & b", "<img src=x onerror=alert(1)>"]


def test_code_is_no_formula() -> None:
    fenced = "```sh\necho $HOME $x$ \\(y\\)\n```"
    text = f"Run `$a$` and\n\n{fenced}\n\nthen $z$."
    shown = answer_markup.answer(text)
    assert "```bash\necho $HOME $x$ \\(y\\)\n```" in shown
    assert "<code>$a$</code>" in shown
    assert drawn(shown) == ["z"]


def test_marks_that_somebody_wrote_are_gone() -> None:
    forged = f"{INLINE['left']}\\href{{javascript:alert(1)}}{{x}}{INLINE['right']}"
    for shown in (
        answer_markup.answer(f"{forged} `{forged}` $y$"),
        elements.question(forged, [forged]),
        elements.literal(forged),
    ):
        assert "\\href" not in drawn(shown)
        assert set(drawn(shown)) <= {"y"}


@pytest.mark.parametrize(
    ("text", "buttons"),
    [
        ("It was 1874 [1].", [1]),
        ("So it says [1][2], and [2, 3].", [1, 2, 2, 3]),
        ("[1]: the handbook", [1]),
        ("Not known: [9], nor [1, 9].", []),
        ("A link [1](http://example.org).", []),
        ("Code `a[1]` and $x_{[1]}$.", []),
        ("\\[1\\] ![1]", []),
    ],
)
def test_numbers_of_passages_become_buttons(text: str, buttons: list[int]) -> None:
    shown = answer_markup.answer(text, {1, 2, 3})
    assert [int(number) for number in re.findall(r'name="cite (\d+)"', shown)] == buttons
    assert answer_markup.answer(text) == answer_markup.answer(text, ())
    assert "<button" not in answer_markup.answer(text)
