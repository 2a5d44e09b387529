"""The start and test scripts, run for real in copies of the folder.

What they build for graphics cards, and with which compiler: tests/test_setup_gpu.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.start_machine import PYTHON, REPOSITORY, Machine

SHELL_SCRIPTS = ("start.sh", "start.command", "test.sh", "scripts/setup.sh", "scripts/gpu.sh", ".ci/run")

# ---- the scripts as files ----


@pytest.mark.parametrize("script", SHELL_SCRIPTS)
def test_shell_scripts_parse(script: str) -> None:
    subprocess.run(["bash", "-n", str(REPOSITORY / script)], check=True)


@pytest.mark.parametrize("script", ["start.sh", "start.command", "test.sh", ".ci/run"])
def test_scripts_can_be_started(script: str) -> None:
    assert os.access(REPOSITORY / script, os.X_OK)


def test_batch_file_has_windows_lines_and_all_its_labels() -> None:
    raw = (REPOSITORY / "start.bat").read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    lines = raw.decode("ascii").splitlines()
    labels = {line[1:].strip() for line in lines if line.startswith(":")}
    jumps = {line.split("goto ", 1)[1].split()[0] for line in lines if "goto " in line and not line.startswith("rem")}
    assert jumps <= labels
    assert labels <= jumps, "a label that nothing jumps to"


# ---- which llama.cpp ----


@pytest.mark.parametrize(
    ("backend", "own", "expected"),
    [
        ("cuda", "", '-DGGML_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=native"'),
        ("cuda", "-DMORE=1", '-DGGML_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=native" -DMORE=1'),
        ("vulkan", "-DMORE=1", "-DGGML_VULKAN=on -DMORE=1"),
        ("cpu", "", ""),
        ("cpu", "-DMORE=1", "-DMORE=1"),
    ],
)
def test_cmake_arguments(machine: Machine, backend: str, own: str, expected: str) -> None:
    machine.command("nvcc", "exit 0")
    assert machine.shell(f"find_nvcc || true; cmake_args {backend}", CMAKE_ARGS=own).stdout == expected


def test_cmake_arguments_on_macos(machine: Machine) -> None:
    machine.apple_silicon()
    assert machine.shell("cmake_args metal").stdout == "-DGGML_METAL=on"
    assert machine.shell("cmake_args cpu").stdout == "-DGGML_METAL=off"


def test_the_kernels_are_built_in_and_stand_in_the_stamp(machine: Machine) -> None:
    native = machine.root / "localspec" / "native"
    native.mkdir()
    for name in ("hook.cmake", "lanes.h", "seam.cpp"):
        (native / name).write_text(name)
    hook = f'"-DCMAKE_PROJECT_ggml_INCLUDE={native / "hook.cmake"}"'
    assert machine.shell("cmake_args cpu", CMAKE_ARGS="-DMORE=1").stdout == f"{hook} -DMORE=1"
    before = machine.shell("backend=cpu; llama_stamp").stdout
    (native / "seam.cpp").write_text("another")
    assert ", kernels " in before
    assert machine.shell("backend=cpu; llama_stamp").stdout != before


def test_both_starters_build_anew_when_the_same_things_change(machine: Machine) -> None:
    """cmd.exe is not at hand: what start.bat compares is read in its lines, and its sum of the kernels is run."""
    lines = (REPOSITORY / "start.bat").read_text(encoding="ascii").splitlines()
    checks = lines[lines.index(":backend_known") : lines.index(":install")]
    for compared, stamp in (
        ("requirements.txt", "packages"), ("requirements-models.txt", "models"), ("%BACKEND%", "llama"),
        ("kernels.txt", "kernels"),
    ):  # fmt: skip
        place = next(at for at, line in enumerate(checks) if compared in line and f".localspec-{stamp}" in line)
        assert checks[place + 1] == "if errorlevel 1 goto install"
        assert any(stamp in line for line in lines if line.startswith(("copy", ">"))), "it is never written"
    code = next(line[len('set "SUM=') : -1] for line in lines if line.startswith('set "SUM='))
    assert not set(code) & set('%"!'), "characters that cmd.exe reads"

    native = machine.root / "localspec" / "native"
    native.mkdir()

    def sums() -> tuple[str, str]:
        ours = machine.shell("backend=cpu; llama_stamp").stdout
        return ours, machine.run("python3", "-c", code, str(native)).stdout

    names = {path.suffix: path.name for path in (REPOSITORY / "localspec" / "native").iterdir() if path.is_file()}
    for name in names.values():
        (native / name).write_text(name)
    before = sums()
    assert all(before)
    for suffix, name in names.items():
        (native / name).write_text("another")
        after = sums()
        changed = [one != other for one, other in zip(before, after, strict=True)]
        assert changed == [suffix != ".py"] * 2, name
        before = after


# ---- what is missing on a fresh machine ----


def assert_refused(answer: subprocess.CompletedProcess[str], *told: str) -> None:
    assert answer.returncode == 1, answer.stderr
    assert answer.stdout == ""
    for text in told:
        assert text in answer.stderr


def test_no_compiler(begun: Machine) -> None:
    begun.command("apt-get", "exit 0")
    assert_refused(begun.start(), "no C and C++ compiler was found", "sudo apt install build-essential")


def test_macos_compiler_that_only_offers_to_install_itself(begun: Machine) -> None:
    begun.apple_silicon()
    begun.compiler()
    begun.command("xcode-select", "exit 2")
    assert_refused(begun.start(), "no C and C++ compiler was found", "xcode-select --install")


def test_too_little_disk(machine: Machine) -> None:
    table = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo 'map x 9 8 2048000 80% /'"
    machine.command("df", table)
    assert_refused(machine.start(), "2000 MB free", "needs about 4 GB")
    assert not machine.venv.exists()


def test_no_python(machine: Machine) -> None:
    machine.command("python3", "exit 1")  # there, but it does not run or is too old
    machine.command("dnf", "exit 0")
    assert_refused(machine.start(), "no Python 3.10 or newer", "sudo dnf install python3")
    assert_refused(machine.start(PYTHON="/nowhere/python3"), "PYTHON=/nowhere/python3 does not run")


def test_no_venv_module(machine: Machine) -> None:
    machine.command("python3", 'case "$*" in *ensurepip*) exit 1 ;; esac; exit 0')
    machine.command("apt-get", "exit 0")
    assert_refused(machine.start(), "python3 has no venv module", "sudo apt install python3-venv")


def test_folder_that_cannot_be_written(machine: Machine) -> None:
    answer = machine.shell("root=/proc; check_writable")
    assert_refused(answer, "the folder /proc cannot be written")


def test_no_network(begun: Machine) -> None:
    begun.compiler()
    closed = "http://127.0.0.1:9/simple"
    answer = begun.start(PIP_NO_INDEX="0", PIP_INDEX_URL=closed, PIP_FIND_LINKS="", PIP_RETRIES="1")
    assert_refused(answer, "    | ", "The first start needs the internet, or a pip mirror", "setup.log")
    assert not (begun.venv / ".localspec-packages").exists()


def test_package_that_the_index_does_not_have(begun: Machine) -> None:
    begun.compiler()
    begun.index.mkdir()
    assert_refused(begun.start(), "No matching distribution", "PYTHON=python3.12 ./start.sh")


# ---- starting what is installed ----


def test_second_start_opens_the_application(machine: Machine, tmp_path: Path) -> None:
    machine.set_up_by_hand()
    began = time.perf_counter()
    answer = machine.start(cwd=tmp_path)
    print(f"a start with everything installed took {time.perf_counter() - began:.3f} s, Python included")  # noqa: T201
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == ["__main__", "[]", str(tmp_path), str(machine.venv)]
    assert answer.stderr == "llama.cpp on the cpu backend (no NVIDIA GPU answers: using the CPU).\n"


def test_arguments_go_to_the_command_line(machine: Machine, tmp_path: Path) -> None:
    machine.set_up_by_hand()
    arguments = ("ask", "what is  this? “$HOME” *", "--doc", "a file.pdf", "")
    answer = machine.start(*arguments, cwd=tmp_path)
    assert answer.stdout.splitlines() == ["__main__", str(list(arguments)), str(tmp_path), str(machine.venv)]
    assert answer.stderr == ""  # nothing beside the answer


def test_options_go_to_the_application(machine: Machine) -> None:
    machine.set_up_by_hand()
    answer = machine.start("--endpoint", "--port", "8000")
    assert answer.stdout.splitlines()[:2] == ["__main__", str(["--endpoint", "--port", "8000"])]
    assert answer.stderr.startswith("llama.cpp on the cpu backend")


def test_exit_status_is_the_applications(machine: Machine) -> None:
    machine.set_up_by_hand()
    (machine.root / "localspec" / "__main__.py").write_text("raise SystemExit(7)")
    assert machine.start("ask").returncode == 7


def test_setup_only_stops_after_installing(machine: Machine) -> None:
    machine.set_up_by_hand()
    answer = machine.start("--setup-only")
    assert answer.returncode == 0
    assert answer.stdout.startswith("LocalSpec is ready: llama.cpp on the cpu backend")
    assert "__main__" not in answer.stdout


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_needs_nothing_installed(machine: Machine, flag: str) -> None:
    answer = machine.start(flag)
    assert answer.returncode == 0
    assert "--setup-only" in answer.stdout
    assert "LOCALSPEC_BACKEND" in answer.stdout
    assert not machine.venv.exists()


def test_start_through_a_link_and_by_double_click(machine: Machine, tmp_path: Path) -> None:
    machine.set_up_by_hand()
    link = tmp_path / "localspec"
    link.symlink_to(machine.root / "start.sh")
    assert machine.run(str(link), cwd=tmp_path).stdout.splitlines()[0] == "__main__"
    double_click = machine.run(str(machine.root / "start.command"), cwd=tmp_path)
    assert double_click.stdout.splitlines()[0] == "__main__"


# ---- installing ----


def test_installs_once_then_starts_without_pip(installed: Machine) -> None:
    assert installed.built()["arguments"] == ""
    assert int(installed.built()["cores"]) >= 1
    log = (installed.venv / "setup.log").read_text()
    again = installed.start()
    assert again.stdout.splitlines()[0] == "__main__"
    assert (installed.venv / "setup.log").read_text() == log


@pytest.mark.parametrize(
    ("backend", "own", "arguments"),
    [
        ("cpu", "", ""),
        ("cpu", "-DMORE=1", "-DMORE=1"),
        ("cuda", "", '-DGGML_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=native"'),
    ],
)
def test_llama_is_built_once(begun: Machine, backend: str, own: str, arguments: str) -> None:
    begun.compiler()
    begun.packages()
    begun.command("nvcc", "exit 0")
    answer = begun.start("--setup-only", LOCALSPEC_BACKEND=backend, CMAKE_ARGS=own)
    assert answer.returncode == 0, answer.stderr
    assert begun.builds.read_text().splitlines() == [arguments]
    assert begun.built()["arguments"] == arguments
    assert list(begun.venv.glob("lib/python*/site-packages/model.py")), "the model is installed all the same"


def test_own_cmake_arguments_are_not_served_from_the_cache(installed: Machine) -> None:
    (installed.venv / ".localspec-llama").write_text("unfinished\n")
    assert installed.start("--setup-only", CMAKE_ARGS="-DMORE=1").returncode == 0
    assert installed.built()["arguments"] == "-DMORE=1"


def test_changed_requirements_are_installed(installed: Machine) -> None:
    (installed.root / "requirements.txt").write_text("llama-cpp-python==1.0\nhnswlib==2.0\nnot-there==3.0\n")
    answer = installed.start("--setup-only")
    assert_refused(answer, "Installing the Python packages", "not-there")
    (installed.root / "requirements.txt").write_text("llama-cpp-python==1.0\nhnswlib==2.0\n")
    completed = installed.start("--setup-only")
    assert completed.returncode == 0, completed.stderr
    assert "Building" not in completed.stderr
    (installed.root / "requirements-models.txt").write_text("model==4.0\n")
    assert_refused(installed.start("--setup-only"), "Installing the Python packages", "model==4.0")


def test_half_made_venv_is_made_anew(installed: Machine) -> None:
    (installed.venv / "bin" / "python").unlink()
    answer = installed.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "making it anew" in answer.stderr


def test_venv_filled_by_hand_is_taken_over_without_building(installed: Machine) -> None:
    for stamp in installed.venv.glob(".localspec-*"):
        stamp.unlink()
    answer = installed.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "Building" not in answer.stderr


def test_verbose_shows_what_pip_says(installed: Machine) -> None:
    (installed.venv / ".localspec-packages").unlink()
    answer = installed.start("--setup-only", LOCALSPEC_VERBOSE="1")
    assert answer.returncode == 0, answer.stderr
    assert "Requirement already satisfied: hnswlib" in answer.stderr


# ---- two starts at once ----


def test_second_start_waits_for_the_first(installed: Machine) -> None:
    (installed.venv / ".localspec-packages").unlink()
    lock = installed.root / ".venv.lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{os.getpid()}\n")
    waiting = subprocess.Popen(
        [str(installed.root / "start.sh"), "--setup-only"],
        env=installed.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stderr is not None
        assert f"Another start is installing (process {os.getpid()})" in waiting.stderr.readline()
        assert waiting.poll() is None
        shutil.rmtree(lock)
        output, errors = waiting.communicate(timeout=60)
    finally:
        waiting.kill()
    assert waiting.returncode == 0, errors
    assert "LocalSpec is ready" in output


def test_lock_of_a_dead_process_is_removed(installed: Machine) -> None:
    (installed.venv / ".localspec-packages").unlink()
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock = installed.root / ".venv.lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{gone.pid}\n")
    answer = installed.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "Another start" not in answer.stderr


@pytest.mark.slow
def test_interrupted_installation_is_completed_by_the_next_start(machine: Machine) -> None:
    machine.compiler()
    machine.packages()
    # Pressing Ctrl-C in the terminal: the signal goes to the whole process group, here while .venv is being made.
    slow = machine.command("python3", f'case "$*" in *--clear*) sleep 30 ;; esac; exec "{PYTHON}" "$@"')
    first = subprocess.Popen(
        [str(machine.root / "start.sh")],
        env=machine.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell cannot trap what its parent ignores, as background jobs do with this signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert first.stderr is not None
    while "Making .venv" not in first.stderr.readline():
        assert first.poll() is None
    os.killpg(first.pid, signal.SIGINT)
    _, errors = first.communicate(timeout=30)
    assert first.returncode == 130
    assert "The next start completes the installation" in errors
    assert not (machine.root / ".venv.lock").exists()

    slow.write_text(f'#!{shutil.which("bash")}\nexec "{PYTHON}" "$@"\n')
    assert machine.start("--setup-only").returncode == 0


# ---- test.sh ----


def test_test_script_stops_at_the_first_failing_tool_and_passes_arguments_to_pytest(machine: Machine) -> None:
    (machine.root / "requirements-dev.txt").write_text("-r requirements.txt\n")
    machine.set_up_by_hand()
    machine.shell('venv_runs; write_stamp dev "$(dev_stamp)"')
    for tool in ("ruff", "mypy", "pytest"):
        (machine.root / f"{tool}.py").write_text(f"import sys\nprint('{tool}', *sys.argv[1:])\n")

    passed = machine.run(str(machine.root / "test.sh"), "tests/stores", "-x")
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.splitlines() == ["ruff check .", "mypy", "pytest tests/stores -x"]
    everything = machine.run(str(machine.root / "test.sh"))
    assert everything.stdout.splitlines()[-1] == "pytest"
    quick = machine.run(str(machine.root / "test.sh"), "--quick", "tests/stores", "-x")
    assert quick.stdout.splitlines() == ["ruff check .", "mypy", "pytest -m not slow tests/stores -x"]
    assert "chromium" not in quick.stderr

    (machine.root / "mypy.py").write_text("raise SystemExit(3)")
    failed = machine.run(str(machine.root / "test.sh"))
    assert failed.returncode == 3
    assert "pytest" not in failed.stdout
