"""For what device the start scripts build llama.cpp, where the compiler comes from, and what a failed build leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.start_machine import GPU, Machine

NATIVE = '-DGGML_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=native"'

# ---- which llama.cpp ----


def test_no_gpu_means_cpu(machine: Machine) -> None:
    assert machine.backend() == ("cpu", "no NVIDIA GPU answers: using the CPU")


def test_gpu_and_compiler_mean_cuda(machine: Machine) -> None:
    machine.command("nvidia-smi", GPU)
    nvcc = machine.command("nvcc", "exit 0")
    backend, why = machine.backend()
    assert backend == "cuda"
    assert str(nvcc) in why


def test_compiler_is_found_in_cuda_home(machine: Machine) -> None:
    machine.command("nvidia-smi", GPU)
    toolkit = machine.root / "cuda toolkit"
    (toolkit / "bin").mkdir(parents=True)
    machine.command("nvcc", "exit 0").rename(toolkit / "bin" / "nvcc")
    backend, why = machine.backend(CUDA_HOME=str(toolkit))
    assert backend == "cuda"
    assert str(toolkit) in why


@pytest.mark.parametrize("answer", ["echo 'No devices found'", "echo 'GPU 0: gone'; exit 9"])
def test_driver_without_gpu_means_cpu(machine: Machine, answer: str) -> None:
    machine.command("nvidia-smi", answer)
    machine.command("nvcc", "exit 0")
    assert machine.backend()[0] == "cpu"


def test_apple_silicon_means_metal(machine: Machine) -> None:
    machine.apple_silicon()
    assert machine.backend()[0] == "metal"


def test_intel_mac_means_cpu(machine: Machine) -> None:
    machine.command("uname", 'if [ "$1" = -m ]; then echo x86_64; else echo Darwin; fi')
    assert machine.backend()[0] == "cpu"


def test_backend_can_be_asked_for(machine: Machine) -> None:
    machine.command("nvidia-smi", GPU)
    machine.command("nvcc", "exit 0")
    assert machine.backend(LOCALSPEC_BACKEND="cpu") == ("cpu", "asked for by LOCALSPEC_BACKEND")
    machine.command("nvidia-smi", "exit 1")
    assert machine.backend(LOCALSPEC_BACKEND="cuda")[0] == "cuda"


@pytest.mark.parametrize(
    ("asked", "told"),
    [("hip", "It can be cpu, cuda, vulkan or metal"), ("CUDA", "It can be"), ("metal", "works on macOS only")],
)
def test_backend_that_cannot_be_is_refused(machine: Machine, asked: str, told: str) -> None:
    machine.set_up_by_hand()
    answer = machine.start("--setup-only", LOCALSPEC_BACKEND=asked)
    assert answer.returncode == 1
    assert f"LOCALSPEC_BACKEND={asked}" in answer.stderr
    assert told in answer.stderr


@pytest.mark.parametrize("served", ["13.0", "13.2"])
def test_a_card_without_a_toolkit_is_served_by_the_compiler_of_the_package_index(machine: Machine, served: str) -> None:
    machine.nvidia("8.9", serves=served)
    backend, why = machine.backend()
    assert (backend, why) == ("cuda", "NVIDIA GPU found: using it, with the CUDA 13.0.2 of the package index")
    assert machine.backend(LOCALSPEC_BACKEND="cuda")[0] == "cuda"
    assert machine.backend(LOCALSPEC_BACKEND="cpu")[0] == "cpu"


@pytest.mark.parametrize(
    ("capabilities", "served", "why", "advice"),
    [
        (("6.1",), "13.0", "compute capability 6.1", "CUDA toolkit 12"),
        (("12.0", "5.2"), "13.0", "compute capability 5.2", "CUDA toolkit 12"),
        (("8.9",), "12.4", "serves CUDA 12, not 13", "driver to 580 or newer"),
        (("8.9",), "N/A", "a version it does not tell", "driver to 580 or newer"),
    ],
)
def test_what_cuda_13_does_not_serve_goes_to_the_processor_with_advice(
    machine: Machine, capabilities: tuple[str, ...], served: str, why: str, advice: str
) -> None:
    machine.nvidia(*capabilities, serves=served)
    answer = machine.shell('choose_backend; printf "%s\\n" "$backend" "$backend_why" "$backend_advice"')
    backend, told, what = answer.stdout.splitlines()
    assert backend == "cpu"
    assert why in told
    assert told.endswith("no CUDA compiler (nvcc): using the CPU")
    assert advice in what
    assert "LOCALSPEC_BACKEND=vulkan ./start.sh" in what
    refused = machine.start("--setup-only", LOCALSPEC_BACKEND="cuda")
    assert refused.returncode == 1
    assert why in refused.stderr
    machine.command("nvcc", "exit 0")
    assert machine.backend()[0] == "cuda", "a compiler that is there serves every card that it can"


@pytest.mark.parametrize("system", ["Linux armv7l", "FreeBSD x86_64"])
def test_where_no_compiler_is_published_it_must_be_installed_by_hand(machine: Machine, system: str) -> None:
    kernel, processor = system.split()
    machine.command("uname", f'if [ "$1" = -m ]; then echo {processor}; else echo {kernel}; fi')
    machine.nvidia("8.9")
    answer = machine.shell('choose_backend; echo "$backend: $backend_why. $backend_advice"')
    assert answer.stdout.startswith("cpu: NVIDIA GPU found but no CUDA compiler (nvcc)")
    assert "Install the CUDA toolkit" in answer.stdout


@pytest.mark.parametrize(
    ("capabilities", "architectures"),
    [(("8.9",), "89"), (("8.9", "12.0", "8.9"), "89;120"), ((), ""), (("[N/A]",), "")],
)
def test_architectures_are_those_of_the_cards(
    machine: Machine, capabilities: tuple[str, ...], architectures: str
) -> None:
    machine.nvidia(*capabilities)
    assert machine.shell("cuda_architectures").stdout == architectures


def vulkan(machine: Machine) -> None:
    """What a build for Vulkan needs is there, and a graphics card."""
    machine.command("glslc", "exit 0")
    machine.command(
        "c++", f"case $* in *-print-file-name=*) echo /usr/lib/libvulkan.so ;; {asking(0)} *) cat >/dev/null ;; esac"
    )


def asking(answer: int) -> str:
    """Of a compiler: the program that asks for Vulkan's devices is `true` or `false`."""
    program = shutil.which("false" if answer else "true")
    return f"""*asks.cpp*) for last; do case $last in */asks) ln -sf {program} "$last" ;; esac; done ;;"""


def compiler(answer: int) -> str:
    """One that finds all, with the program that gives this answer."""
    return f"case $* in *-print-file-name=*) echo /usr/lib/libvulkan.so ;; {asking(answer)} *) cat >/dev/null ;; esac"


def test_without_a_graphics_card_nothing_is_built_for_vulkan(machine: Machine) -> None:
    machine.set_up_by_hand()
    vulkan(machine)
    machine.command(
        "c++", f"case $* in *-print-file-name=*) echo /usr/lib/libvulkan.so ;; {asking(1)} *) cat >/dev/null ;; esac"
    )
    answer = machine.start("--setup-only", LOCALSPEC_BACKEND="vulkan")
    assert answer.returncode == 1
    assert "no driver shows one to Vulkan" in answer.stderr
    assert machine.backend(LOCALSPEC_BACKEND="vulkan", GGML_VK_VISIBLE_DEVICES="0")[0] == "vulkan"


def test_vulkan_is_taken_when_it_is_asked_for_and_all_it_needs_is_there(machine: Machine) -> None:
    vulkan(machine)
    assert machine.backend()[0] == "cpu"
    assert machine.backend(LOCALSPEC_BACKEND="vulkan")[0] == "vulkan"


def test_vulkan_headers_that_are_too_old_are_told(machine: Machine) -> None:
    machine.set_up_by_hand()
    vulkan(machine)
    machine.command(
        "c++",
        "case $* in *-print-file-name=*) echo /usr/lib/libvulkan.so; exit ;; esac; ! grep -q VK_EXT_layer_settings",
    )
    answer = machine.start("--setup-only", LOCALSPEC_BACKEND="vulkan")
    assert answer.returncode == 1
    assert "newer Vulkan headers" in answer.stderr


@pytest.mark.parametrize("missing", ["glslc", "headers", "loader"])
def test_vulkan_without_what_it_needs_says_how_to_get_it(machine: Machine, missing: str) -> None:
    machine.set_up_by_hand()
    vulkan(machine)
    if missing == "glslc":
        (machine.bin / "glslc").unlink()
    elif missing == "headers":
        machine.command("c++", "case $* in *-print-file-name=*) echo /usr/lib/libvulkan.so ;; *) exit 1 ;; esac")
    else:
        machine.command("c++", "case $* in *-print-file-name=*) echo libvulkan.so ;; esac")
    for tool, packages in (
        ("dnf", "sudo dnf install vulkan-loader-devel vulkan-headers glslc spirv-headers-devel"),
        ("apt-get", "sudo apt install libvulkan-dev glslc spirv-headers"),
    ):
        machine.command(tool, "exit 0")
        answer = machine.start("--setup-only", LOCALSPEC_BACKEND="vulkan")
        assert answer.returncode == 1
        assert "LOCALSPEC_BACKEND=vulkan needs the Vulkan loader" in answer.stderr
        assert packages in answer.stderr


@pytest.fixture
def carded(installed: Machine) -> Machine:
    """Installed for the processor; then a card and its driver came, but no toolkit. NVIDIA's packages are at hand."""
    installed.toolkit()
    installed.environment["PIP_FIND_LINKS"] += f" {installed.index}"
    installed.nvidia("8.9")
    return installed


# ---- building, and what stays ----


def test_backend_change_builds_llama_only_and_not_from_the_cache(installed: Machine) -> None:
    installed.command("nvidia-smi", GPU)
    nvcc = installed.command("nvcc", "exit 0")
    marker = next(installed.venv.glob("lib/python*/site-packages")) / "hnswlib.py"
    marker.write_text("# not installed again\n")

    changed = installed.start("--setup-only")
    assert changed.returncode == 0, changed.stderr
    assert "on the cuda backend" in changed.stdout
    assert "Installing the Python packages" not in changed.stderr
    built = installed.built()
    assert built["arguments"] == NATIVE
    assert built["cuda_compiler"] == str(nvcc)
    assert marker.read_text() == "# not installed again\n"

    back = installed.start("--setup-only", LOCALSPEC_BACKEND="cpu")
    assert "on the cpu backend" in back.stdout
    assert installed.built()["arguments"] == ""


def test_failed_cuda_build_falls_back_and_is_not_tried_at_every_start(installed: Machine) -> None:
    installed.command("nvidia-smi", GPU)
    installed.command("nvcc", "exit 0")
    first = installed.start(GPU_FAILS="1")
    assert first.returncode == 0, first.stderr
    assert "The build for the NVIDIA GPU failed (the build failed)" in first.stderr
    assert "the GPU's compiler failed" in (installed.venv / "setup-cuda.log").read_text()
    assert first.stdout.splitlines()[0] == "__main__"
    assert installed.built()["arguments"] == ""

    second = installed.start()
    assert "Building" not in second.stderr
    assert "failed before: using the CPU" in second.stderr

    asked = installed.start("--setup-only", LOCALSPEC_BACKEND="cuda")
    assert "on the cuda backend" in asked.stdout
    third = installed.start("--setup-only")
    assert "on the cuda backend" in third.stdout


def test_a_build_that_does_not_run_is_not_installed(installed: Machine) -> None:
    installed.command("nvidia-smi", GPU)
    installed.command("nvcc", "exit 0")
    first = installed.start("--setup-only", GPU_BREAKS="1")
    assert first.returncode == 0, first.stderr
    assert "what was built does not load, or finds no GPU" in first.stderr
    assert "llama.cpp stays as it was, for cpu" in first.stderr
    assert installed.builds.read_text().splitlines() == [NATIVE]
    assert installed.built()["arguments"] == ""
    assert "a library is missing" in (installed.venv / "setup-cuda.log").read_text()
    assert not (installed.venv / "tried").exists()
    assert not (installed.venv / "wheel").exists()


def test_a_failed_build_leaves_the_one_for_the_processor_as_it_is(carded: Machine) -> None:
    marker = next(carded.venv.glob("lib/python*/site-packages")) / "llama_cpp" / "marker"
    marker.write_text("not installed again")
    before = carded.stamp("llama")
    first = carded.start("--setup-only", GPU_FAILS="1")
    assert first.returncode == 0, first.stderr
    assert "llama.cpp stays as it was, for cpu" in first.stderr
    assert first.stdout.startswith(
        "LocalSpec is ready: llama.cpp on the cpu backend (building for the NVIDIA GPU failed"
    )
    assert len(carded.builds.read_text().splitlines()) == 1, "no build for the processor"
    assert marker.exists()
    assert carded.stamp("llama") == before
    assert not (carded.venv / "cuda").exists(), "the compiler is of no use any more"
    backend, why, advice = carded.stamp("backend").splitlines()
    assert (backend, why) == ("cpu", "building for the NVIDIA GPU failed (the build failed): using the CPU")
    assert advice == "To try again: LOCALSPEC_BACKEND=cuda ./start.sh (its log: .venv/setup-cuda.log)"

    second = carded.start()
    assert "Building" not in second.stderr
    assert "Installing" not in second.stderr
    backend, why, advice = carded.stamp("backend").splitlines()
    assert (backend, why) == ("cpu", "building for the NVIDIA GPU failed before: using the CPU")
    assert advice == "To try again: LOCALSPEC_BACKEND=cuda ./start.sh"


def test_a_failed_build_without_one_for_the_processor_is_followed_by_that(begun: Machine) -> None:
    begun.compiler()
    begun.packages()
    begun.command("nvcc", "exit 0")
    begun.command("nvidia-smi", GPU)
    answer = begun.start("--setup-only", GPU_FAILS="1")
    assert answer.returncode == 0, answer.stderr
    assert begun.builds.read_text().splitlines() == [NATIVE, ""]
    assert begun.built()["arguments"] == ""
    assert begun.stamp("llama").startswith("cpu ")


# ---- the compiler of the package index ----


def test_a_card_without_a_toolkit_gets_the_compiler_for_the_build_only(carded: Machine) -> None:
    carded.nvidia("8.9", "12.0")
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "Installing the CUDA compiler into .venv/cuda" in answer.stderr
    assert "on the cuda backend" in answer.stdout
    toolkit = carded.venv / "cuda" / "nvidia" / "cu13"
    built = carded.built()
    assert built["cuda_compiler"] == str(toolkit / "bin" / "nvcc")
    assert built["arguments"] == (
        '-DGGML_CUDA=on "-DCMAKE_CUDA_ARCHITECTURES=89;120"'
        f' "-DCUDAToolkit_ROOT={toolkit}"'
        f' "-DCMAKE_PROJECT_llama_cpp_INCLUDE={carded.root}/scripts/cuda.cmake" -DGGML_CUDA_NO_VMM=ON'
    )
    files = {str(file.relative_to(toolkit)) for file in toolkit.rglob("*") if not file.is_dir()}
    assert files == {"lib/libcudart.so.13", "lib/libcublas.so.13", "lib/libcublasLt.so.13"}
    assert carded.stamp("backend").startswith("cuda\nNVIDIA GPU found: using it")

    again = carded.start("--setup-only")
    assert again.stderr == "", "nothing is installed or built again"
    assert "on the cuda backend" in again.stdout
    assert carded.start("--setup-only", LOCALSPEC_BACKEND="cuda").stderr == ""

    back = carded.start("--setup-only", LOCALSPEC_BACKEND="cpu")
    assert back.returncode == 0, back.stderr
    assert carded.built()["arguments"] == ""
    assert not (carded.venv / "cuda").exists()


def test_a_driver_that_does_not_answer_for_a_while_costs_no_build(carded: Machine) -> None:
    assert carded.start("--setup-only").returncode == 0
    carded.command("nvidia-smi", "exit 9")
    waits = carded.start("--setup-only")
    assert waits.stderr == ""
    assert "on the cuda backend (no NVIDIA GPU answers now" in waits.stdout
    assert carded.stamp("backend").splitlines()[2].startswith("See whether its driver is loaded")

    package = next(carded.venv.glob("lib/python*/site-packages")) / "llama_cpp" / "__init__.py"
    package.write_text("raise OSError('libcuda.so.1 is gone')")
    gone = carded.start("--setup-only")
    assert "on the cpu backend" in gone.stdout
    assert carded.built()["arguments"] == ""


def test_another_version_of_llama_needs_the_compiler_again(carded: Machine) -> None:
    assert carded.start("--setup-only").returncode == 0
    (carded.venv / ".localspec-llama").write_text(carded.stamp("llama").replace(" 1.0,", " 0.9,"))
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "Installing the CUDA compiler into .venv/cuda" in answer.stderr
    assert len(carded.builds.read_text().splitlines()) == 2


def test_the_processor_needs_no_compiler_of_a_card(carded: Machine) -> None:
    answer = carded.start("--setup-only", LOCALSPEC_BACKEND="cpu")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert not (carded.venv / "cuda").exists()
    assert carded.stamp("backend").splitlines() == ["cpu", "asked for by LOCALSPEC_BACKEND"]


def test_the_compiler_is_whole_and_the_versions_of_its_parts_fit(carded: Machine) -> None:
    told = carded.shell("venv_runs; install_toolkit; toolkit_ready && echo ready")
    assert told.stdout == "ready\n", told.stderr
    toolkit = carded.venv / "cuda" / "nvidia" / "cu13"
    assert (toolkit / "nvvm" / "bin" / "cicc").read_text() == "13.0.88"
    assert (toolkit / "include" / "crt" / "host_config.h").read_text() == "13.0.88"
    for link, file in (
        ("lib64/libcudart.so", "lib/libcudart.so.13"),
        ("lib/libcublas.so", "lib/libcublas.so.13"),
        ("lib/libcublasLt.so", "lib/libcublasLt.so.13"),
    ):
        assert (toolkit / link).resolve() == (toolkit / file).resolve()
        assert (toolkit / link).exists()
    assert not (toolkit / "lib" / "stubs").exists(), "no driver is known"


def test_the_library_of_the_driver_is_linked_with_where_it_is_found(carded: Machine) -> None:
    driver = carded.root / "libcuda.so.1"
    driver.write_text("")
    carded.command(
        "ldconfig",
        f"printf '\\tlibcuda.so.1 (libc6) => /lib32/libcuda.so.1\\n\\tlibcuda.so.1 (libc6,x86-64) => {driver}\\n'",
    )
    told = carded.shell("venv_runs; install_toolkit; toolkit_arguments")
    assert "NO_VMM" not in told.stdout, told.stderr
    stub = carded.venv / "cuda" / "nvidia" / "cu13" / "lib64" / "stubs" / "libcuda.so"
    assert stub.resolve() == driver.resolve()


def test_a_half_installed_compiler_is_installed_anew(carded: Machine) -> None:
    junk = carded.venv / "cuda" / "nvidia" / "cu13" / "lib" / "libcudart.so.12"
    junk.parent.mkdir(parents=True)
    junk.write_text("")
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert not junk.exists()
    assert "on the cuda backend" in answer.stdout


def test_a_stopped_build_goes_on_with_the_compiler_that_is_there(carded: Machine) -> None:
    before = carded.stamp("llama")
    first = subprocess.Popen(
        [str(carded.root / "start.sh")],
        env={**carded.environment, "BUILD_SECONDS": "60"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not carded.builds.exists():
        assert first.poll() is None
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "The next start completes the installation" in errors
    assert carded.stamp("llama") == before, "the build for the processor still serves"
    assert carded.stamp("no-cuda") == ""
    assert carded.built()["arguments"] == ""

    for wheel in carded.index.glob("*.whl"):
        wheel.unlink()
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "Installing the CUDA compiler" not in answer.stderr
    assert "on the cuda backend" in answer.stdout


def test_a_compiler_that_cannot_be_had_leaves_the_processor_to_serve(carded: Machine) -> None:
    next(carded.index.glob("cuda_toolkit-*")).unlink()
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "the CUDA compiler could not be installed from the package index" in answer.stderr
    assert not carded.builds.exists()
    assert carded.stamp("backend").splitlines()[2].startswith("To try again: LOCALSPEC_BACKEND=cuda ./start.sh")
    assert "Installing" not in carded.start("--setup-only").stderr
    carded.toolkit()
    again = carded.start("--setup-only", LOCALSPEC_BACKEND="cuda")
    assert "on the cuda backend" in again.stdout
    assert "on the cuda backend" in carded.start("--setup-only").stdout


def test_a_compiler_that_has_no_room_is_not_installed(carded: Machine) -> None:
    table = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo 'map x 9 8 2048000 80% /'"
    carded.command("df", table)
    answer = carded.start("--setup-only")
    assert answer.returncode == 0, answer.stderr
    assert "the disk has 2000 MB free, and the CUDA compiler and the build need about 3 GB" in answer.stderr
    assert "on the cpu backend" in answer.stdout


# ---- Vulkan ----


def test_a_build_for_vulkan_stays_until_another_is_asked_for(installed: Machine) -> None:
    vulkan(installed)
    answer = installed.start("--setup-only", LOCALSPEC_BACKEND="vulkan")
    assert answer.returncode == 0, answer.stderr
    assert installed.built()["arguments"] == "-DGGML_VULKAN=on"
    installed.nvidia("8.9")
    stays = installed.start("--setup-only")
    assert stays.stdout.startswith("LocalSpec is ready: llama.cpp on the vulkan backend")
    assert stays.stderr == ""
    back = installed.start("--setup-only", LOCALSPEC_BACKEND="cpu")
    assert "on the cpu backend" in back.stdout
    assert installed.built()["arguments"] == ""


def test_a_vulkan_sdk_is_enough(installed: Machine) -> None:
    """Its compiler of shaders is not on PATH, its SPIR-V headers are where CMake does not look by itself."""
    vulkan(installed)
    sdk = installed.root / "Vulkan SDK"
    for folder in ("bin", "lib"):
        (sdk / folder).mkdir(parents=True)
    (installed.bin / "glslc").rename(sdk / "bin" / "glslc")
    (sdk / "lib" / "libvulkan.so").touch()
    has = "*-print-file-name=*) echo libvulkan.so ;; *-I*SDK/include*) cat >/dev/null ;; *) exit 1 ;;"
    installed.command("c++", f"case $* in {asking(0)} {has} esac")
    answer = installed.start("--setup-only", LOCALSPEC_BACKEND="vulkan", VULKAN_SDK=str(sdk))
    assert answer.returncode == 0, answer.stderr
    assert installed.built()["arguments"] == f'-DGGML_VULKAN=on "-DCMAKE_PREFIX_PATH={sdk}"'


def test_a_failed_build_for_vulkan_leaves_the_one_for_the_processor(installed: Machine) -> None:
    vulkan(installed)
    answer = installed.start("--setup-only", LOCALSPEC_BACKEND="vulkan", GPU_FAILS="1")
    assert answer.returncode == 0, answer.stderr
    assert "llama.cpp stays as it was, for cpu" in answer.stderr
    assert (installed.venv / "setup-vulkan.log").exists()
    assert installed.stamp("no-vulkan") == "1.0\n"
    assert installed.stamp("backend").splitlines()[1] == "building for Vulkan failed (the build failed): using the CPU"
    assert installed.builds.read_text().splitlines() == ["-DGGML_VULKAN=on"]
