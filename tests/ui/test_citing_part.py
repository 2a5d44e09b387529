"""The dialog of a cited passage: its surroundings, its pages, and a note only where there is one."""

from __future__ import annotations

import html
from dataclasses import replace

from localspec import texts
from localspec.chat.citations import Citation
from localspec.stores.library import FoundPassage
from localspec.ui import elements
from localspec.ui.citing_part import passage

KEPT = "Nothing of it is left there."
TEXTS = [
    "The lamp is lit at dusk by the keeper.",
    "The keeper climbs two hundred steps.",
    "At dawn the lamp is put out.",
]
FOUND = [FoundPassage(at, 1, "lamp.pdf", at, "", text, 0.0, at - 1) for at, text in enumerate(TEXTS, 1)]


def test_a_passage_in_its_surroundings_has_no_note() -> None:
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", TEXTS[1], 2), FOUND, "")
    assert shown.count("<mark>") == 1
    assert f"<mark>{elements.lines(TEXTS[1])}</mark>" in shown
    assert [f'passage-page">Page {page}<' in shown for page in (1, 2, 3, 4)] == [True, True, True, False]
    assert shown.partition("</button></div>")[2].startswith('<div class="passage-text"'), "no note"


def test_other_places_of_the_same_content_are_named() -> None:
    places = tuple(f"<old {number}>/lamp.pdf" for number in range(1, 8))
    shown = passage(
        "1", Citation(1, "lamp.pdf", 2, "", TEXTS[1], 2), [replace(one, copies=places) for one in FOUND], ""
    )
    assert html.unescape(shown).count("Also as <old 1>/lamp.pdf, ") == 1
    assert "<old 5>/lamp.pdf …<" in html.unescape(shown)
    assert "<old" not in shown


def test_a_passage_that_was_cut_anew_says_so() -> None:
    kept = f"{TEXTS[1]} {TEXTS[2]}"
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", kept, 99), FOUND, "")
    assert elements.note(texts.PASSAGE_CUT_ANEW) in shown
    assert shown.count("<mark>") == 1


def test_a_passage_that_is_gone_is_shown_as_it_was_kept() -> None:
    shown = passage("1", Citation(1, "lamp.pdf", 2, "", KEPT, 99), [], "lamp.pdf was removed.")
    assert elements.note("lamp.pdf was removed.") in shown
    assert f"<mark>{elements.lines(KEPT)}</mark>" in shown
