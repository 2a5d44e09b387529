from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.models.embedder import Embedder
from localspec.stores.documents.blocks import Block, BlockKind, Table
from localspec.stores.documents.parse import ParsedDocument, parse
from localspec.stores.documents.passages import USUAL_TOKENS, Passage, embedded_text, split
from tests.builders import make_pdf

_texts = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=400)
_said = ["one", "two.", "Three", "vier!", "1.", "- five", "\n", "\n\n", "```", "# six", "字。", "漢"]
_prose = st.lists(
    st.sampled_from(["one", "two.", "Three", "vier!", "1.", "- five", "\n", "\n\n", "```", "# six", "字。", "漢"]),
    max_size=200,
).map(" ".join)
_kinds = st.sampled_from(["paragraph", "heading", "list item", "code", "note"])
_blocks = st.lists(
    st.builds(
        Block, _texts | _prose, st.one_of(st.none(), st.integers(1, 3)), st.sampled_from(["", "One", "Two"]), _kinds
    ),
    max_size=8,
)
_WORD = re.compile(r"\w+|[^\w\s]")


def words(texts: Sequence[str]) -> list[int]:
    return [2 + len(_WORD.findall(text)) for text in texts]


def letters(texts: Sequence[str]) -> list[int]:
    return [2 + len(text) for text in texts]


def document(blocks: list[Block], kind: str = "text") -> ParsedDocument:
    return ParsedDocument("title", kind, tuple(blocks), None, ())


def is_part(part: str, whole: str) -> bool:
    """Whether the letters of one stand in the other in the same order."""
    rest = iter(whole)
    return all(letter in rest for letter in part)


@settings(max_examples=60, deadline=None)
@given(_blocks, st.sampled_from(["text", "markdown", "code", "pdf"]), st.sampled_from([16, 40, 256]))
def test_no_text_is_lost_or_reordered(blocks: list[Block], kind: str, longest: int) -> None:
    parsed = document(blocks, kind)
    for count in (words, letters):
        passages = split(parsed, longest, count)
        said = "".join("".join(passage.text for passage in passages).split())
        text = "".join(parsed.text.split())
        assert is_part(text, said)
        assert [passage.ordinal for passage in passages] == list(range(len(passages)))
        assert max(count([embedded_text(one.section, one.text) for one in passages]), default=0) <= longest
        assert all(passage.text.strip() for passage in passages)
        assert passages == split(parsed, longest, count)
        if all(size <= longest // 2 for size in count(parsed.text.split())) and longest == 256 and count is words:
            assert len(said) <= 1.3 * len(text) + 100, "what stands in two passages is little"


_LANGUAGES = {
    "English": "The pump is replaced after 120 hours; loosen the three bolts at the housing first. ",
    "German": "Die Umwälzpumpe wird nach 120 Betriebsstunden ausgewechselt; zuvor sind die Gehäuseschrauben zu lösen. ",
    "Russian": "Насос заменяется после ста двадцати часов работы; сначала отверните три болта корпуса. ",
    "Chinese": "水泵在运行一百二十小时后更换；请先松开外壳上的三个螺栓。",
    "Japanese": "ポンプは百二十時間の運転後に交換します。先にハウジングの三本のボルトを緩めてください。",
    "Thai": "เปลี่ยนปั๊มหลังจากใช้งานหนึ่งร้อยยี่สิบชั่วโมง คลายสลักเกลียวสามตัวก่อน ",
    "Hindi": "पंप को एक सौ बीस घंटे के बाद बदला जाता है। पहले तीन बोल्ट ढीले करें। ",
    "Arabic": "تُستبدل المضخة بعد مئة وعشرين ساعة؛ قم أولاً بفك البراغي الثلاثة. ",
    "values": "K-217;red;Lyon;R39;1;B8297;30.3;35.7;44;39;held;oil\n",
    "letters": "Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OQ",
    "signs": "<-=>{[(&%$#@!)]}~|\\/*+ ",
}


@pytest.mark.parametrize("language", _LANGUAGES)
@pytest.mark.parametrize("asked", [True, False])
def test_the_embedder_reads_every_passage_to_its_end(language: str, asked: bool) -> None:
    """Whether it was asked how long texts are, or not."""
    embedder = Embedder()
    text = "\n\n".join(_LANGUAGES[language] * 40 for _ in range(3))
    parsed = document([Block(text, 1, "A section with a name")])
    passages = split(parsed, embedder.longest, embedder.count_tokens) if asked else split(parsed)
    sizes = embedder.count_tokens([embedded_text(one.section, one.text) for one in passages])
    assert max(sizes) <= embedder.longest
    assert is_part("".join(text.split()), "".join("".join(one.text for one in passages).split()))
    assert min(len(one.text) for one in passages) > 90, "and they are no scraps"


def test_small_blocks_of_one_place_fill_a_passage() -> None:
    blocks = [Block(f"Sentence number {number} of the section.", 1, "Intro") for number in range(100)]
    passages = split(document(blocks), 256, words)
    assert all(passage.page == 1 and passage.section == "Intro" for passage in passages)
    assert all(USUAL_TOKENS - 20 < words([one.text])[0] <= USUAL_TOKENS for one in passages[:-1])


def test_a_passage_has_the_page_where_it_starts() -> None:
    pages = [f"page{number} " + "some more words here. " * 80 for number in range(1, 6)]
    passages = split(document([Block(text, number, "") for number, text in enumerate(pages, 1)]))
    starts = {passage.text.split()[0]: passage.page for passage in passages if passage.text.startswith("page")}
    assert starts == {f"page{number}": number for number in range(1, 6)}
    assert [passage.page for passage in passages] == sorted(passage.page or 0 for passage in passages)


def test_a_passage_has_its_printed_page() -> None:
    blocks = [Block("Preface to it all.", 3, "", label="iii"), Block("The first chapter.", 4, "", label="1")]
    assert [(one.page, one.label) for one in split(document(blocks))] == [(3, "iii"), (4, "1")]


# -- what is never alone ---------------------------------------------------------------------------------------------


def heading(text: str, page: int | None = None, level: int = 1) -> Block:
    return Block(text, page, text, "heading", level)


def test_a_heading_stands_with_what_follows() -> None:
    paragraph = "Words of a longer text. " * 8
    blocks = []
    for number in range(40):
        blocks += [heading(f"Chapter {number}"), Block(paragraph, None, f"Chapter {number}")]
    for kind in ("docx", "pdf", "text"):
        passages = split(document(blocks, kind), 256, words)
        assert [one.text.split("\n")[0] for one in passages] == [f"Chapter {number}" for number in range(40)]
    # In the middle of a section, too, where the passage before it has room for it alone.
    blocks = [Block(paragraph, None, "One", "heading" if number % 5 == 4 else "paragraph") for number in range(41)]
    ends = [one.text.split("\n\n")[-1] for one in split(document(blocks, "docx"), 256, words)]
    assert len(ends) > 5


def test_headings_below_each_other_join_what_follows() -> None:
    blocks = [heading("Part", 1), heading("Chapter", 1, 2), Block("Text of it. " * 20, 1, "Chapter")]
    (passage,) = split(document(blocks, "docx"))
    assert (passage.section, passage.page) == ("Chapter", 1)
    assert passage.text.startswith("Part\n\nChapter\n\nText")


@pytest.mark.parametrize("kind", ["paragraph", "heading"])
def test_a_heading_at_the_end_of_a_page_goes_to_the_next(kind: BlockKind) -> None:
    blocks = [
        Block("Some text. " * 20, 1, "One"),
        Block("1.2 Two", 1, "Two", kind),
        Block("More text. " * 20, 2, "Two"),
    ]
    passages = split(document(blocks, "pdf"))
    assert [(one.page, one.section) for one in passages][-1] == (2, "Two")
    assert passages[-1].text.startswith("1.2 Two\n\nMore text.")
    assert not any(one.text == "1.2 Two" for one in passages)


def test_a_heading_at_the_end_joins_what_is_before() -> None:
    blocks = [Block("Some text." + " Some text." * 20, 1, "One"), Block("Afterword", 1, "One", "heading")]
    (passage,) = split(document(blocks, "docx"), 256, words)
    assert passage.text.endswith("Some text.\n\nAfterword")


def test_a_slide_with_a_title_alone_stays_a_page() -> None:
    blocks = [heading("Welcome", 1), heading("Plan", 2), Block("We begin in May.", 2, "Plan")]
    assert [one.page for one in split(document(blocks, "pptx"))] == [1, 2]


def test_a_tiny_page_does_not_join_the_next_one() -> None:
    passages = split(document([Block("Cover", 1, ""), Block("Text " * 30, 2, "")]))
    assert [passage.page for passage in passages] == [1, 2]


@pytest.mark.parametrize("alone", ["1.", "(a)", "```", "~~~", "•", "# 7", "—", "IV."[:1] + "."])
def test_what_says_nothing_is_never_alone(alone: str) -> None:
    paragraph = "Words of a longer text, which has no end, "
    for before in range(20, 40):
        text = "\n\n".join([paragraph * before, alone, paragraph * 3, alone])
        for kind in ("text", "markdown"):
            passages = split(document([Block(text, None, "")], kind), 64, words)
            assert all(one.text.strip() != alone and not one.text.endswith(f"\n{alone}\n") for one in passages)


def test_fences_stay_with_their_code() -> None:
    code = "\n".join(f"value_{number} = compute({number})" for number in range(60))
    text = f"Set the values:\n\n```python\n{code}\n```\n\nThat is all there is."
    for blocks in ([Block(text, None, "")], [Block(f"```python\n{code}\n```", None, "", "code")]):
        passages = split(document(blocks, "markdown"), 64, words)
        assert len(passages) > 5
        for one in passages:
            assert one.text.strip("`\n") not in ("", "python")
        lines = [line for one in passages for line in one.text.split("\n")]
        assert [line for line in lines if line.startswith("value_")] == code.split("\n"), "no line is cut"


def test_items_of_a_list_are_whole() -> None:
    items = [f"{number}. Item {number} has some words, and then. It goes on for a while." for number in range(1, 80)]
    as_blocks = [Block(item, None, "List", "list item") for item in items]
    for blocks, kind in ((as_blocks, "docx"), ([Block("\n".join(items), None, "")], "text")):
        passages = split(document(blocks, kind), 80, words)
        assert [line for one in passages for line in one.text.split("\n")] == items


def test_sentences_are_whole() -> None:
    text = " ".join(f"Sentence {number} says, e.g. to Dr. Miller, what is in no. {number}." for number in range(100))
    passages = split(document([Block(text, None, "")]), 64, words)
    assert all(one.text.startswith("Sentence") and one.text.endswith(".") for one in passages)
    assert " ".join(one.text for one in passages) == text


def test_a_sentence_that_must_be_cut_overlaps() -> None:
    told = [f"word{number}" for number in range(300)]
    passages = split(document([Block(" ".join(told), None, "")]), 66, words)
    for one, other in pairwise(passages):
        shared = [word for word in one.text.split() if word in other.text.split()]
        assert 3 <= len(shared) <= 10
        assert one.text.endswith(" ".join(shared))
        assert other.text.startswith(" ".join(shared))


def test_a_sentence_over_two_pages_stands_on_the_second() -> None:
    blocks = [Block("It is due in May. The deposit is", 1, "Fees"), Block("500 euros. It is paid back.", 2, "Fees")]
    assert [one.text for one in split(document(blocks, "pdf"))] == [block.text for block in blocks]
    blocks[1] = Block("half the price. It is paid back.", 2, "Fees")
    assert split(document(blocks, "pdf"))[1].text == "The deposit is half the price. It is paid back."


def test_code_keeps_its_indentation() -> None:
    code = "\n\n".join(f"def function_{number}():\n    if True:\n        return {number}" for number in range(200))
    text = "\n".join(passage.text for passage in split(document([Block(code, None, "")], "code")))
    assert [line for line in text.split("\n") if line] == [line for line in code.split("\n") if line]
    starts = {one.text.split("_")[0] for one in split(document([Block(code, None, "")], "code"))}
    assert starts == {"def function"}, "it is cut at empty lines"


# -- tables ----------------------------------------------------------------------------------------------------------


def table(rows: list[list[str]], **more: object) -> Block:
    made = Table.of(rows, **more)  # type: ignore[arg-type]
    return Block("\n".join(made.lines()), None, "Stock", "table", table=made)


_COLUMNS = ["item", "colour", "site", "batch", "net_weight", "gross_weight", "state", "note"]
_ROWS = [[f"K-{n:03}", "red", "Lyon", f"B{n * 37 % 9000}", f"{n}.5", f"{n + 2}.5", "held", ""] for n in range(300)]


@pytest.mark.parametrize("title", ["", "All that is in stock"])
@pytest.mark.parametrize("longest", [80, 256])
def test_each_passage_of_a_table_has_its_title_and_column_names(title: str, longest: int) -> None:
    passages = split(document([table([_COLUMNS, *_ROWS], header_rows=1, title=title)], "xlsx"), longest, words)
    top = [title, " | ".join(_COLUMNS)] if title else [" | ".join(_COLUMNS)]
    rows = []
    for one in passages:
        lines = one.text.split("\n")
        assert lines[: len(top)] == top
        rows += lines[len(top) :]
    assert [row.rstrip() for row in rows] == [" | ".join(row).rstrip() for row in _ROWS], "rows are whole"


def test_column_names_of_two_rows_stand_in_each_passage() -> None:
    head = [["", "2023", "2023"], ["town", "in", "out"]]
    rows = [[f"Town {number}", str(number), str(2 * number)] for number in range(100)]
    passages = split(document([table([*head, *rows], header_rows=2)], "docx"), 64, words)
    assert all(one.text.startswith(" | 2023 | 2023\ntown | in | out\nTown") for one in passages)
    assert len(passages) > 5


def test_empty_cells_keep_their_place() -> None:
    (passage,) = split(document([table([["min", "typ", "max"], ["", "", "18"], ["3", "", ""]], header_rows=1)], "pdf"))
    assert passage.text.split("\n")[1:] == [" |  | 18", "3 |  |"]


def test_a_long_row_is_cut_between_its_cells() -> None:
    names = [f"column{number}" for number in range(40)]
    row = ["K-217", *(f"value {number} with some words" for number in range(1, 40))]
    passages = split(document([table([names, ["K-1", *["1"] * 39], row], header_rows=1)], "xlsx"), 90, words)
    assert max(words([embedded_text("Stock", one.text) for one in passages])) <= 90
    found: dict[tuple[str, str], str] = {}
    for one in passages:
        head, *rows = (line.split(" | ") for line in one.text.split("\n"))
        assert head[0] == "column0"
        for cells in rows:
            found |= {(cells[0], name): cell for name, cell in zip(head, cells, strict=True)}
    assert found == {("K-1", name): "1" for name in names[1:]} | {("K-1", "column0"): "K-1"} | {
        ("K-217", name): cell for name, cell in zip(names, row, strict=True)
    }


def test_a_long_cell_has_its_column_name_and_key_in_each_part() -> None:
    cell = " ".join(f"Remark {number} says something." for number in range(100))
    passages = split(document([table([["item", "note"], ["K-1", cell], ["K-2", "x"]], header_rows=1)]), 64, words)
    assert all(one.text.startswith("item | note\nK-") for one in passages)
    assert " ".join(one.text.split(" | ")[-1] for one in passages) == f"{cell} x"


def test_a_table_of_text_has_no_column_names() -> None:
    """As on web pages that are laid out by tables."""
    first, second = "The first column of the page. " * 30, "The second column of the page. " * 30
    passages = split(document([table([[first, second], ["More", "text"]], header_rows=1)], "html"), 100, words)
    said = " ".join(one.text for one in passages)
    assert said.count("first") >= 30
    assert said.count("first") + said.count("second") < 70
    assert max(words([embedded_text("Stock", one.text) for one in passages])) <= 100


def test_a_table_begins_a_passage_and_others_may_follow() -> None:
    small = table([["fee", "euros"], ["card", "8"]], header_rows=1, title="Fees")
    text = Block("Some words before it. " * 10, None, "Stock")
    passages = split(
        document([text, heading("Prices"), small, Block("They hold until May.", None, "Stock")]), 256, words
    )
    assert [one.text.split("\n")[0] for one in passages] == [text.text.strip(), "Prices"]
    assert "Prices\n\nFees\nfee | euros\ncard | 8\n\nThey hold" in passages[1].text + "\n\n" + passages[-1].text


def test_a_heading_stands_above_a_long_table() -> None:
    block = table([_COLUMNS, *_ROWS], header_rows=1)
    passages = split(document([Block("Stock", None, "Stock", "heading"), block], "docx"), 256, words)
    assert passages[0].text.startswith("Stock\n\nitem | colour")
    assert all(one.text.startswith("item | colour") for one in passages[1:])
    # A caption that is the title is not said twice.
    block = table([_COLUMNS, *_ROWS], header_rows=1, title="Table 1: Stock")
    passages = split(document([Block("Table 1: Stock", None, "Stock", "caption"), block], "docx"), 256, words)
    assert passages[0].text.count("Table 1") == 1


_cells = st.lists(st.lists(_texts.map(lambda text: text[:60]), max_size=6), max_size=12)


@settings(max_examples=60, deadline=None)
@given(_cells, st.integers(0, 2), st.sampled_from(["", "A title", "word " * 200]), st.sampled_from([32, 256]))
def test_no_cell_is_lost(rows: list[list[str]], header_rows: int, title: str, longest: int) -> None:
    made = Table.of(rows, header_rows=header_rows, title=title)
    if not any(map(any, made.rows)):
        return
    block = Block("\n".join(made.lines()), None, "", "table", table=made)
    passages = split(document([block]), longest, letters)
    assert max(letters([one.text for one in passages])) <= longest
    said = "".join("".join(one.text for one in passages).split())
    for row in made.rows:
        for cell in row:
            assert is_part("".join(cell.split()), said)


# -- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [0, -1, 15])
def test_senseless_sizes_are_refused(longest: int) -> None:
    with pytest.raises(ValueError, match="longest"):
        split(document([Block("text", None, "")]), longest)


def test_a_section_with_a_long_name_leaves_room() -> None:
    passages = split(document([Block("Some text. " * 100, None, "章" * 200)]), 256, letters)
    assert max(letters([embedded_text(one.section, one.text) for one in passages])) <= 256
    assert passages[0].section.startswith("章章")
    assert passages[0].section.endswith("…")


@pytest.mark.parametrize("unit", ["A sentence of plain words, as people write them. ", "word", "line\n"])
def test_half_a_megabyte_takes_seconds(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    start = time.process_time()
    passages = split(document([Block(text, None, "")]))
    assert time.process_time() - start < 5
    assert sum(len("".join(passage.text.split())) for passage in passages) >= len("".join(text.split()))


def test_a_real_pdf_gives_passages_with_its_pages(tmp_path: Path) -> None:
    pages = [f"Topic {word}. " + "It is explained at some length on this page. " * 30 for word in ("apple", "pear")]
    passages = split(parse(make_pdf(tmp_path / "fruit.pdf", pages)))
    assert {passage.page for passage in passages} == {1, 2}
    assert next(passage for passage in passages if "pear" in passage.text).page == 2


def test_passages_are_equal_by_what_they_say() -> None:
    assert Passage("a", 1, "", 0) == Passage("a", 1, "", 0, "")
