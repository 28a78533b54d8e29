from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from quest22.cli import check_installation as installation
from quest22.cli import check_machine as machine
from quest22.cli.check_hub import reach
from quest22.cli.exits import Exit
from quest22.cli.finding import State


class _Answering(BaseHTTPRequestHandler):
    status = 200

    def do_HEAD(self):
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Silence."""


@pytest.fixture
def endpoint(request):
    handler = type("Handler", (_Answering,), {"status": request.param})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [(200, None), (401, None), (503, "it answered 503")],
    indirect=["endpoint"],
)
def test_whatever_answers_is_reached(endpoint, problem):
    assert reach(endpoint) == problem


def test_what_does_not_answer():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "refused" in str(reach(f"http://127.0.0.1:{taken.getsockname()[1]}"))


@pytest.mark.parametrize("endpoint", ["file:///etc/passwd", "hub", ""])
def test_only_web_addresses_are_asked(endpoint):
    assert reach(endpoint) == "no http(s) address"


def test_every_line_says_what_was_found_and_every_problem_what_to_do():
    checks = [
        installation.check_python(),
        *installation.check_packages(),
        installation.check_engine(),
        installation.check_native(),
        installation.check_codecs(),
        installation.check_model(),
        installation.check_telemetry(),
        machine.check_processor(),
        machine.check_memory(),
        machine.check_cache(),
    ]
    assert all(finding.found for finding in checks)
    assert all(finding.advice for finding in checks if finding.state is not State.GOOD)
    assert all("\n" not in finding.found + finding.advice for finding in checks)


@pytest.mark.parametrize(
    ("said", "name", "state", "found"),
    [
        ("on", "avx512_bf16", State.GOOD, "machine code for avx512_bf16"),
        ("on", "avx512", State.GOOD, "bfloat16 runs on OpenVINO"),
        ("on", None, State.NOTE, "OpenVINO alone"),
        ("off", "avx2", State.NOTE, "switched off"),
    ],
)
def test_which_native_library_runs(said, name, state, found, monkeypatch):
    monkeypatch.setenv("QUEST22_NATIVE", said)
    monkeypatch.setattr("quest22.native.library.instruction_set", lambda: name)
    finding = installation.check_native()
    assert (finding.state, found in finding.found) == (state, True)


def test_a_cache_without_room(tmp_path):
    finding = machine.check_cache(tmp_path / "not" / "made" / "yet", enough=float("inf"))
    assert (finding.state, "HF_HOME" in finding.advice) == (State.NOTE, True)
    assert machine.check_cache(tmp_path, enough=0).state is State.GOOD


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("av>=14", "av"), ("fsspec[http]>=2024.6", "fsspec"), ("rich ; python_version>'3'", "rich")],
)
def test_names_of_requirements(requirement, name):
    assert installation._distribution(requirement) == name


def test_the_doctor_speaks_and_ends_well_or_says_what_is_missing(run, monkeypatch):
    monkeypatch.setattr("quest22.cli.check_hub.check_hub", machine.check_memory)
    ended = run("doctor")
    missing = "✗" in ended.out
    assert ended.code == (Exit.NOTHING_DONE if missing else Exit.DONE)
    for subject in ("version", "packages", "processor", "memory", "engine", "codecs", "telemetry"):
        assert f" {subject} " in ended.out
