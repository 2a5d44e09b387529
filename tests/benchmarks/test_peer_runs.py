"""Peers behind real processes and real HTTP; a small program that speaks as it does takes llama-server's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.child import Child, idle_shares
from benchmarks.peer_runs import Place, Question, ServerRun, ask, free_port, parts_of, server_reply
from localspec.errors import ModelError
from localspec.speculation.interface import DraftTimes
from localspec.speculation.metrics import ReplyMetrics

ANSWER: dict[str, Any] = {
    "choices": [{"message": {"role": "assistant", "content": "Red, green."}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 41, "completion_tokens": 32},
    "timings": {
        "cache_n": 0, "prompt_n": 41, "prompt_ms": 123.0, "predicted_n": 32, "predicted_ms": 310.0,
        "predicted_per_second": 100.0, "draft_n": 24, "draft_n_accepted": 6,
    },
}  # fmt: skip
"""As llama-server words it (tools/server/server-common.cpp, server_slot_stats::to_json)."""

FAKE = """#!{python}
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
print("loading", *sys.argv[1:], flush=True)
if "--fail" in sys.argv:
    print("error: unknown weights", file=sys.stderr)
    sys.exit(3)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{{}}")
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["messages"][0]["content"] == "die":
            print("GGML_ASSERT failed", flush=True)
            import os
            os._exit(6)
        body = json.dumps({answer!r}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program that takes llama-server's flags and answers as it does."""
    file = tmp_path / "llama-server"
    file.write_text(FAKE.format(python=sys.executable, answer=ANSWER), encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "model.gguf", 1024, 1)


@pytest.fixture
def listening() -> Iterator[tuple[int, list[dict[str, Any]], dict[str, Any]]]:
    """Port of a server; what it was asked; what it says (status and body)."""
    asked: list[dict[str, Any]] = []
    says: dict[str, Any] = {"status": 200, "body": ANSWER}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(says["body"]).encode()
            self.send_response(says["status"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, asked, says
    server.shutdown()
    thread.join()
    server.server_close()


QUESTION = Question("Name colours.", np.arange(41, dtype=np.int32))


def test_the_servers_figures_are_read_and_the_first_token_belongs_to_prefill(listening):
    port, asked, _ = listening
    reply = server_reply(ask(port, "Name colours.", 32), 0.5)
    assert asked == [
        {
            "messages": [{"role": "user", "content": "Name colours."}],
            "temperature": 0,
            "max_tokens": 32,
            "cache_prompt": False,
        }
    ]
    assert (reply.prompt_tokens, reply.tokens, reply.decoded) == (41, 32, 31)
    assert reply.decoded / reply.decode_seconds == pytest.approx(ANSWER["timings"]["predicted_per_second"])
    assert (reply.drafted, reply.accepted, reply.steps) == (24, 6, 25)
    assert (reply.whole_seconds, reply.text) == (0.5, "Red, green.")


def test_a_mode_without_drafts_has_a_step_for_each_token():
    timings = {name: value for name, value in ANSWER["timings"].items() if not name.startswith("draft")}
    reply = server_reply({**ANSWER, "timings": timings}, 0.5)
    assert (reply.steps, reply.drafted, reply.accepted) == (31, 0, 0)


def test_a_reply_of_one_token_has_no_speed():
    reply = server_reply({**ANSWER, "timings": {"predicted_n": 1, "predicted_ms": 0.001}}, 0.5)
    assert (reply.tokens, reply.decoded, reply.decode_seconds) == (1, 0, 0.0)


@pytest.mark.parametrize("missing", ["timings", "choices", "usage"])
def test_an_answer_without_figures_is_an_error(missing):
    with pytest.raises(ModelError, match="no figures"):
        server_reply({name: value for name, value in ANSWER.items() if name != missing}, 0.5)


def test_what_the_server_objects_to_is_told(listening):
    port, _, says = listening
    says.update(status=400, body={"error": {"message": "the request exceeds the context"}})
    with pytest.raises(ValueError, match=r"status 400.*exceeds the context"):
        ask(port, "Name colours.", 32)


def test_a_server_is_started_asked_and_ended(binary, place):
    peer_run = ServerRun(binary, "ngram-mod", ("--spec-default",), place)
    try:
        assert peer_run.name == "llama-server ngram-mod"
        assert peer_run.answer(QUESTION, 32).tokens == 32
        assert peer_run.child is not None
        said = peer_run.child.last_lines()
        for flags in (f"-m {place.model}", "-t 1", "-c 1024", "--host 127.0.0.1", "--spec-default"):
            assert flags in said
        assert idle_shares([peer_run.child], 0.3)[peer_run.child.name] < 0.5
        process = peer_run.child.process
    finally:
        peer_run.close()
    assert process.poll() is not None
    peer_run.close()


def test_a_server_that_does_not_start_says_why(binary, place):
    with pytest.raises(ModelError, match=r"status 3[\s\S]*unknown weights"):
        ServerRun(binary, "plain", ("--fail",), place)


def test_a_server_that_dies_meanwhile_says_its_last_words(binary, place):
    peer_run = ServerRun(binary, "plain", (), place)
    try:
        with pytest.raises(ModelError, match=r"status 6[\s\S]*GGML_ASSERT failed"):
            peer_run.answer(Question("die", QUESTION.tokens), 32)
    finally:
        peer_run.close()


def test_a_server_that_is_not_there(tmp_path, place):
    with pytest.raises(ModelError, match="cannot be started"):
        ServerRun(tmp_path / "absent", "plain", (), place)


def test_a_program_that_spins_is_noticed_and_one_that_will_not_end_is_killed():
    spinning = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('on', flush=True)\nwhile True: pass"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.child.GRACE_SECONDS", 0.2)
        with Child("spinning", [sys.executable, "-c", spinning], spoken_to=True) as busy:
            assert busy.process.stdout is not None
            assert busy.process.stdout.readline() == b"on\n"
            sleeping = "import time\nprint('on', flush=True)\ntime.sleep(60)"
            with Child("sleeping", [sys.executable, "-c", sleeping], spoken_to=True) as idle:
                assert idle.process.stdout is not None
                assert idle.process.stdout.readline() == b"on\n"  # its start takes a processor, too
                shares = idle_shares([busy, idle], 0.5)
                assert shares["spinning"] > 0.05 > shares["sleeping"]
                assert idle.process.poll() is None
    assert busy.process.returncode < 0
    assert idle.process.returncode < 0


def test_free_ports_are_free():
    assert 1024 < free_port() < 65536


def test_parts_of_a_reply_add_up_to_its_seconds():
    metrics = ReplyMetrics(
        propose_seconds=0.5, decode_seconds=2.0, sample_seconds=0.25, rest_seconds=0.125,
        times=DraftTimes(prefill=9.0, drafting=0.375, retrieval=0.25, overlapped=0.1875),
    )  # fmt: skip
    parts = parts_of(metrics)
    assert parts == {
        "drafting": 0.1875, "retrieval": 0.25, "verification": 2.0, "sampling": 0.25, "rest": 0.1875
    }  # fmt: skip
    assert sum(parts.values()) == metrics.seconds
    searching = parts_of(ReplyMetrics(propose_seconds=0.5, decode_seconds=2.0))
    assert (searching["retrieval"], searching["drafting"]) == (0.5, 0.0)


@pytest.mark.parametrize("draft_tokens", [0, 4])
def test_llama_cpp_python_answers_from_a_process_of_its_own(draft_tokens):
    """The real library on the shipped model: both ways of decoding write the same greedy text."""
    from localspec.models.files.catalogue import resolve

    root = Path(__file__).resolve().parents[2]
    prompt = [1, 4093, 198, 28788, 451, 2683, 30, 2, 198, 1, 520, 9531, 198]
    asked = json.dumps({"tokens": prompt, "max_tokens": 12})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.llama_child", str(resolve("").path), "256", "1", "0", str(draft_tokens)],
        input=f"{asked}\n{asked}\n", capture_output=True, text=True, cwd=root, timeout=300, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded, first, second = map(json.loads, done.stdout.splitlines())
    assert loaded == {}
    assert first["text"] == second["text"] != ""
    assert 1 <= first["tokens"] <= 12
    assert first["steps"] <= first["tokens"] - 1
    assert (first["drafted"] > 0) <= (draft_tokens > 0)
    assert 0 < first["decode_seconds"] < first["whole_seconds"]
