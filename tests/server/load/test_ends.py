"""A server that is asked to end while it works, and one that is killed and started again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.sync.client import connect

from tests.support.abuse import wire
from tests.support.abuse.crowd import patient_transcript, reconnecting
from tests.support.abuse.honest import LIVE, Honest, final_text, live_text, spoken, transcript
from tests.support.server_process import ServerProcess, linux_only, until

pytestmark = [linux_only, pytest.mark.slow]

UPLOADS, SESSIONS = 8, 4


def test_nothing_is_lost_of_what_a_draining_server_had_let_in() -> None:
    with ServerProcess("--drain", "5m") as server, ThreadPoolExecutor(32) as pool:
        honest = Honest(server)
        begun = threading.Barrier(SESSIONS + 1)
        sessions = [pool.submit(unfinished_session, server, n, begun) for n in range(SESSIONS)]
        begun.wait(120)
        uploads = [
            pool.submit(transcript, server, spoken()[number % len(spoken())].wav)
            for number in range(UPLOADS)
        ]
        assert until(lambda: inside(server, "quest22_recordings") == UPLOADS, 60)
        server.terminate()
        assert until(lambda: is_refused(server), 30)
        for number, upload in enumerate(uploads):
            assert upload.result(300) == honest.texts[number % len(spoken())]
        for number, session in enumerate(sessions):
            text, code = session.result(300)
            honest.compare_live(number % len(spoken()), text)
            assert code == 1012
        assert server.wait() == 0


def unfinished_session(
    server: ServerProcess, number: int, begun: threading.Barrier
) -> tuple[str, int]:
    """The final text of a session that never says its end, and how it was closed."""
    pcm = spoken()[number % len(spoken())].pcm
    with connect(server.websocket_url + LIVE, compression=None, open_timeout=60) as socket:
        for start in range(0, len(pcm), 6400):
            socket.send(pcm[start : start + 6400])
        begun.wait(120)
        said: list[str] = []
        with suppress(ConnectionClosedError):
            said.extend(map(str, socket))
        assert socket.close_code is not None
        return final_text(said), socket.close_code


def inside(server: ServerProcess, name: str) -> int:
    """A number of the server's metrics."""
    said = wire.answer_to(server, wire.head("GET", "/metrics", Connection="close")).body.decode()
    return next(int(float(line.split()[1])) for line in said.splitlines() if line.startswith(name))


def is_refused(server: ServerProcess) -> bool:
    """Whether newcomers are told to come back later, or elsewhere."""
    answer = wire.answer_to(server, wire.upload(spoken()[0].wav))
    try:
        connect(server.websocket_url + LIVE, compression=None, open_timeout=60).close()
    except (InvalidHandshake, OSError):
        return answer.status == 503 and "retry-after" in answer.headers
    return False


def test_clients_come_back_to_a_server_that_was_killed() -> None:
    with ServerProcess() as first:
        honest = Honest(first)
        port = first.port
        with ThreadPoolExecutor(16) as pool:
            places = {"now": first}
            uploads = [
                pool.submit(
                    reconnecting,
                    lambda n=number: patient_transcript(places["now"], spoken()[n].wav),
                )
                for number in range(4)
            ]
            sessions = [
                pool.submit(
                    reconnecting, lambda n=number: live_text(places["now"], spoken()[n].pcm, 0.3)
                )
                for number in range(4)
            ]
            until(lambda: inside(first, "quest22_live_sessions") > 0, 30)
            first.kill()
            with ServerProcess(port=port) as second:
                places["now"] = second
                for number, upload in enumerate(uploads):
                    assert upload.result(300) == honest.texts[number]
                for number, session in enumerate(sessions):
                    honest.compare_live(number, session.result(300))
