"""What is measured besides the chat, as markup: figures as they were measured, and nothing in it can act."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from localspec import texts
from localspec.application.chats import Measured, Row
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.paired import PairedSpeed
from localspec.speculation.totals import Totals
from localspec.ui import comparison_markup, panel
from tests.ui.test_panel import HOSTILE, Tags, figure, metrics_of, step


def run(tokens: int, seconds: float, drafted: int = 0, accepted: int = 0, plain: float = 0.0) -> ReplyMetrics:
    return ReplyMetrics(
        plain_seconds=plain, tokens=tokens, steps=tokens - accepted, drafted=drafted, accepted=accepted,
        decode_seconds=seconds,
    )  # fmt: skip


def beside(factor: float, spread: float = 0.03, rounds: int = 8) -> PairedSpeed:
    """Beside plain decoding at 25 tokens a second."""
    return PairedSpeed(factor, factor * (1 - spread), factor * (1 + spread), rounds, 0.04)


PLAIN = Row("plain", "done", metrics=run(100, 4.0), speed=beside(1.0, 0.0))
COMPARED = Measured(
    "compare", "How is the lamp cleaned?", "done",
    rows=(
        PLAIN,
        Row("rest", "done", metrics=run(100, 2.0, 80, 40), speed=beside(2.0), same=True),
        Row("dresd", "done", metrics=run(100, 5.0, 80, 4), speed=beside(0.8), same=False),
        Row("rasd", "left out", why="No draft model is loaded: it is gone."),
    ),
    longest=128,
)  # fmt: skip
BESIDE = Measured(
    "plain", "How is the lamp cleaned?", "done",
    rows=(
        Row("auto", "given", metrics=run(100, 2.0, 80, 40, plain=0.04), speed=beside(2.0)),
        replace(PLAIN, same=True),
    ),
)  # fmt: skip


def row_of(page: str, method: str) -> str:
    return page.partition(f'<li data-method="{method}"')[2].partition("</li>")[0]


def test_bars_show_speed_speedup_acceptance_and_whether_the_text_is_the_same() -> None:
    page = comparison_markup.shown(COMPARED)
    rest, dresd = row_of(page, "rest"), row_of(page, "dresd")
    assert (figure(rest, "tokens-per-second"), figure(rest, "speedup")) == ("50.0", "2.00×")
    assert figure(rest, "acceptance") == "50%"
    assert "width:100.0%" in rest, "the fastest one fills its bar"
    assert "left:50.0%" in rest, "the mark of plain decoding"
    assert texts.SAME_AS_PLAIN in rest
    assert (figure(dresd, "speedup"), figure(dresd, "acceptance")) == ("0.80×", "5%")
    assert 'class="factor slower"' in dresd
    assert texts.OTHER_THAN_PLAIN in dresd
    assert "No draft model is loaded" in html.unescape(row_of(page, "rasd"))
    assert figure(rest, "spread") == "(1.94–2.06×)"
    assert figure(row_of(page, "plain"), "speedup") == "1.0×"
    assert 'data-act="unmeasure"' in page
    assert not Tags(page).open


def test_what_runs_can_be_stopped_and_shows_what_is_there() -> None:
    begun = Measured("compare", "Q", activity=texts.MEASURE_WAITING)
    page = comparison_markup.shown(begun)
    assert 'data-act="halt"' in page
    assert 'data-act="unmeasure"' not in page
    assert 'role="status"' in page
    running = replace(COMPARED, state="running", rows=(
        Row("plain", "writing", metrics=run(10, 0.4)), Row("rest"), Row("auto", "reading", 0.4),
    ))  # fmt: skip
    page = comparison_markup.shown(running)
    assert figure(row_of(page, "plain"), "tokens-per-second") == "25.0"
    assert "speedup" not in page, "there is nothing to compare with until plain decoding is through"
    assert texts.MEASURE_NEXT in row_of(page, "rest")
    assert "40%" in row_of(page, "auto")
    stopped = replace(running, state="stopped", rows=(Row("plain", "stopped", metrics=run(10, 0.4)),))
    page = comparison_markup.shown(stopped)
    assert texts.MEASURE_STOPPED in page
    assert texts.MEASURE_BROKEN_OFF in page
    assert "speedup" not in page, "half a run is no baseline"


@pytest.mark.parametrize(
    ("same", "notes", "said"),
    [(True, (), texts.PLAIN_SAME), (False, (), texts.PLAIN_OTHER), (False, ("Unsure.",), texts.PLAIN_OTHER_UNSURE)],
)
def test_an_answer_stands_beside_plain_decoding(same: bool, notes: tuple[str, ...], said: str) -> None:
    given, plain = BESIDE.rows
    page = comparison_markup.shown(replace(BESIDE, rows=(given, replace(plain, same=same)), notes=notes))
    shown = html.unescape(page)
    assert said in shown
    assert f'data-same="{"yes" if same else "no"}"' in page
    assert texts.PLAIN_FACTOR.format(method="Auto", factor="2.00×", spread="(1.94–2.06×)") in shown
    assert texts.MEASURED_ANSWER.format(method="Auto") in shown
    assert figure(row_of(page, "auto"), "speedup") == "2.00×"
    assert f'data-figure="tokens-per-second">{50.0}<' in row_of(page, "auto"), "both speeds are of the same turns"


def beside_page(speed: PairedSpeed | None, drafted: int = 80, **changes: object) -> str:
    given, plain = BESIDE.rows
    given = replace(given, metrics=run(100, 2.0, drafted, drafted // 2), speed=speed)
    return html.unescape(comparison_markup.shown(replace(BESIDE, rows=(given, plain), **changes)))  # type: ignore[arg-type]


def test_what_cannot_be_told_is_no_figure() -> None:
    few = beside_page(beside(2.0, rounds=2))
    assert texts.PAIRED_TOO_FEW.format(method="Auto") in few
    assert figure(row_of(few, "auto"), "speedup") == texts.PAIRED_FEW_SHORT
    disturbed = beside_page(beside(2.0, spread=0.3))
    assert texts.PAIRED_DISTURBED in disturbed
    assert figure(row_of(disturbed, "auto"), "speedup") == texts.PAIRED_DISTURBED_SHORT
    assert "2.00×" not in few + disturbed
    assert texts.PAIRED_TOO_FEW.format(method="Auto") in beside_page(None)


def test_a_method_with_nothing_to_draft_from_is_plain_decoding() -> None:
    nothing = beside_page(beside(0.995, 0.0), drafted=0)
    assert texts.PAIRED_NOTHING.format(method="Auto", factor="1.0×") in nothing
    assert figure(row_of(nothing, "auto"), "speedup") == "1.0×"
    looked = beside_page(beside(0.74, 0.0), drafted=0)
    assert texts.PAIRED_NOTHING.format(method="Auto", factor="0.74×") in looked
    alone = comparison_markup.shown(replace(BESIDE, rows=(replace(PLAIN, same=True),)))
    assert texts.PLAIN_ITSELF in html.unescape(alone)
    assert texts.PLAIN_SAME in html.unescape(alone)


def test_a_long_answer_says_how_much_of_it_was_measured() -> None:
    assert texts.PLAIN_SAME_PART.format(tokens="100") in beside_page(beside(2.0), is_part=True)
    assert texts.PLAIN_SAME_PART.format(tokens="100") not in beside_page(beside(2.0))


def test_hostile_questions_notes_and_errors_are_only_text() -> None:
    rows = (Row("rasd", "left out", why=HOSTILE),)
    page = comparison_markup.shown(Measured("compare", HOSTILE, "failed", rows=rows, notes=(HOSTILE,), problem=HOSTILE))
    tags = Tags(page)
    assert set(tags.tags) <= {"section", "div", "h4", "p", "button", "ul", "li", "b", "br"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert tags.text.count("onerror=alert(1)") == 4
    assert "\n" not in page


# ---- the panel's part of it ----


def test_the_whole_chat_stands_in_the_panel() -> None:
    metrics = metrics_of(step(3, 4))
    whole = Totals(3, 1200, 20.0, 400, 100, 20.0, 30.0)
    page = panel.panel(metrics, "rest", has_documents=True, state="done", chat=whole)
    for name, value in (("replies", "3"), ("tokens", "1,200"), ("tokens-per-second", "60.0"), ("speedup", "1.50×"),
                        ("acceptance", "25%"), ("saved", "10.0 s")):  # fmt: skip
        assert f'data-chat="{name}">{value}<' in page
    assert texts.CHAT_SAVED.split(" {")[0] in page
    slow = panel.panel(metrics, "rest", has_documents=True, state="done", chat=replace(whole, plain_seconds=10.0))
    assert '<b class="slower" data-chat="speedup">0.50×' in slow
    assert "10.0 s</span> lost" in slow
    assert 'data-chat="tokens">1,200<' in panel.empty(whole), "the last answer's figures may be missing alone"
    assert "data-chat" not in panel.panel(metrics, "rest", has_documents=True, state="done")
    assert not Tags(page).open


def test_speed_is_drawn_over_the_whole_reply() -> None:
    metrics = metrics_of(*[step(0, 0, 0.019)] * 20, *[step(3, 4, 0.019)] * 20)
    found = panel.rates(metrics)
    assert sum(time for time, _ in found) == pytest.approx(metrics.seconds)
    assert sum(time * rate for time, rate in found) == pytest.approx(metrics.tokens)
    assert found[-1][1] == pytest.approx(4 * found[0][1], rel=0.1)
    drawn = panel.rate_plot(metrics)
    assert drawn.count("<line") == 1, "plain decoding"
    assert f"{found[0][1]:.1f}–{found[-1][1]:.1f}" in drawn
    assert not Tags(drawn).open
    read = ReplyMetrics.of_record(metrics.record())
    assert panel.rate_plot(read).count("<polyline") == 1, "also of a chat that was kept"


def test_speed_that_is_not_known_is_not_drawn() -> None:
    assert panel.rate_plot(metrics_of(*[step(0, 0)] * 7)) == ""
    record = metrics_of(*[step(0, 0)] * 20).record()
    del record["step_times"]
    old = ReplyMetrics.of_record(record)
    assert panel.rate_plot(old) == ""
    old.merge(metrics_of(*[step(0, 0)] * 20))  # gone on with now
    assert panel.rate_plot(old) == "", "the steps cannot be told apart"
