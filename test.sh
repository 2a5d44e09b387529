#!/usr/bin/env bash
# Sets LocalSpec up with the tools for its tests, then runs every check. Arguments go to pytest: ./test.sh tests/stores -x
# ./test.sh --quick leaves out the tests of a real model, the running application, a browser, an installation or a compiler.
set -euo pipefail

# shellcheck source=scripts/setup.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/scripts/setup.sh"

quick=""
if [ "${1:-}" = --quick ]; then
    quick=yes
    shift
fi
if [ -n "$quick" ]; then set -- -m "not slow" "$@"; fi

set_up dev
cd -- "$root"

if [ -z "$quick" ] && ! command -v chromium >/dev/null 2>&1 && [ ! -x /usr/bin/chromium ]; then
    say "No chromium was found: the browser tests need it and will fail."
    say "  $(how_to_get chromium chromium "brew install --cask chromium")"
fi

if ! command -v tesseract >/dev/null 2>&1; then
    say "No tesseract was found: the tests that recognize text in scanned pages are skipped."
    say "  $(how_to_get tesseract-ocr tesseract "brew install tesseract")"
fi

# As modules, because the commands in .venv/bin stop working when the folder is moved.
say "ruff check"
"$python" -m ruff check .
say "mypy"
"$python" -m mypy
say "pytest"
exec "$python" -m pytest "$@"
