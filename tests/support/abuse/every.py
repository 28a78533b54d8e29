"""Every abuse by its name."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.abuse import forms, requests, sockets, sounds
from tests.support.server_process import ServerProcess

Abuse = Callable[[ServerProcess, random.Random], None]

QUICK: tuple[Abuse, ...] = (
    requests.header_bombs,
    requests.header_names,
    requests.idle_connections,
    requests.pipelined,
    forms.multipart_bombs,
    forms.wrong_lengths,
    forms.addresses,
    forms.fetched_urls,
    sockets.no_text,
    sockets.json_bombs,
    sockets.wrong_frames,
    sockets.handshakes,
    sounds.wav_heads,
)
"""Those that take about a second."""

SLOW: tuple[Abuse, ...] = (
    requests.slow_headers,
    requests.slow_bodies,
    requests.piecemeal,
    requests.leaving_uploads,
    requests.unread_events,
    forms.file_names,
    sockets.tiny_messages,
    sockets.compressed_bombs,
    sockets.endless_message,
    sockets.leaving_sessions,
    sockets.silent_reader,
    sockets.unread_answers,
    sounds.opus_bomb,
)

ABUSES = {each.__name__: each for each in (*QUICK, *SLOW)}

FLAGS = ("--max-audio", "10m", "--max-latency", "1h", "--max-wait", "1h")
"""Of the server that stands them: one that takes no long recordings, and never is too busy."""
