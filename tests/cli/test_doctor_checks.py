from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from quest22.cli import doctor_checks
from quest22.cli.doctor_checks import State, connection_problem


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
    [(200, None), (401, None), (503, "HTTP 503")],
    indirect=["endpoint"],
)
def test_whatever_answers_is_reached(endpoint, problem):
    assert connection_problem(endpoint) == problem


def test_what_does_not_answer():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert "refused" in str(connection_problem(f"http://127.0.0.1:{taken.getsockname()[1]}"))


@pytest.mark.parametrize("endpoint", ["file:///etc/passwd", "hub", ""])
def test_only_web_addresses_are_asked(endpoint):
    assert connection_problem(endpoint) == "not an http(s) address"


def test_every_line_says_what_was_found_and_every_problem_what_to_do():
    checks = [
        doctor_checks.check_python(),
        *doctor_checks.check_packages(),
        doctor_checks.check_engine(),
        doctor_checks.check_native(),
        doctor_checks.check_codecs(),
        doctor_checks.check_model(),
        doctor_checks.check_telemetry(),
        doctor_checks.check_processor(),
        doctor_checks.check_memory(),
        doctor_checks.check_cache(),
    ]
    assert all(finding.found for finding in checks)
    assert all(finding.advice for finding in checks if finding.state is not State.GOOD)
    assert all("\n" not in finding.found + finding.advice for finding in checks)


@pytest.mark.parametrize(
    ("said", "name", "state", "found"),
    [
        ("on", "avx512_bf16", State.GOOD, "native library for avx512_bf16"),
        ("on", "avx512", State.GOOD, "bfloat16 runs on OpenVINO"),
        ("on", "neon", State.GOOD, "native library for neon; float16 runs on OpenVINO"),
        ("on", None, State.NOTE, "OpenVINO runs everything"),
        ("off", "avx2", State.NOTE, "switched off"),
    ],
)
def test_which_native_library_runs(said, name, state, found, monkeypatch):
    monkeypatch.setenv("QUEST22_NATIVE", said)
    monkeypatch.setattr("quest22.native.library.instruction_set", lambda: name)
    finding = doctor_checks.check_native()
    assert (finding.state, found in finding.found) == (state, True)


def test_a_cache_without_room(tmp_path):
    finding = doctor_checks.check_cache(tmp_path / "not" / "made" / "yet", enough=float("inf"))
    assert (finding.state, "HF_HOME" in finding.advice) == (State.NOTE, True)
    assert doctor_checks.check_cache(tmp_path, enough=0).state is State.GOOD


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("av>=14", "av"), ("fsspec[http]>=2024.6", "fsspec"), ("rich ; python_version>'3'", "rich")],
)
def test_names_of_requirements(requirement, name):
    assert doctor_checks._distribution(requirement) == name
