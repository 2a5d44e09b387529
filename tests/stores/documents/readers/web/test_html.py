"""Pages of the web: everything that a reader can see or open stands in a block of its kind."""

from __future__ import annotations

import pytest

from localspec.stores.documents.blocks import Block, Span, Table, joined
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.web.html import read_html


def blocks(body: str) -> list[Block]:
    return read_html(f"<!doctype html><html><body>{body}</body></html>".encode(), ParseLimits()).blocks


def kinds(body: str) -> list[tuple[str, str]]:
    """(kind, text) of each block."""
    return [(block.kind, block.text) for block in blocks(body)]


def texts(body: str) -> list[str]:
    return [block.text for block in blocks(body)]


def places(body: str) -> list[tuple[str, str]]:
    """(section, text) of each block."""
    return [(block.section, block.text) for block in blocks(body)]


def table(body: str) -> Table:
    tables = [block.table for block in blocks(body) if block.table is not None]
    assert len(tables) == 1
    return tables[0]


# --- tables ----------------------------------------------------------------------------------------------------------

PLANS = """<table><tr><th rowspan=2>Plan</th><th colspan=2>Dental</th><th>Eye</th></tr>
<tr><th>Basic</th><th>Plus</th><th>All</th></tr><tr><td rowspan=2>Gold</td><td>100</td><td></td><td>30</td></tr>
<tr><td>110</td><td>210</td><td>40</td></tr><tr><td>Silver</td><td colspan=2>not covered</td><td>20</td></tr></table>"""


def test_spans_repeat_their_text_and_empty_cells_keep_their_places() -> None:
    found = table(PLANS)
    assert found.rows == (
        ("Plan", "Dental", "Dental", "Eye"),
        ("Plan", "Basic", "Plus", "All"),
        ("Gold", "100", "", "30"),
        ("Gold", "110", "210", "40"),
        ("Silver", "not covered", "not covered", "20"),
    )
    assert found.header_rows == 2
    assert found.spans == (Span(0, 0, 2, 1), Span(0, 1, 1, 2), Span(2, 0, 2, 1), Span(4, 1, 1, 2))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        # rowspan=0 reaches to the end of its group, and no further.
        ("<tbody><tr><td rowspan=0>a<td>1<tr><td>2<tbody><tr><td>b<td>3</table>", [("a", "1"), ("a", "2"), ("b", "3")]),
        ("<tr><td rowspan=9>a<td>1<tr><td>2</table>", [("a", "1"), ("a", "2")]),
        ("<tr><td>a<td>b<tr><td colspan=9>c</table>", [("a", "b"), ("c", "c")]),
        ("<tr><td>a<td>b<td>c<tr><td>d</table>", [("a", "b", "c"), ("d", "", "")]),
        (
            "<tr><td rowspan=2 colspan=2>a<td>1<tr><td>2<tr><td>x<td>y<td>3</table>",
            [("a", "a", "1"), ("a", "a", "2"), ("x", "y", "3")],
        ),
        ("<tr><td colspan=x>a<td rowspan=-1>b<tr><td>c<td>d</table>", [("a", "b"), ("c", "d")]),
        # A footer that is written before the body is shown below it.
        ("<tfoot><tr><td>sum<td>3<tbody><tr><td>a<td>3</table>", [("a", "3"), ("sum", "3")]),
        (
            "<tr><td>one<br>two<td><p>three</p><p>four</p><tr><td><ul><li>x<li>y</ul><td>5</table>",
            [("one two", "three four"), ("- x - y", "5")],
        ),
    ],
)
def test_cells_lie_where_a_browser_puts_them(body: str, rows: list[tuple[str, ...]]) -> None:
    assert table("<table>" + body).rows == tuple(rows)


def test_hostile_spans_cost_little() -> None:
    rows = "<tr>" + "<td rowspan=65534 colspan=1000>x" * 50
    assert len(table("<table>" + rows * 200 + "</table>").rows) == 200


@pytest.mark.parametrize(
    ("body", "header_rows"),
    [
        ("<thead><tr><td>a<td>b<tbody><tr><td>1<td>2</table>", 1),
        ("<tr><th>a<th>b<tr><th>c<th>d<tr><td>1<td>2</table>", 2),
        ("<tr><th>a<td>1<tr><th>b<td>2</table>", 0),
        ("<tr><td><th>x<th>y<tr><th>a<td>1<td>2</table>", 1),
        ("<tr><td><b>Name</b><td><strong>Town</strong><tr><td>Ann<td>Ulm</table>", 1),
        ("<tr><td>Name<td>Age<tr><td>Ann<td>36<tr><td>Bea<td>41</table>", 1),
        ("<tr><td>Ann<td>Ulm<tr><td>Bea<td>Graz</table>", 0),
        ("<tr><th>a<th>b<tr><th colspan=2>Group<tr><td>1<td>2</table>", 1),
        ('<tr><td role="columnheader">a<td role="columnheader">b<tr><td>x<td>y</table>', 1),
    ],
)
def test_header_rows_are_those_that_name_the_columns(body: str, header_rows: int) -> None:
    assert table("<table>" + body).header_rows == header_rows


def test_titles_of_tables() -> None:
    rows = "<tr><th>a<th>b<tr><td>1<td>2"
    assert table(f"<table><caption>Fees <b>2024</b></caption>{rows}</table>").title == "Fees 2024"
    figure = blocks(f"<figure><table>{rows}</table><figcaption>Fees</figcaption></figure>")
    assert [block.kind for block in figure] == ["table"]
    assert figure[0].table is not None
    assert figure[0].table.title == "Fees"
    assert table(f"<p>Table 3: Fees</p><table>{rows}</table>").title == "Table 3: Fees"
    assert table(f"<table><tr><th colspan=2>Fees</th></tr>{rows}</table>").title == "Fees"
    assert joined(blocks(f"<table><caption>Fees</caption>{rows}</table>")).startswith("Fees\n")


def test_tables_that_lay_out_are_no_tables() -> None:
    inner = "<table><tr><th>City<th>Fee<tr><td>Ulm<td>12</table>"
    assert kinds(f"<table><tr><td>{inner}</td><td>Side note</td></tr></table>") == [
        ("table", "City | Fee\nUlm | 12"),
        ("paragraph", "Side note"),
    ]
    assert kinds('<table role="presentation"><tr><td>a<td>b<tr><td>c<td>d</table>') == [
        ("paragraph", text) for text in "abcd"
    ]
    assert kinds("<table><tr><td><h2>Top</h2>words</table>") == [("heading", "Top"), ("paragraph", "words")]
    assert kinds("<table><tr><td>a<tr><td>b</table>") == [("paragraph", "a"), ("paragraph", "b")]
    highlighted = '<table><tr><td class="linenos"><pre>1\n2</pre><td><pre>x = 1\ny = 2</pre></table>'
    assert kinds(highlighted) == [("code", "x = 1\ny = 2")]


def test_a_table_inside_a_row_stays_in_the_row() -> None:
    inner = "<table><tr><td>Ulm<td>12<tr><td>Graz<td>14</table>"
    found = table(f"<table><tr><th>Region<th>Fees<tr><td>South<td>{inner}</table>")
    assert found.rows[1] == ("South", "Ulm, 12; Graz, 14")


# --- what is hidden at first -----------------------------------------------------------------------------------------

CASE = """<h1>Setup</h1><div class=tabs><button>Linux</button><button>Windows</button>
<div class=panel>Run apt.</div><div class=panel hidden>Run winget.</div></div><p>After.</p>"""
ARIA = """<h1>Setup</h1><div role=tablist><button role=tab id=t1 aria-controls=p1>Linux</button>
<button role=tab id=t2 aria-controls=p2>Windows</button></div>
<div role=tabpanel id=p1 aria-labelledby=t1>Run apt.</div>
<div role=tabpanel id=p2 aria-labelledby=t2 hidden>Run winget.</div><p>After.</p>"""
BOOTSTRAP = """<h1>Setup</h1><ul class="nav nav-tabs"><li><a data-toggle="tab" href="#a">Linux</a></li>
<li><a data-toggle="tab" href="#b">Windows</a></li></ul><div class="tab-content">
<div id="a" class="tab-pane active">Run apt.</div><div id="b" class="tab-pane">Run winget.</div></div><p>After.</p>"""
BY_SCRIPT = """<h1>Setup</h1><div class="tab"><button onclick="show(event, 'L')">Linux</button>
<button onclick="show(event, 'W')">Windows</button></div><div id="L" class="tabcontent">Run apt.</div>
<div id="W" class="tabcontent" style="display:none">Run winget.</div><p>After.</p>"""
DOCUSAURUS = """<h1>Setup</h1><div><ul role="tablist"><li role="tab">Linux</li><li role="tab">Windows</li></ul>
<div><div role="tabpanel">Run apt.</div><div role="tabpanel" hidden>Run winget.</div></div></div><p>After.</p>"""
SPHINX_DESIGN = """<h1>Setup</h1><div class="sd-tab-set"><input type=radio checked id=i0>
<label class="sd-tab-label" for=i0>
Linux</label><div class="sd-tab-content">Run apt.</div><input type=radio id=i1><label class="sd-tab-label" for=i1>
Windows</label><div class="sd-tab-content">Run winget.</div></div><p>After.</p>"""
MKDOCS = """<h1>Setup</h1><div class="tabbed-set"><input type=radio id=a><input type=radio id=b>
<div class="tabbed-labels"><label for=a>Linux</label><label for=b>Windows</label></div>
<div class="tabbed-content"><div class="tabbed-block">Run apt.</div><div class="tabbed-block">Run winget.</div></div>
</div><p>After.</p>"""
ACCORDION = """<h1>Setup</h1><h2><button aria-expanded=true aria-controls=x>Linux</button></h2><div id=x
class="accordion-collapse">Run apt.</div><h2><button aria-expanded=false aria-controls=y>Windows</button></h2>
<div id=y hidden>Run winget.</div>"""


@pytest.mark.parametrize("page", [CASE, ARIA, BOOTSTRAP, BY_SCRIPT, DOCUSAURUS, SPHINX_DESIGN, MKDOCS])
def test_panels_are_sections_with_the_names_of_their_tabs(page: str) -> None:
    assert places(page) == [
        ("Setup", "Setup"),
        ("Setup › Linux", "Linux"),
        ("Setup › Linux", "Run apt."),
        ("Setup › Windows", "Windows"),
        ("Setup › Windows", "Run winget."),
        ("Setup", "After."),
    ]


def test_folded_parts_are_read() -> None:
    found = {text: section for section, text in places(ACCORDION)}
    assert found["Run winget."].endswith("Windows")
    assert places("<h1>A</h1><details><summary>More</summary>Hidden<p>text</p></details>After") == [
        ("A", "A"),
        ("A › More", "More"),
        ("A › More", "Hidden"),
        ("A › More", "text"),
        ("A", "After"),
    ]
    nested = "<details><summary>One</summary>a<details><summary>Two</summary>b</details>c</details>d"
    assert [section for section, text in places(nested) if len(text) == 1] == ["One", "One › Two", "One", ""]
    assert texts("<button>Read more</button><div hidden>The rest.</div>")[-1] == "The rest."
    assert texts("<p>a</p><div hidden=until-found>b</div>") == ["a", "b"]
    assert texts("<button popovertarget=d>Terms</button><div id=d popover>All terms.</div>")[-1] == "All terms."


@pytest.mark.parametrize(
    "hidden",
    [
        *("<p hidden>secret</p>", '<div style="display: none">secret</div>', "<template><p>secret</p></template>"),
        *('<i aria-hidden="true">secret</i>', "<script>secret</script>", "<style>secret</style>"),
        *("<!-- secret -->", "<dialog>secret</dialog>", "<noscript>secret</noscript>", '<img alt="" src=secret.png>'),
        *("<nav><a>secret</a></nav>", "<div popover>secret</div>", '<input type=hidden value="secret">'),
        *('<input type=password value="secret">', '<a class="headerlink">secret</a>', '<img alt="secret.png">'),
        "<iframe>secret</iframe><video>secret</video><object>secret</object>",
    ],
)
def test_what_nobody_can_open_is_left_out(hidden: str) -> None:
    assert "secret" not in " ".join(texts(f"<p>words</p>{hidden}<p>more</p>"))


def test_a_page_that_is_nothing_but_a_menu_is_read() -> None:
    assert texts("<nav><h1>Contents</h1><ul><li><a href=a>One</a><li><a href=b>Two</a></ul></nav>") == [
        "Contents",
        "- One",
        "- Two",
    ]


# --- lists, notes, fields, code --------------------------------------------------------------------------------------


def test_lists_keep_numbers_and_levels() -> None:
    found = blocks(
        "<ol start=4><li>four<ol type=a><li>x<li>y</ol><li value=9>nine<li>ten</ol><ol reversed><li>b<li>a</ol>"
        "<ol type=I><li>one<li>two</ol><ul><li>dash<ul><li>deep</ul></ul>"
    )
    assert [block.text for block in found] == [
        *("4. four", "a. x", "b. y", "9. nine", "10. ten", "2. b", "1. a", "I. one", "II. two", "- dash", "- deep")
    ]
    assert [block.level for block in found] == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert {block.kind for block in found} == {"list item"}


def test_an_item_of_several_blocks() -> None:
    assert kinds("<ol><li><p>a</p><p>b</p><pre>c</pre><li><pre>d</pre></ol>") == [
        ("list item", "1. a"),
        ("paragraph", "b"),
        ("code", "c"),
        ("list item", "2."),
        ("code", "d"),
    ]


def test_definitions_stand_behind_their_terms() -> None:
    assert texts("<dl><dt>Term</dt><dd>24 months</dd><dt>Notice</dt><dd>3 months</dd></dl>") == [
        "Term: 24 months",
        "Notice: 3 months",
    ]
    assert texts("<dl><div><dt>a</dt><dt>b</dt><dd><p>c</p><p>d</p></dd></div><dt>lonely</dt></dl>") == [
        *("a, b: c", "d", "lonely")
    ]
    assert texts("<dl><dt>Code</dt><dd><pre>x</pre></dd><dt>List</dt><dd><ul><li>y</ul></dd></dl>") == [
        *("Code:", "x", "List:", "- y")
    ]


def test_fields_have_their_values() -> None:
    form = (
        '<form>Name: <input value="Okafor"> Zone: <select><option>A1<option selected>B2</select> '
        "<textarea>please call</textarea><p><label><input type=checkbox checked> News</label>"
        "<label><input type=radio> Post</label></p><label for=t>Town</label><br><input id=t value=Ulm>"
        "<div><label for=c>Country</label></div><div><input id=c value=Austria></div>"
        "<p><input placeholder='Street' value='Elm 5'></p><select><option>first<option>second</select></form>"
    )
    assert kinds(form) == [
        *(("field", text) for text in ("Name: Okafor", "Zone: B2", "please call", "[x] News [ ] Post")),
        *(("field", text) for text in ("Town: Ulm", "Country: Austria", "Street: Elm 5", "first")),
    ]
    cells = "<table><tr><th>Name<td><input value=Ann><tr><th>Town<td><input value=Ulm></table>"
    assert table(cells).rows == (("Name", "Ann"), ("Town", "Ulm"))


def test_notes_and_their_numbers() -> None:
    page = (
        '<p>Fact<sup><a href="#fn1" role="doc-noteref">1</a></sup> and more.<a href="#n2" role="doc-noteref">2</a></p>'
        '<aside role="doc-footnote" id="n2">2. Aside.</aside>'
        '<section class="footnotes"><ol><li id="fn1"><p>Proof. <a class="footnote-back">↩</a></p></ol></section>'
    )
    assert kinds(page) == [("paragraph", "Fact[1] and more.[2]"), ("note", "2. Aside."), ("note", "[1] Proof.")]


def test_code_is_exact_and_keeps_its_language() -> None:
    assert kinds("<pre>a  b\n\n  c</pre>") == [("code", "a  b\n\n  c")]
    fenced = ("code", "```python\nif x:\n    y()\n```")
    code = "if x:\n    y()\n"
    for page in (
        f'<pre><code class="language-python">{code}</code></pre>',
        f'<div class="highlight-python notranslate"><div class="highlight"><pre>{code}</pre></div></div>',
        f'<pre class="sourceCode python"><code class="sourceCode python">{code}</code></pre>',
    ):
        assert kinds(page + "<pre>z</pre>") == [fenced, ("code", "z")]


# --- text between tags -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("x<sup>2</sup> + y<sup>n</sup>", "x^2 + y^n"),
        ("H<sub>2</sub>O and x<sub>i</sub>", "H2O and x_i"),
        ("the 1<sup>st</sup> of May, Acme<sup>®</sup>", "the 1st of May, Acme®"),
        ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp>字<rt>じ</rt></ruby>です", "漢字(かんじ)です"),
        ("old <del>30</del> <ins>60</ins> days, <s>$20</s> $15", "old 60 days, ~~$20~~ $15"),
        ("Donau<wbr>dampf&shy;schiff", "Donaudampfschiff"),
        ("He said <q>no</q>.", "He said “no”."),
        ("one\n  two<br>three", "one two\nthree"),
        ("日本語の\n文章", "日本語の文章"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mi>n</mi></mfrac></math>", "x^2 = 1/n"),
        ('<math alttext="E=mc^2"><mi>E</mi></math>', "E=mc^2"),
        ("<abbr title='World Wide Web'>WWW</abbr>", "WWW"),
        ('<a href="mailto:ann@example.org">Write</a>', "Write (ann@example.org)"),
        ("Press <button>Save</button> now", "Press Save now"),
    ],
)
def test_text_reads_as_it_is_seen(markup: str, text: str) -> None:
    assert texts(f"<p>{markup}</p>") == [text]


def test_pictures_say_what_they_show() -> None:
    assert kinds('<p><img alt="Valve opens at 3 bar"></p><p>See <img alt="warning"> here</p>') == [
        ("caption", "Valve opens at 3 bar"),
        ("paragraph", "See warning here"),
    ]
    assert kinds('<figure><img alt="A cat"><figcaption>A cat</figcaption></figure>') == [("caption", "A cat")]
    assert kinds("<svg><text>Pump</text><g><text>Valve</text></g></svg>") == [("chart", "Pump\nValve")]


def test_headings_have_levels_and_no_anchors() -> None:
    found = blocks('<h1>Top <a class="headerlink">¶</a></h1><div role=heading aria-level=4>Low</div><h3>In C#</h3>')
    assert [(block.kind, block.level, block.text) for block in found] == [
        ("heading", 1, "Top"),
        ("heading", 4, "Low"),
        ("heading", 3, "In C#"),
    ]


@pytest.mark.parametrize("tag", ["div", "table><tr><td", "ul><li", "dl><dt", "sup", "details><summary", "b", "pre"])
def test_deep_nesting_ends(tag: str) -> None:
    content = read_html((f"<{tag}>" * 3000 + "words").encode(), ParseLimits())
    assert "words" in " ".join(block.text for block in content.blocks)


def test_what_only_eyes_see_is_read_once() -> None:
    assert texts('<p>Price <span aria-hidden="true">19 €</span></p>') == ["Price 19 €"]
    said = '<p><span class="sr-only">19 €</span><span aria-hidden="true">19 <sup>€</sup></span></p>'
    assert texts(said) == ["19 €"]
    assert texts(
        '<p>a <span aria-hidden="true">→</span> b <span class="icon-x" aria-hidden="true">home</span></p>'
    ) == ["a b"]


def test_roles_are_what_they_say() -> None:
    cells = (
        '<div role="row"><span role="columnheader">Port</span><span role="columnheader">Depth</span></div>',
        '<div role="row"><span role="cell">Velm</span><span role="cell">9 m</span></div>',
    )
    found = table(f'<div role="table">{"".join(cells)}</div>')
    assert (found.rows, found.header_rows) == ((("Port", "Depth"), ("Velm", "9 m")), 1)
    assert kinds('<div role="list"><div role="listitem">One</div></div>') == [("list item", "- One")]


def test_fields_show_what_a_reader_sees() -> None:
    form = (
        "<label><input type=checkbox checked> News</label><label>Range <input type=range value=5></label>",
        "<p>Done: <progress value=.4></progress></p><p>Disk <meter value=3 max=12></meter> full</p>",
        "<label>Sum <output>42</output></label><input type=radio aria-label=Gift>",
        "<table><tr><td>Name:<td><input value=Ada><tr><td>Ready<td><input type=checkbox checked></table>",
    )
    assert texts("".join(form)) == [
        "[x] News",
        "Range: 5",
        "Done: 40%",
        "Disk 3 of 12 full",
        "Sum 42 [ ] Gift",
        "Name: | Ada\nReady | [x]",
    ]


def test_pictures_that_load_late_and_frames_inside_are_read() -> None:
    lazy = "<figure><img data-src=a alt=''><noscript><img alt='The tower'></noscript><figcaption>Fig. 1</figcaption>"
    assert texts(f"{lazy}</figure>") == ["The tower", "Fig. 1"]
    assert texts("<img alt='The tower'><noscript><img alt='The tower'></noscript>") == ["The tower"]
    assert texts("<iframe srcdoc='&lt;h1&gt;Inner&lt;/h1&gt;&lt;p&gt;page'></iframe><p>outer") == [
        "Inner",
        "page",
        "outer",
    ]
    framed = "<frameset><frame src=menu.html><frame src=text.html><noframes><p>It has frames.</p></noframes></frameset>"
    content = read_html(framed.encode(), ParseLimits())
    assert [block.text for block in content.blocks] == ["It has frames."]
    assert "menu.html, text.html" in content.warnings[0]


def test_formulas_of_scripts_and_on_their_own_lines_are_read() -> None:
    assert texts("<p>If <script type='math/tex'>a^2</script> grows</p>") == ["If a^2 grows"]
    assert texts("<p>So<script type='math/tex; mode=display'>x < 1</script>holds.</p>") == ["So", "x < 1", "holds."]
    assert texts("<p>So<math display=block><mi>x</mi></math>holds.</p>") == ["So", "x", "holds."]


def test_numbers_of_lines_beside_code_are_no_text() -> None:
    listing = "<table><tr><td class=x><pre>1\n2\n3</pre></td><td><pre>a = 1\nb = 2\nc = 3</pre></td></tr></table>"
    assert texts(listing) == ["a = 1\nb = 2\nc = 3"]
    assert "7 | 8" in texts("<table><tr><th>a<th>b<tr><td><pre>7</pre><td><pre>8</pre></table>")[0]


def test_numbers_of_notes_that_lead_back_stay() -> None:
    older = (
        '<dl class="footnote brackets"><dt class="label"><a class="fn-backref" href="#a">1</a></dt><dd>See there.</dd>'
    )
    newer = '<aside class="footnote brackets" role="doc-footnote"><span class="label"><span>[</span>'
    newer += '<a role="doc-backlink" href="#a">2</a><span>]</span></span><p>See here.</p></aside>'
    assert [block.kind for block in blocks(f"{older}</dl>{newer}")] == ["note", "note"]
    assert texts(f"{older}</dl>") == ["[1] See there."]
    assert texts(newer) == ["[2] See here."]
    back = '<p>A note. <a role="doc-backlink" href="#a">↩</a> <span class="backrefs">(<a href="#a">1</a>)</span></p>'
    assert texts(back) == ["A note."]
