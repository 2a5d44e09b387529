"""An answer while it is written: what Gradio is handed of it, and what the page draws itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.application.chats import Exchange, View
from localspec.ui import answer_markup
from localspec.ui.growing_answer import growth, place, settle

TEXT = """# Lamps

The lamp turns *once* in ten seconds, $r^2$ says.

1. Light the lamp.

2. Wind the clockwork:

   ```sh
   wind --slowly <lamp>
   ```

| Lamp | Range |
|------|-------|
| Velm | 20 km |

- oil
- wick

```python
print("<b>lamp</b>")
```

$$x = \\frac{1}{2}$$

The end."""
PIECES = st.lists(
    st.sampled_from(
        ["# ", "- ", "1. ", "2", ". ", "> ", "```", "\n", "\n\n", "    ", "lamp", "|", "---", "$", "*", "<b>", "\\"]
    ),
    max_size=24,
)


def written(text: str, **more: object) -> Exchange:
    return Exchange("Q", view=View("writing", text=text, **more))  # type: ignore[arg-type]


class Page:
    """Draws as `growing.js` does."""

    def __init__(self, settled: int = 0) -> None:
        self.settled = settled
        self.blocks: list[str] = []

    def look(self, exchange: Exchange) -> None:
        grown = growth(exchange, self.settled + len(self.blocks), self.settled)
        assert grown is not None
        assert self.settled <= grown.at <= self.settled + len(self.blocks)
        self.blocks[grown.at - self.settled :] = grown.blocks


def test_what_was_drawn_piece_by_piece_is_what_is_drawn_at_once() -> None:
    page, exchange = Page(), written("")
    for end in range(len(TEXT) + 1):
        exchange.view = View("writing", text=TEXT[:end])
        page.look(exchange)
        assert page.blocks == answer_markup.blocks(TEXT[:end], unfinished=True)


@given(PIECES, st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_so_it_is_with_any_text_and_any_looks(pieces: list[str], strides: list[int]) -> None:
    page, exchange, at = Page(), written(""), 0
    while at < len(pieces):
        at += strides[at % len(strides)]
        text = "".join(pieces[:at])
        exchange.view = View("writing", text=text)
        page.look(exchange)
        assert page.blocks == answer_markup.blocks(text, unfinished=True)


def test_only_what_is_new_is_sent() -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(50))
    grown = growth(written(text), 49, 0)
    assert grown is not None
    assert grown.at == 49 - answer_markup.UNSETTLED
    assert len(grown.blocks) == 3


def test_gradio_is_handed_a_place_that_does_not_change() -> None:
    exchange = written("The")
    before = place(exchange)
    assert exchange.token in before
    exchange.view = View("writing", text=TEXT)
    assert place(exchange) == before
    assert "Lamps" not in before


def test_what_is_complete_may_be_settled() -> None:
    exchange = written(TEXT)
    grown = growth(exchange, 0, 0)
    assert grown is not None
    assert grown.worth, "Gradio draws formulas and colours code"
    settle(exchange)
    whole = answer_markup.blocks(TEXT)
    drawn, _, rest = place(exchange).rpartition("\n\n")
    assert drawn == "\n\n".join(whole[: -answer_markup.UNSETTLED])
    settled = len(whole) - answer_markup.UNSETTLED
    assert f"from-{settled}" in rest
    page = Page(settled)
    page.look(exchange)
    assert page.blocks == answer_markup.blocks(TEXT, unfinished=True)[settled:]
    later = growth(exchange, len(whole), settled)
    assert later is not None
    assert not later.worth


def test_what_is_not_written_any_more_does_not_grow() -> None:
    assert growth(Exchange("Q"), 0, 0) is None
    assert growth(Exchange("Q", view=View("done", text="The lamp.")), 0, 0) is None


def test_what_is_done_meanwhile_stands_below() -> None:
    grown = growth(written("", activity="Reading", fraction=0.5), 0, 0)
    assert grown is not None
    assert 'data-percent="50"' in grown.below
    grown = growth(written("The", stopping=True, activity=texts.STOPPING), 0, 0)
    assert grown is not None
    assert texts.STOPPING in grown.below


def test_nothing_in_it_can_do_anything() -> None:
    hostile = "<img src=x onerror=alert(1)>\n\n```html\n<script>x</script>\n```\n\n[a](javascript:alert(1)) $<b>$"
    grown = growth(written(hostile, thinking="</details><script>x</script>"), 0, 0)
    assert grown is not None
    markup = "".join(grown.blocks)
    for sign in ("<img", "<script", "<b>", 'href="javascript'):
        assert sign not in markup
