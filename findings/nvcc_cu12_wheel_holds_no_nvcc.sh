#!/usr/bin/env bash
# nvidia-cuda-nvcc-cu12, "CUDA nvcc" by its own description, holds no nvcc: ptxas, libnvvm and headers only. Nothing that
# compiles a .cu file comes with CUDA 12's wheels; nvidia-cuda-nvcc of CUDA 13 has bin/nvcc.
#
# Usage: findings/nvcc_cu12_wheel_holds_no_nvcc.sh     exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Downloads two wheels (about 80 MB) for Linux on x86-64 into a temporary folder; nothing is installed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
for wheel in nvidia-cuda-nvcc-cu12==12.9.86 nvidia-cuda-nvcc==13.0.88; do
    "$folder/venv/bin/pip" download --quiet --no-deps --only-binary :all: --dest "$folder" \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
        --platform manylinux1_x86_64 --platform manylinux_2_17_x86_64 "$wheel" 2>"$folder/errors" ||
        { cat "$folder/errors" >&2; exit 2; }
done

echo "expected: both wheels hold a program named nvcc"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib
import sys
import zipfile

PROGRAMS = {"nvcc", "cudafe++", "fatbinary", "cicc", "ptxas", "nvlink"}
found = {}
for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        names = {pathlib.PurePosixPath(name).name for name in archive.namelist() if "/bin/" in name}
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        summary = next(
            line for line in archive.read(about).decode().splitlines() if line.startswith("Summary:")
        )
    kind = "-".join(wheel.name.split("-")[:2])
    found[kind] = names & PROGRAMS
    print(f"real: {kind} ({summary}): programs {sorted(found[kind])}")
twelve, thirteen = (next(found[kind] for kind in found if kind.startswith(start)) for start in (
    "nvidia_cuda_nvcc_cu12-12", "nvidia_cuda_nvcc-13"))
as_found = "nvcc" not in twelve and "nvcc" in thirteen
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
