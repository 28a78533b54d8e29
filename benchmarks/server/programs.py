"""The servers that are compared, each started for its own turn, with the same weights."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.server.clients import Address, upload
from quest22.bench.live.processes import processor_s
from quest22.bench.live.weights import weights_for
from quest22.errors import UsageError

HOST = "127.0.0.1"
START_S, END_S = 120.0, 30.0
HUB_NAME = "Systran/faster-whisper-base"
REVISION = "0" * 40
CARD = """\
---
library_name: ctranslate2
pipeline_tag: automatic-speech-recognition
tags: [automatic-speech-recognition]
---
"""
"""By these lines speaches knows what a folder of its cache is."""


@dataclass(frozen=True, slots=True)
class Program:
    """A server: ``command`` starts it at a port, ``path`` takes recordings."""

    name: str
    about: str
    command: Callable[[int], Sequence[str]]
    path: str
    fields: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


@dataclass(slots=True)
class Running:
    """A program that answers at ``address``."""

    address: Address
    pid: int

    @property
    def processor_s(self) -> float:
        """Processor time so far."""
        return processor_s(self.pid)

    @property
    def peak_bytes(self) -> int:
        """The most memory that its process had; 0 where the system does not tell."""
        status = Path(f"/proc/{self.pid}/status")
        lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def ours(model: str, language: str) -> Program:
    """``quest22 serve`` as it is by default."""

    def command(port: int) -> Sequence[str]:
        start = (sys.executable, "-m", "quest22", "serve", "-m", model, "--port", str(port))
        return (*start, "--max-live", "16", "-q")

    fields = {"model": Path(model).name, "language": language, "response_format": "json"}
    return Program("quest22 serve", "by default", command, "/v1/audio/transcriptions", fields)


def speaches(
    python: str, checkout: Path, model: str, language: str, precision: str, folder: Path
) -> Program:
    """From a checkout, with the model in a cache folder of its own, so it needs no network."""
    hub = folder.resolve() / "hub"
    write_hub_folder(hub, Path(weights_for(model, ["ctranslate2"], folder)["ctranslate2"]))
    (checkout / "realtime-console" / "dist").mkdir(parents=True, exist_ok=True)

    def command(port: int) -> Sequence[str]:
        start = (python, "-m", "uvicorn", "--factory", "speaches.main:create_app")
        return (*start, "--host", HOST, "--port", str(port))

    environment = {
        "HF_HUB_CACHE": str(hub),
        "HF_HUB_OFFLINE": "1",
        "ENABLE_UI": "false",
        "STT_MODEL_TTL": "-1",
        "LOG_LEVEL": "warning",
        "WHISPER__INFERENCE_DEVICE": "cpu",
        "WHISPER__COMPUTE_TYPE": precision,
        "PYTHONPATH": "src",
    }
    fields = {"model": HUB_NAME, "language": language, "response_format": "json"}
    about = f"faster-whisper, {precision}"
    path = "/v1/audio/transcriptions"
    return Program("speaches", about, command, path, fields, environment, checkout)


def whisper_cpp(program: str, model: str, language: str, folder: Path) -> Program:
    """whisper.cpp's server, with weights in float16."""
    weights = weights_for(model, ["ggml"], folder)["ggml"]
    threads = str(os.cpu_count() or 1)

    def command(port: int) -> Sequence[str]:
        start = (program, "-m", weights, "-l", language, "-t", threads)
        return (*start, "--host", HOST, "--port", str(port))

    fields = {"response_format": "json"}
    return Program("whisper.cpp server", "float16, by default", command, "/inference", fields)


def write_hub_folder(hub: Path, weights: Path) -> None:
    """A Hub cache with one repository: links to the weights, and a card."""
    repository = hub / f"models--{HUB_NAME.replace('/', '--')}"
    snapshot = repository / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "blobs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(REVISION, encoding="utf-8")
    (snapshot / "README.md").write_text(CARD, encoding="utf-8")
    for file in weights.iterdir():
        link = snapshot / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())


@contextmanager
def running(program: Program, sample: Path, log: Path) -> Iterator[Running]:
    """Start it, and wait until it has transcribed a sample.

    Raises :class:`UsageError` if it ends instead; its log says why.
    """
    port = _free_port()
    address = Address(HOST, port, program.path, program.fields)
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(  # noqa: S603 -- programs that the user named
            list(program.command(port)),
            cwd=program.folder,
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        _wait_until_it_answers(process, address, sample, log)
        yield Running(address, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(
    process: subprocess.Popen[bytes], address: Address, sample: Path, log: Path
) -> None:
    deadline = time.monotonic() + START_S
    while not _is_listening(address):
        if process.poll() is not None:
            raise UsageError(f"it ended with code {process.returncode}: see {log}")
        if time.monotonic() > deadline:
            raise UsageError(f"it does not listen: see {log}")
        time.sleep(0.1)
    try:
        upload(address, sample)
    except (OSError, ValueError) as exc:
        raise UsageError(f"it does not transcribe: {exc}; see {log}") from exc


def _is_listening(address: Address) -> bool:
    try:
        with socket.create_connection((address.host, address.port), timeout=START_S):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        return int(bound.getsockname()[1])
