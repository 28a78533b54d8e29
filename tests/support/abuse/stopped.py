"""``python -m tests.support.abuse.stopped URL STAGE``: a client that begins and is stopped."""

from __future__ import annotations

import socket
import sys
import time
from urllib.parse import urlsplit

from tests.support.abuse import wire
from tests.support.abuse.honest import LIVE, spoken
from tests.support.abuse.sockets import REALTIME


def main(url: str, stage: str) -> None:
    sound, place = spoken()[0], urlsplit(url)
    request = wire.upload(sound.wav)
    client = socket.create_connection((place.hostname or "", place.port or 0))
    if stage == "headers":
        client.sendall(request[:40])
    elif stage == "body":
        client.sendall(request[: len(request) // 2])
    else:
        client.sendall(wire.handshake(REALTIME if stage == "realtime" else LIVE))
        client.recv(1)
        client.sendall(wire.frame(sound.pcm[:64_000]))
    print("begun", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
