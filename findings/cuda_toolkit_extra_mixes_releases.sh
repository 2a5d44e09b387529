#!/usr/bin/env bash
# cuda-toolkit from the package index, pinned to one release, with the extra for the compiler alone: its parts come from
# two releases. nvcc is of the pinned one, the front end (nvvm: cicc) and the headers it includes (crt) are the newest.
#
# The metapackage pins each part for the extra that names it; nvidia-cuda-nvcc itself requires nvidia-nvvm and
# nvidia-cuda-crt without a version. So cuda-toolkit[nvcc]==13.0.2 says nothing of these two.
#
# Usage: findings/cuda_toolkit_extra_mixes_releases.sh     exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Nothing is installed but pip's own environment: pip only resolves (with --dry-run), for Linux on x86-64.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet pip==26.1 || exit 2

resolved() { # the parts and versions that pip would install for cuda-toolkit with these extras
    "$folder/venv/bin/pip" install --quiet --dry-run --ignore-installed --only-binary :all: \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --target "$folder/none" \
        --report "$folder/report.json" "cuda-toolkit[$1]==13.0.2" >/dev/null 2>"$folder/errors" ||
        { cat "$folder/errors" >&2; exit 2; }
    "$folder/venv/bin/python" - "$folder/report.json" <<'PYTHON'
import json
import sys

for item in json.load(open(sys.argv[1]))["install"]:
    about = item["metadata"]
    print(about["name"], about["version"])
PYTHON
}

echo "expected: cuda-toolkit[nvcc]==13.0.2 resolves to parts of CUDA 13.0"
alone=$(resolved nvcc)
all=$(resolved nvcc,nvvm,crt)
printf 'real, [nvcc]:\n%s\nreal, [nvcc,nvvm,crt]:\n%s\n' "$alone" "$all"

mixed() { grep -E '^nvidia-(nvvm|cuda-crt) ' <<<"$1" | grep -vq ' 13\.0\.'; }
grep -q '^nvidia-cuda-nvcc 13\.0\.' <<<"$alone" || exit 1
if mixed "$alone" && ! mixed "$all"; then
    echo "as found"
else
    echo "it behaves otherwise now"
    exit 1
fi
