"""Many honest clients at once: nothing of what was let in is lost, and nothing is mixed up."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from websockets.exceptions import InvalidStatus, WebSocketException

from tests.support.abuse import wire
from tests.support.abuse.honest import Honest, live_text, spoken
from tests.support.server_process import ServerProcess

WAIT_S = 600.0


def uploads_and_sessions(
    server: ServerProcess, honest: Honest, uploads: int, sessions: int, pace: float = 0.0
) -> None:
    """So many of each at once, and every text is that of its own recording."""
    sounds = spoken()
    with ThreadPoolExecutor(uploads + sessions) as pool:
        texts = [
            pool.submit(patient_transcript, server, sounds[number % len(sounds)].wav)
            for number in range(uploads)
        ]
        spoken_texts = [
            pool.submit(live_text, server, sounds[number % len(sounds)].pcm, pace)
            for number in range(sessions)
        ]
        for number, text in enumerate(texts):
            assert text.result(WAIT_S) == honest.texts[number % len(sounds)]
        for number, text in enumerate(spoken_texts):
            honest.compare_live(number % len(sounds), text.result(WAIT_S))


def patient_transcript(server: ServerProcess, sound: bytes) -> str:
    """The text of a recording, asked for again as often as the server says it has no room."""
    for _ in range(100):
        answer = wire.answer_to(server, wire.upload(sound, language="en"), WAIT_S)
        if answer.status != 503:
            assert answer.status == 200, (answer.status, answer.body[:500])
            return str(answer.json()["text"])
        time.sleep(min(2.0, float(answer.headers["retry-after"])))
    raise AssertionError("there was never any room")


def refused_sessions(server: ServerProcess, asked: int, room: int) -> None:
    """Of more sessions than there is room for, the rest is refused at the handshake."""
    pcm = spoken()[0].pcm
    with ThreadPoolExecutor(asked) as pool:
        done = [pool.submit(live_text, server, pcm, 0.5) for _ in range(asked)]
    refused = [each for each in map(_error, done) if each is not None]
    assert len(refused) <= asked - room
    assert refused
    for each in refused:
        assert isinstance(each, InvalidStatus), each
        assert each.response.status_code == 503
        assert int(each.response.headers["retry-after"]) >= 1


def _error(done: Future[str]) -> BaseException | None:
    return done.exception()


def reconnecting(connect: Callable[[], str], tries: int = 120, every_s: float = 0.5) -> str:
    """What a client gets that connects anew whenever it is cut off."""
    for _ in range(tries):
        with suppress(OSError, AssertionError, WebSocketException):
            return connect()
        time.sleep(every_s)
    raise AssertionError("it never came through")
