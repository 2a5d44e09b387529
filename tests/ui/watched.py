"""A tab in which everything that could load or run something is seen, with an attacker's server beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.access import evil
from tests.access.evil import Evil
from tests.running import RunningApp
from tests.ui.test_chat_part import ChatVisit

# Everything in the page that could load or run something, and every time the browser's last line of defence was needed.
WATCH = """
window.seen = [];
addEventListener("securitypolicyviolation", (one) => seen.push(`policy: ${one.violatedDirective} ${one.blockedURI}`));
new MutationObserver((changes) => {
  for (const change of changes) {
    const nodes = change.type === "attributes" ? [change.target] : [...change.addedNodes];
    for (const node of nodes) {
      if (!node.querySelectorAll) continue;
      for (const one of [node, ...node.querySelectorAll("*")]) {
        for (const { name, value } of one.attributes) {
          const leads = /^(src|srcset|poster|data|action|formaction|background|ping|xlink:href|style)$/.test(name);
          const link = name === "href" && one.tagName !== "A";
          if ((leads || link) && /EVIL|evil\\.example/.test(value)) seen.push(one.outerHTML.slice(0, 200));
          if (/^on/.test(name) && /hit/.test(value)) seen.push(one.outerHTML.slice(0, 200));
          if (name === "href" && /^\\s*javascript:/i.test(value)) seen.push(one.outerHTML.slice(0, 200));
        }
        const own = one.tagName === "BASE" && one.getAttribute("href") === "./";
        if (/^(IFRAME|OBJECT|EMBED|BASE|FORM)$/.test(one.tagName) && !own) seen.push(one.outerHTML.slice(0, 200));
      }
    }
  }
}).observe(document, { childList: true, subtree: true, attributes: true });
"""


@pytest.fixture(scope="module")
def attacker() -> Iterator[Evil]:
    with evil.listening() as listening:
        yield listening


@pytest.fixture
def visit(browser: Browser, running: RunningApp, attacker: Evil) -> Iterator[ChatVisit]:
    """A tab of somebody who is in, with everything watched."""
    attacker.heard.clear()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH.replace("EVIL", f":{attacker.port}"))
    visited = ChatVisit(context, running)
    # What the page itself needs, before anything hostile is in it.
    visited.page.evaluate("seen.length = 0")
    yield visited
    context.close()
