#!/usr/bin/env bash
# gradio: a script that is given for the head of the page (launch(head=...)) is not in the head that is served: the page
# adds it when its own modules have run. A script that must come first, such as one that sets a theme before anything is
# painted or wraps a function of the browser, comes too late.
#
# Usage: findings/gradio_head_scripts_run_after_its_own.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs gradio and playwright into a temporary folder; uses a Chromium of the system. Serves on 127.0.0.1 only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chromium=$(command -v chromium || command -v google-chrome) || exit 2
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet gradio==6.31.0 playwright==1.65.2 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: script in the served page True"
cd "$folder"
CHROMIUM="$chromium" "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import gradio as gr
from playwright.sync_api import sync_playwright

MARK = "window.early = true"
with gr.Blocks() as page:
    gr.Markdown("A page.")
page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", head=f"<script>{MARK}</script>")
import re
import urllib.request

served = urllib.request.urlopen(page.local_url).read().decode()
scripts = re.findall(r"<script[^>]*>(.*?)</script>", served, re.DOTALL)
in_page = any(script.strip() == MARK for script in scripts)
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    tab = browser.new_page()
    tab.goto(page.local_url)
    tab.get_by_text("A page.").wait_for()
    runs = bool(tab.evaluate("window.early"))
    browser.close()
print(f"real: gradio {gr.__version__}: script in the served page {in_page}, run later {runs}")
as_found = not in_page and runs
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
