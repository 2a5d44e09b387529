"""What styles hide is left out as a reader sees it; what can be opened stays."""

from __future__ import annotations

import time

import pytest

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.web.html import read_html
from localspec.stores.documents.readers.web.html_styles import applies

BODY = "<p>The page says so much that what is hidden is the lesser part of it.</p>"


def read(styles: str, body: str) -> list[tuple[str, str]]:
    """(section, text) of each block."""
    page = f"<html><head><style>{styles}</style></head><body>{BODY}{body}</body></html>"
    return [(block.section, block.text) for block in read_html(page.encode(), ParseLimits()).blocks][1:]


@pytest.mark.parametrize(
    ("styles", "body"),
    [
        (".gone { display: none }", '<p class="gone">secret</p>'),
        ("#gone{visibility:hidden}", '<div id="gone">secret</div>'),
        ("aside{display:none!important}", '<aside style="color:red">secret</aside>'),
        ("a, .gone , b { color: red; display : NONE ; }", '<span class="gone">secret</span>'),
        ("div > p.gone ~ p{display:none}", '<div><p class="gone">kept</p><p>secret</p></div>'),
        ("@media screen { .gone { display: none } }", '<p class="gone">secret</p>'),
        ("@media (min-width: 600px) and (max-width: 90em){.gone{display:none}}", '<p class="gone">secret</p>'),
        ("@supports (display: grid) {@media all{.gone{display:none}}}", '<p class="gone">secret</p>'),
        ('/* } */ .x::before{content:"}{"} .gone{display:none}', '<p class="gone">secret</p>'),
        ("p{display:block} .gone{display:none} p{display:block}", '<p class="gone">secret</p>'),
        ("td:nth-child(2){display:none}", "<table><tr><th>a</th></tr><tr><td>kept</td><td>secret</td></tr></table>"),
        (".no-js .x{display:none} .js .x{display:none} .gone{display:none}", '<p class="x">kept<p class="gone">secret'),
    ],
)
def test_what_styles_hide_is_left_out(styles: str, body: str) -> None:
    said = " ".join(text for _, text in read(styles, body))
    assert "secret" not in said
    assert ("kept" in said) == ("kept" in body)


@pytest.mark.parametrize(
    ("styles", "body"),
    [
        (".gone{display:none}", '<p class="gone" style="display: block">shown</p>'),
        (".gone{display:none} p.gone{display:block}", '<p class="gone">shown</p>'),
        (".gone{display:none!important} .gone{display:block!important}", '<p class="gone">shown</p>'),
        ("@media print{.gone{display:none}}", '<p class="gone">shown</p>'),
        ("@media (max-width:600px){.gone{display:none}}", '<p class="gone">shown</p>'),
        ("@media not screen{.gone{display:none}}", '<p class="gone">shown</p>'),
        (".gone::after{display:none} .gone:hover{visibility:hidden}", '<p class="gone">shown</p>'),
        (".menu{display:none} li:hover .menu{display:block}", '<ul><li>Menu<div class="menu">shown</div></ul>'),
        ("#a~.text{display:none} #a:checked~.text{display:block}", '<input id=a type=radio><p class="text">shown</p>'),
        (".pane{display:none} .pane.is-open{display:block}", '<div class="pane">shown</div>'),
        (".gone{}} .gone{display:non", '<p class="gone">shown</p>'),
        ("body{visibility:hidden}", "<p>shown</p>"),
        ("div{display:none}", f"<div>{100 * 'shown '}</div>"),
        ('.clip{position:absolute;clip:rect(0 0 0 0)}', '<span class="clip">shown</span>'),
    ],
)  # fmt: skip
def test_what_is_shown_or_can_be_opened_stays(styles: str, body: str) -> None:
    assert "shown" in " ".join(text for _, text in read(styles, body))


def test_panels_that_styles_hide_are_sections() -> None:
    styles = ".part{display:none} .first{display:block} .folded{display:none}"
    tabs = "<div><button>Inputs</button><button>Outputs</button></div>"
    parts = '<div><div class="part first">Two inputs.</div><div class="part">One output.</div></div>'
    folded = '<button type="button">How long?</button><div class="folded">Ten days.</div>'
    found = read(styles, f'<div class="tabs">{tabs}{parts}</div>{folded}')
    assert ("How long?", "Ten days.") in found
    assert found[:4] == [
        ("Inputs", "Inputs"),
        ("Inputs", "Two inputs."),
        ("Outputs", "Outputs"),
        ("Outputs", "One output."),
    ]


def test_panels_behind_radio_buttons_are_named_by_their_labels() -> None:
    styles = ".panel{display:none} #a:checked~.panels .p1, #b:checked~.panels .p2{display:block}"
    tabs = (
        "<input type=radio id=a checked><label for=a>Linux</label><input type=radio id=b><label for=b>Windows</label>"
    )
    found = read(styles, f'{tabs}<div class="panels"><div class="panel p1">apt</div><div class="panel p2">winget</div>')
    assert found[-3:] == [("Linux", "apt"), ("Windows", "Windows"), ("Windows", "winget")]


def test_what_a_script_of_the_page_shows_stays() -> None:
    said = '<p>Start<span id="more"> rest of it</span><span class="never">secret</span></p>'
    script = '<script>document.getElementById("more").style.display = "inline"</script>'
    assert read("#more, .never {display:none}", said + script)[-1] == ("", "Start rest of it")
    assert read("#more, .never {display:none}", said)[-1] == ("", "Start")


def test_what_only_another_width_shows_is_left_out() -> None:
    styles = ".d-none{display:none!important} @media(min-width:768px){.md-block{display:block!important}"
    styles += ".md-none{display:none!important}}"
    body = '<div class="d-none md-block">kept</div><div class="md-none">secret</div><p>kept</p>'
    body += '<p class="d-none md-block">kept</p><p class="d-none">secret</p>'
    assert [text for _, text in read(styles, body)] == ["kept"] * 3


@pytest.mark.parametrize(
    ("media", "holds"),
    [
        ("", True), ("all", True), ("screen", True), ("print", False), ("print, screen", True), ("not print", True),
        ("screen and (min-width: 40em)", True), ("(min-width: 2000px)", False), ("(max-width:30rem)", False),
        ("(prefers-color-scheme: dark)", False), ("(orientation: landscape)", True),
    ],
)  # fmt: skip
def test_media_queries_hold_on_a_usual_screen(media: str, holds: bool) -> None:
    assert applies(media) is holds


def test_hostile_styles_cost_little() -> None:
    begun = time.process_time()
    nested = "@media all{" * 900 + ".a{display:none}" + "}" * 900
    many = "".join(f".a{number} .b{number}:not(.c){{display:none}}" for number in range(4_000))
    for styles in (nested, many, "*{display:none} " * 3000, "a{" * 9_000 + "display:none"):
        body = '<p class="a">text</p>' * 300
        assert read(styles, body) is not None
    assert time.process_time() - begun < 20
