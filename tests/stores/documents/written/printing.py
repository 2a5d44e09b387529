"""Chromium's print to PDF, as people save pages."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.stores.documents.written import content


def printed(path: Path, page: str) -> Path:
    """A page as PDF, with what stands above and below each sheet. CHROMIUM names another browser than the usual."""
    # In a thread of its own: Playwright has one loop a thread, and that of the browser tests may be there already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_print, path, page).result()


def _print(path: Path, page: str) -> Path:
    usual = Path("/usr/bin/chromium")
    given = os.environ.get("CHROMIUM") or (str(usual) if usual.exists() else shutil.which("chromium"))
    small = "font-size: 8px; margin: 0 1cm"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given, args=["--no-sandbox"])
        try:
            tab = browser.new_page()
            tab.set_content(page)
            tab.pdf(
                path=str(path),
                format="A4",
                display_header_footer=True,
                header_template=f'<div style="{small}">{content.HEADER}</div>',
                footer_template=f'<div style="{small}">{content.FOOTER}</div>',
                margin={"top": "2cm", "bottom": "2cm", "left": "2cm", "right": "2cm"},
            )
        finally:
            browser.close()
    return path
