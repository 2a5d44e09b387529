"""The command line as people start it: one process per command, the shipped model, generated documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localspec import texts
from localspec.chat.methods import DEFAULT_METHOD
from localspec.cli.main import _repeat_documents
from localspec.desktop import window
from localspec.models.files.catalogue import resolve
from localspec.models.llama import graphics
from tests.builders import make_docx, make_pdf
from tests.measurements import measurements

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
HARBOUR = (
    "The Harbour of Velm\n\nThe lighthouse of Velm was built in 1874. It stands on a cliff of red granite.",
    "Tides\n\nThe tide at Velm rises by nine metres in spring. Ships enter the harbour only at high water.",
)
RICE = ("# Cooking rice", "Wash the rice until the water runs clear, and let it simmer for twelve minutes.")
FIGURES = {
    "tokens", "seconds", "tokens_per_second", "steps", "tokens_per_step", "drafted", "accepted", "acceptance_rate",
    "accepted_length", "mean_acceptance_length", "speedup",
}  # fmt: skip
QUESTION = "When was the lighthouse of Velm built?"
LOADING = ("--threads", "1", "--context", "1024")
SHORT = (*LOADING, "--max-tokens", "16")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes the place of the checkout, and is the working folder."""
    folder = tmp_path_factory.mktemp("command-line")
    make_pdf(folder / "harbour.pdf", HARBOUR)
    make_docx(folder / "rice.docx", RICE)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that a PDF has")
    return measurements.lend(folder)


def command(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    environment = {**os.environ, "LOCALSPEC_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "localspec", *words],
        cwd=home,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last line, which is JSON; the text before it is the answer."""
    *answer, line = done.stdout.rstrip("\n").split("\n")
    found: dict[str, Any] = json.loads(line)
    assert "\n".join(answer) == found["answer"]
    assert found.keys() >= FIGURES | {"answer", "citations"}
    assert found["tokens"] > 0
    assert found["tokens"] == pytest.approx(found["steps"] * found["tokens_per_step"])
    assert found["accepted"] == pytest.approx(found["drafted"] * found["acceptance_rate"])
    assert found["accepted"] == pytest.approx(found["steps"] * found["accepted_length"])
    assert found["tokens"] == pytest.approx(found["seconds"] * found["tokens_per_second"])
    # Too short an answer with drafts, or a busy computer: then the reason stands there.
    assert (found["speedup"] > 0) == (found["speedup_untold"] == "")
    return found


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def test_a_question_without_documents(home: Path) -> None:
    done = command(home, "ask", "Say hello.", "--method", "plain", *SHORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "tokens/s" not in done.stdout
    assert "tokens/s" in done.stderr
    assert "Plain decoding" in done.stderr


def test_a_question_about_two_documents(home: Path) -> None:
    done = command(home, "ask", QUESTION, "--doc", "harbour.pdf", "rice.docx", "--json", *SHORT)
    assert done.returncode == 0, done.stderr
    found = figures(done)
    assert "1874" in found["answer"]
    best = found["citations"][0]
    assert (best["file"], best["page"]) == ("harbour.pdf", 1)
    assert "built in 1874" in one_line(best["passage"])
    assert f"[{best['number']}] harbour.pdf, page 1" in done.stderr
    assert found["method"] == DEFAULT_METHOD


@pytest.mark.parametrize(
    ("question", "options"), [("What is the capital of France?", ()), (QUESTION, ("--no-documents",))]
)
def test_documents_that_are_not_wanted_are_not_cited(home: Path, question: str, options: tuple[str, ...]) -> None:
    done = command(home, "ask", question, "--doc", "harbour.pdf", *options, "--json", *SHORT)
    assert done.returncode == 0, done.stderr
    found = figures(done)
    assert found["citations"] == []
    assert found["prompt_tokens"] < 60
    assert "harbour.pdf, page" not in done.stderr


def test_documents_that_fail_are_named_and_the_others_answer(home: Path) -> None:
    words = ["--doc", "harbour.pdf", "--doc", "absent.pdf", "missing.docx", "--doc", "broken.pdf"]
    done = command(home, "ask", QUESTION, *words, "--json", *SHORT)
    assert done.returncode == 0, done.stderr
    found = figures(done)
    assert "1874" in found["answer"]
    assert {made["file"] for made in found["citations"]} == {"harbour.pdf"}
    for name in ("absent.pdf", "missing.docx", "broken.pdf"):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{name}: ")]
        assert len(line) > len(name) + 12


def test_only_documents_that_fail(home: Path) -> None:
    done = command(home, "ask", "Say hello.", "--doc", "broken.pdf", *SHORT)
    assert done.returncode == 1
    assert done.stderr.count("broken.pdf: ") == 1
    assert texts.NOT_ASKED in done.stderr
    assert done.stdout == ""


def test_a_library_is_filled_listed_and_asked(home: Path) -> None:
    done = command(home, "index", "harbour.pdf", "rice.docx", "broken.pdf", "--library", "Häfen", *LOADING)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "broken.pdf: " in done.stderr
    assert "harbour.pdf: ready" in done.stderr
    assert "rice.docx: ready" in done.stderr
    listed = command(home, "libraries", "--json")
    assert listed.returncode == 0
    (held,) = [library for library in json.loads(listed.stdout) if library["name"] == "Häfen"]
    assert held["bytes"] > 1000
    assert held["documents"] == 2, "one that cannot be read is none"
    assert held["tokens"] > 40
    assert (held["replies"], held["states"]) == (0, {})
    asked = command(home, "ask", "Which documents do I have?", "--library", "Häfen", "--json", *SHORT)
    assert asked.returncode == 0, asked.stderr
    assert figures(asked)["prompt_tokens"] > 40


def test_a_question_about_an_indexed_document_imports_no_torch(home: Path) -> None:
    """Importing it takes longer than all else before the first word."""
    rocks = [f"Rocks\n\nRock {number} off Velm is marked by a buoy that rings in the swell." for number in range(60)]
    make_pdf(home / "pilot.pdf", [*HARBOUR, *rocks])  # too long to be read whole
    assert command(home, "index", "pilot.pdf", "--library", "pilot", *LOADING).returncode == 0
    script = (
        "import json, sys\nfrom localspec.cli.main import main\ntry:\n    main(sys.argv[1:])\n"
        "finally:\n    print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    environment = {**os.environ, "LOCALSPEC_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    words = ["ask", QUESTION, "--library", "pilot", "--draft", "none", "--json", *SHORT]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=home, env=environment, capture_output=True, text=True, timeout=300
    )
    *_, figures, imported = done.stdout.splitlines()
    assert [made["file"] for made in json.loads(figures)["citations"]][:1] == ["pilot.pdf"]
    assert "tokenizers" in json.loads(imported)  # by meaning, too
    heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "gradio", "llguidance"}
    assert heavy.isdisjoint(json.loads(imported))


def test_a_library_is_read_for_its_states(home: Path) -> None:
    done = command(home, "index", "harbour.pdf", "--library", "read", *LOADING)
    assert done.returncode == 0, done.stderr
    assert "states" not in done.stderr
    done = command(home, "index", "--states", "--library", "read", *LOADING)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "states of smollm2-135m" in line]
    assert line.endswith(", 0 missing")
    count = int(line.split()[0])
    assert count > 30
    # A document that comes later is read by itself.
    done = command(home, "index", "rice.docx", "--library", "read", *LOADING)
    assert done.returncode == 0, done.stderr
    assert "0 missing" in done.stderr
    (held,) = [
        library for library in json.loads(command(home, "libraries", "--json").stdout) if library["name"] == "read"
    ]
    ((target, states),) = held["states"].items()
    assert len(target) == 12
    assert states == held["tokens"] - held["documents"] > count  # nothing follows a document's last token
    listed = command(home, "libraries").stdout
    assert f"{states} states of {target}" in listed
    asked = command(home, "ask", QUESTION, "--library", "read", "--json", *SHORT)
    assert asked.returncode == 0, asked.stderr
    assert "1874" in figures(asked)["answer"]


def test_a_library_learns_from_prompts(home: Path) -> None:
    lines = [{"category": "test", "turns": [f"Name {number} colours."]} for number in (2, 3, 4)]
    (home / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    words = ("--prompts", "prompts.jsonl", "--library", "learnt", "--max-tokens", "12", "--compare", "1", "--json")
    done = command(home, "learn", *words, *LOADING)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["prompts"] == found["replies"] == found["sequences"] == 3
    assert 0 < found["tokens"] <= 36
    assert found["states"] > found["tokens"]
    assert found["tokens_per_second"] == pytest.approx(found["tokens"] / found["seconds"])
    assert found["speedup"] == pytest.approx(found["tokens_per_second"] / found["one_by_one_tokens_per_second"])
    again = json.loads(command(home, "learn", *words, *LOADING).stdout)
    assert again["replies"] == 0
    bench = command(
        home, "bench", "--prompts", "prompts.jsonl", "--library", "learnt", "--methods", "rest,dresd",
        "--sizing", "paper", "--rows", "8", "--max-tokens", "12", *LOADING,
    )  # fmt: skip
    methods = json.loads(bench.stdout.rstrip("\n").split("\n")[-1])["methods"]
    assert methods["dresd"]["all"]["diverged"] == 0
    assert methods["dresd"]["all"]["accepted"] > 0
    assert methods["dresd"]["all"]["neighbours_kept"] > 0


def test_a_library_that_cannot_be_read_hides_no_other(home: Path) -> None:
    folder = home / "stores" / "damaged"
    folder.mkdir(parents=True)
    (folder / "library.db").write_bytes(b"no database " * 500)
    try:
        done = command(home, "libraries", "--json")
        assert done.returncode == 0
        assert "damaged" not in {library["name"] for library in json.loads(done.stdout)}
        assert "damaged" in done.stderr
    finally:
        (folder / "library.db").unlink()
        folder.rmdir()


def test_doctor_reports_the_machine(home: Path) -> None:
    done = command(home, "doctor", "--json", *LOADING)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["backend"] in ("CPU", "GPU")
    assert report["graphics"] == " ".join(filter(None, (graphics().device, graphics().idle)))
    assert report["home"] == str(home.resolve())
    assert report["window"] == window.description(window.Computer())
    assert report["models"][0]["name"] == "smollm2-135m"
    assert report["models"][0]["bytes"] > 1_000_000
    assert report["loaded"]["context"] == 1024
    assert report["loaded"]["chat_template"] is True
    assert set(report["decode_milliseconds"]) >= {"1", "2", "4", "64"}
    assert all(value > 0 for value in report["decode_milliseconds"].values())


def test_the_applications_menu(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / "data" / "applications" / "localspec.desktop"
    done = command(home, "desktop", "install")
    assert (done.returncode, done.stdout) == (0, f"LocalSpec was added to the applications menu: {file}\n")
    assert f"LOCALSPEC_HOME={home}" in file.read_text()
    assert str(ROOT / "start.sh") in file.read_text()
    assert f"Removed: {file}\n" in command(home, "desktop", "remove").stdout
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert command(home, "desktop", "remove").stdout == "LocalSpec is not in the applications menu.\n"


def test_a_talk(home: Path) -> None:
    lines = f"{QUESTION}\nHow high is the tide?\n"
    done = command(home, "chat", "--doc", "harbour.pdf", *SHORT, typed=lines)
    assert done.returncode == 0, done.stderr
    assert "1874" in done.stdout
    assert done.stderr.count("tokens/s") == 2
    assert "you>" not in done.stdout
    assert "harbour.pdf, page" not in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["ask", "Hello", "--model", "absent"], 1, "no model called 'absent'"),
        (["ask", "Hello", "--model", "damaged.gguf"], 1, "damaged.gguf"),
        (["ask", "Hello", "--model", "absent.gguf"], 1, "absent.gguf"),
        (["ask", "Hello", "--method", "magic", *SHORT], 1, "no method called 'magic'"),
        (["ask", "Hello", "--sizing", "magic", *SHORT], 1, "no sizing called 'magic'"),
        (["ask", "Hello", "--preset", "magic", *SHORT], 1, "no sizing called 'magic'"),
        (["ask", "Hello", "--context", "10000000"], 1, "10000000"),
        (["ask", "Hello", "--max-tokens", "0"], 2, "max-tokens"),
        (["ask", "", *SHORT], 1, "The question is empty."),
        (["bench", "--prompts", "absent.jsonl"], 1, "absent.jsonl"),
        (["index"], 2, "--states"),
        (["index", "--states", "--library", "absent", *LOADING], 1, "no library called 'absent'"),
    ],
)
def test_what_cannot_work_is_said_on_stderr(home: Path, words: list[str], status: int, said: str) -> None:
    damaged = home / "damaged.gguf"
    if not damaged.exists():
        with resolve("").path.open("rb") as file:
            damaged.write_bytes(file.read(3_000_000))
    done = command(home, *words)
    assert done.returncode == status
    assert said in one_line(done.stderr)
    assert done.stdout == ""


def test_words_behind_a_document_that_name_files_are_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pdf", "b", "c d.md"):
        (tmp_path / name).touch()
    question = "What does the last chapter say? " * 20

    def documents(*words: str) -> list[str]:
        return _repeat_documents(["ask", *words])[1:]

    assert documents("--doc", "a.pdf", "b", "c d.md", "Why?") == [
        "--doc", "a.pdf", "--doc", "b", "--doc", "c d.md", "Why?",
    ]  # fmt: skip
    assert documents("Why?", "--doc", "a.pdf", "b", "--json") == ["Why?", "--doc", "a.pdf", "--doc", "b", "--json"]
    assert documents("--doc", "a.pdf", "absent.pdf", "Why?") == ["--doc", "a.pdf", "--doc", "absent.pdf", "Why?"]
    assert documents("--doc", "a.pdf", "--library", "b") == ["--doc", "a.pdf", "--library", "b"]
    assert documents("--doc", "a.pdf", "What is in absent.pdf") == ["--doc", "a.pdf", "What is in absent.pdf"]
    assert documents("--doc", "a.pdf", question) == ["--doc", "a.pdf", question]
    assert documents("b", "a.pdf") == ["b", "a.pdf"]
