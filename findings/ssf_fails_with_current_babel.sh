#!/usr/bin/env bash
# ssf (Excel's number formats) beside Babel 2.19: `pip install ssf` brings them together without a complaint, and making a
# formatter, before any number is seen, ends in KeyError: 'decimal'. It reads Babel's table of number symbols, which has
# one more level now, by numbering system.
#
# Usage: findings/ssf_fails_with_current_babel.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs ssf and Babel into a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet ssf==0.2.2 babel==2.19.0 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: a formatter"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import ssf
from babel import Locale

try:
    found = type(ssf.SSF()).__name__
except KeyError as error:
    found = f"KeyError: {error}"
print(f"real: ssf {version('ssf')} with Babel {version('babel')}: {found}; "
      f"Babel keeps number symbols by numbering system ({len(Locale('en').number_symbols)} of them)")
as_found = found == "KeyError: 'decimal'"
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
