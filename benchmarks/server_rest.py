"""How much sound a second clients of ``quest22 serve`` get transcribed, beside one that batches.

    python -m benchmarks.server_rest -m base --clients 16 FOLDER

Clients post the recordings of a folder to OpenAI's address, each the next one as soon as it has its
answer; ``Transcriber.transcribe_many`` does the same recordings in one process. Both are warm.
"""

from __future__ import annotations

import argparse
import http.client
import json
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 120.0
ANSWER_S = 3600.0
HOST = "127.0.0.1"


def main() -> None:
    """Print both throughputs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-m", "--model", default="base")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--language", default="en")
    parser.add_argument("--repeat", type=int, default=1, help="post each recording so often")
    chosen = parser.parse_args()
    files = sorted(each for each in chosen.folder.iterdir() if each.is_file()) * chosen.repeat
    batch_s, sound_s = batch_seconds(files, chosen.model, chosen.language)
    with serving(chosen.model) as port:
        post(port, files[0], chosen.language)
        server_s = client_seconds(port, files, chosen.language, chosen.clients)
    print(f"{len(files)} recordings, {sound_s:.0f} s of sound")
    print(f"batch:              {sound_s / batch_s:8.1f} s a second")
    print(f"{chosen.clients:2d} clients of REST: {sound_s / server_s:8.1f} s a second")
    print(f"ratio:              {batch_s / server_s:8.2f}")


def batch_seconds(files: Sequence[Path], model: str, language: str) -> tuple[float, float]:
    """How long the batch takes, and how much sound it is."""
    from quest22 import Transcriber

    with Transcriber(model, language=language) as whisper:
        list(whisper.transcribe_many(files[:1]))
        began_s = time.perf_counter()
        results = list(whisper.transcribe_many(files))
        return time.perf_counter() - began_s, sum(each.duration_s for each in results)


@contextmanager
def serving(model: str) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "quest22", "serve", "-m", model, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()


def client_seconds(port: int, files: Sequence[Path], language: str, clients: int) -> float:
    """How long so many clients take for all recordings."""
    left: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for file in files:
        left.put(file)

    def work() -> None:
        while True:
            try:
                file = left.get_nowait()
            except queue.Empty:
                return
            post(port, file, language)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began_s


def post(port: int, file: Path, language: str) -> str:
    """The text of a recording; raises :class:`RuntimeError` for any other answer."""
    boundary = secrets.token_hex(8)
    head = f"--{boundary}\r\nContent-Disposition: form-data; name="
    body = (
        f'{head}"model"\r\n\r\nwhisper-1\r\n{head}"language"\r\n\r\n{language}\r\n'
        f'{head}"file"; filename="{file.name}"\r\n\r\n'
    ).encode() + file.read_bytes()
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    connection.request(
        "POST",
        "/v1/audio/transcriptions",
        body + f"\r\n--{boundary}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{file.name}: {answer.status} {content.decode()}")
    return str(json.loads(content)["text"])


def _wait_for(port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while not _listens(port):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the server does not listen after {START_S:.0f} s")
        time.sleep(0.2)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((HOST, port)) == 0


if __name__ == "__main__":
    main()
