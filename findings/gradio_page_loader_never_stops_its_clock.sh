#!/usr/bin/env bash
# gradio: an idle page asks for an animation frame at every frame, for ever. The component that shows "Loading..." while
# the page is made counts the seconds that it takes; when the page is there it is removed, and goes on counting. In a
# browser without a graphics card that is 5 to 7% of a core for as long as the page is open.
#
# Usage: findings/gradio_page_loader_never_stops_its_clock.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs gradio and playwright into a temporary folder; uses a Chromium of the system. Serves on 127.0.0.1 only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chromium=$(command -v chromium || command -v google-chrome) || exit 2
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet gradio==6.31.0 playwright==1.65.2 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: 0 frames a second on a page on which nothing happens"
cd "$folder"
CHROMIUM="$chromium" "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import gradio as gr
from playwright.sync_api import sync_playwright

with gr.Blocks() as page:
    gr.Markdown("Nothing happens here.")
page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
COUNT = """
window.asked = 0;
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (then) => { window.asked += 1; return frame(then); };
"""
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    tab = browser.new_page()
    tab.add_init_script(COUNT)
    tab.goto(page.local_url)
    tab.get_by_text("Nothing happens here.").wait_for()
    tab.wait_for_timeout(5000)
    before = tab.evaluate("window.asked")
    tab.wait_for_timeout(5000)
    frames = (tab.evaluate("window.asked") - before) / 5
    browser.close()
print(f"real: gradio {gr.__version__}: {frames:.0f} frames a second")
as_found = frames > 5
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
