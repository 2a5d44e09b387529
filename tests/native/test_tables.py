"""Each instruction set's kernels compiled by themselves: a row's bits are the same beside others and on every set.

Whatever llama.cpp is installed, and also for sets this processor lacks: AVX-VNNI with the instruction that AVX-512 has
for the same, ARM's in an emulator. What the compiler or the machine does not have is skipped.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from localspec import native

HERE = Path(__file__).parent
KERNELS = Path(native.__file__).parent

X86 = [
    ("AVX2", "isa_avx2.cpp", ["-march=haswell"]),
    ("AVX_VNNI", "isa_avx_vnni.cpp", ["-march=haswell", "-mavxvnni"]),
    (
        "AVX_VNNI_OF_AVX512",
        "isa_avx_vnni.cpp",
        [
            *("-march=haswell", "-mavx512vl", "-mavx512vnni", "-DLOCALSPEC_DPBUSD=_mm256_dpbusd_epi32"),
            "-Davx_vnni_kernels=avx_vnni_of_avx512_kernels",
        ],
    ),
]
ARM = [
    ("NEON", "isa_neon.cpp", ["-march=armv8.2-a+dotprod"]),
    ("NEON_I8MM", "isa_neon_i8mm.cpp", ["-march=armv8.2-a+dotprod+i8mm"]),
]


def found(*names: str | None) -> str:
    for name in names:
        path = name and shutil.which(name)
        if path:
            return path
    pytest.skip(f"not installed: {' or '.join(filter(None, names))}")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def results(compiler: str, sets: list[tuple[str, str, list[str]]], folder: Path, *how: str) -> dict[str, str]:
    """What tables.cpp says of each set, compiled with `compiler` and run through the command `how`."""
    options = ["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-static" if how else "-g0"]
    options += [f"-I{HERE / 'stand_in'}", f"-I{KERNELS}"]
    objects, definitions = [], []
    for name, source, flags in sets:
        known = subprocess.run([compiler, *flags, "-fsyntax-only", "-x", "c++", os.devnull], capture_output=True)
        if known.returncode:
            continue
        objects.append(folder / f"{name}.o")
        definitions.append(f"-DLOCALSPEC_{name}")
        run(compiler, *options, *flags, "-c", KERNELS / source, "-o", objects[-1])
    program = folder / "tables"
    run(compiler, *options, *definitions, HERE / "tables.cpp", *objects, "-o", program)
    return dict(line.split(": ", 1) for line in run(*how, program).splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "emulated"])
def test_every_instruction_set_gives_the_same_bits_for_any_number_of_rows(tmp_path, where):
    if where == "emulated":
        emulator = found("qemu-aarch64", "qemu-aarch64-static")
        answers = results(found("aarch64-linux-gnu-g++"), ARM, tmp_path, emulator, "-cpu", "max")
    elif platform.machine() in ("x86_64", "AMD64"):
        answers = results(found(os.environ.get("CXX"), "c++", "g++", "clang++"), X86, tmp_path)
    elif platform.machine() in ("aarch64", "arm64"):
        answers = results(found(os.environ.get("CXX"), "c++", "g++", "clang++"), ARM, tmp_path)
    else:
        pytest.skip(f"there are no kernels for {platform.machine()}")
    served = {name: answer for name, answer in answers.items() if answer != "not on this processor"}
    if not served:
        pytest.skip(f"this processor has none of {', '.join(answers)}")
    assert set(served.values()) == {"same"}, served
