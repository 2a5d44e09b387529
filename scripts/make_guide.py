"""Makes the bundled guide, `localspec/guide/How LocalSpec works.pdf`, from `docs/guide.md`, with Chromium.

usage: python scripts/make_guide.py [--chromium FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs" / "guide.md"
STYLE = """
body { font: 11.5pt/1.55 "Source Sans Pro", "Noto Sans", sans-serif; color: #1e293b; }
h1 { font-size: 22pt; color: #0f766e; margin: 0 0 10pt; }
h2 { font-size: 14pt; margin: 16pt 0 4pt; break-after: avoid; }
p, ul { margin: 0 0 7pt; } li { margin-bottom: 3pt; }
"""


def main() -> None:
    """Print the page into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    body = MarkdownIt().render(SOURCE.read_text(encoding="utf-8"))
    page_text = f"<html lang=en><head><title>How LocalSpec works</title><style>{STYLE}</style></head>{body}</html>"
    target = ROOT / "localspec" / "guide" / "How LocalSpec works.pdf"
    target.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content(page_text)
        margins = {"top": "20mm", "bottom": "20mm", "left": "22mm", "right": "22mm"}
        page.pdf(path=target, format="A4", margin=margins, tagged=True, outline=True)  # type: ignore[arg-type]
        browser.close()


if __name__ == "__main__":
    main()
