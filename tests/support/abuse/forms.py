"""Forms that are bombs, and names that are paths."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import quote

from tests.support.abuse import wire
from tests.support.abuse.honest import spoken
from tests.support.abuse.wire import BOUNDARY, END, FORM, field
from tests.support.server_process import ServerProcess

SOUND = field("file", b"RIFF", filename="a.wav")
DELIMITER = f"--{BOUNDARY}\r\n".encode()

BOMBS: dict[str, tuple[str, bytes]] = {
    "10,000 fields": (FORM, field("a", "b") * 10_000 + SOUND + END),
    "10,000 fields that are known": (FORM, field("prompt", "b") * 10_000 + SOUND + END),
    "10,000 recordings": (FORM, SOUND * 10_000 + END),
    "a part with a header without end": (FORM, DELIMITER + b"X: " + b"a" * 3_000_000),
    "a part with headers without end": (FORM, DELIMITER + b"X: a\r\n" * 300_000),
    "a field without end": (FORM, field("prompt", "a" * 5_000_000) + SOUND + END),
    "a name without end": (FORM, field("a" * 1_000_000, "b") + SOUND + END),
    "no boundary in the type": ("multipart/form-data", SOUND + END),
    "an empty boundary": ("multipart/form-data; boundary=", SOUND + END),
    "a boundary without end": (f"multipart/form-data; boundary={'b' * 20_000}", SOUND + END),
    "another boundary": ("multipart/form-data; boundary=x", SOUND + END),
    "no form": ("application/json", b'{"file": "a.wav"}'),
    "an address as a form": ("application/x-www-form-urlencoded", b"a=b&" * 1_000_000),
    "nothing": (FORM, b""),
    "nothing but an end": (FORM, END),
    "no end": (FORM, SOUND),
    "half a boundary": (FORM, SOUND + f"--{BOUNDARY[:5]}".encode()),
    "only dashes": (FORM, b"-" * 3_000_000),
    "only line ends": (FORM, b"\r\n" * 1_500_000),
    "a preamble": (FORM, b"a" * 3_000_000 + b"\r\n" + SOUND + END),
    "a form in a form": (
        FORM,
        DELIMITER
        + b'Content-Disposition: form-data; name="file"\r\n'
        + b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n"
        + b"--inner\r\n\r\nRIFF\r\n--inner--\r\n"
        + END,
    ),
    "parts without a name": (FORM, DELIMITER + b"\r\na\r\n" + SOUND + END),
    "a field that is no text": (FORM, field("language", b"\xff\xfe") + SOUND + END),
    "fields that are no numbers": (
        FORM,
        field("temperature", "nan") + field("temperature", "1e999") + SOUND + END,
    ),
    "a list without end": (
        FORM,
        field("timestamp_granularities[]", "word") * 500 + SOUND + END,
    ),
    "a recording that is none": (FORM, field("file", bytes(3_000_000), filename="a.mp3") + END),
    "a recording of random bytes": (
        FORM,
        field("file", random.Random(1).randbytes(3_000_000), filename="a.ogg") + END,
    ),
    "a playlist that names other files": (
        FORM,
        field("file", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", filename="a.m3u8") + END,
    ),
    "a list that names other files": (
        FORM,
        field("file", b"ffconcat version 1.0\nfile /etc/passwd\n", filename="a.ffconcat") + END,
    ),
}
"""Name → the type and the body of a form that is refused."""


def multipart_bombs(server: ServerProcess, chance: random.Random) -> None:
    """Forms that are large, endless, or none: each is refused in OpenAI's shape."""
    del chance
    for name, (kind, body) in BOMBS.items():
        answer = wire.answer_to(server, wire.posted(body, kind))
        assert answer.refused, (name, answer)
        if answer.status:
            assert answer.json()["error"]["message"], (name, answer)


def wrong_lengths(server: ServerProcess, chance: random.Random) -> None:
    """Bodies that are shorter or longer than their heads say, with and without chunks."""
    del chance
    body = wire.form(spoken()[0].wav)
    for stated in (len(body) + 100, 10**12, 10**30):
        request = wire.head("POST", wire.TRANSCRIPTIONS, Content_Type=FORM, Content_Length=stated)
        with server.connect(20) as each:
            each.sendall(request + body[:1000])
            each.shutdown(1)
            answer = wire.read_answer(each)
        assert answer.refused, (stated, answer)
    short = wire.head("POST", wire.TRANSCRIPTIONS, Content_Type=FORM, Content_Length=200)
    assert wire.answer_to(server, short + body).refused


NAMES = (
    "../../../../tmp/quest22-escaped.wav",
    "/tmp/quest22-escaped.wav",
    "..\\..\\quest22-escaped.wav",
    "C:\\quest22-escaped.wav",
    "a\0.wav",
    "a.wav\0.txt",
    "%2e%2e%2fquest22-escaped.wav",
    "a" * 3000 + ".wav",
    "http://user:secret@127.0.0.1/a.wav",
    "file:///etc/passwd",
    "|touch quest22-escaped.wav",
    "con",
    "",
    "\u202ewav.a",
)


def file_names(server: ServerProcess, chance: random.Random) -> None:
    """Names of recordings that are paths: none is a path here, and none is told to anyone."""
    sound = spoken()[chance.randrange(len(spoken()))].wav
    expected = wire.answer_to(server, wire.upload(sound)).json()["text"]
    for name in NAMES:
        answer = wire.answer_to(server, wire.upload(sound, filename=name))
        assert answer.status in (200, 400), (name, answer)
        if answer.status == 200:
            assert answer.json()["text"] == expected, name
    for folder in (Path("/tmp"), Path(), Path("/")):
        assert not (folder / "quest22-escaped.wav").exists()
    assert "quest22-escaped" not in server.log


ADDRESSES = (
    *(f"/v1/models/{quote(each.replace('escaped', 'model'), safe='')}" for each in NAMES if each),
    "/v1/models/../../etc/passwd",
    "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/v1/models/nano%2f..%2f..",
    "/v1/models/%00",
    "/v1/models/%ff%fe",
    "/v1/models/%zz",
    "/../../etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/static/../../etc/passwd",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/static/%5c..%5c",
    "//etc/passwd",
    "/v1//models/../audio",
    "http://user:secret@127.0.0.1/nowhere",
    "/v1/audio/transcriptions/../../../health/..",
    "*",
)


def addresses(server: ServerProcess, chance: random.Random) -> None:
    """Addresses that mean to leave their place: no such thing is here."""
    del chance
    for address in ADDRESSES:
        answer = wire.answer_to(server, wire.head("GET", address, Connection="close"))
        assert answer.refused, (address, answer)
        assert b"root:" not in answer.body


URLS = (
    "file:///etc/passwd",
    "http://user:unspoken@127.0.0.1:1/a.wav",
    "http://127.0.0.1:1/a.wav",
    "http://[::1]:1/a.wav",
    "http://0x7f000001/a.wav",
    "http://2130706433/a.wav",
    "http://localhost%00.example.org/a.wav",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1\\@example.org/a.wav",
    "gopher://127.0.0.1/",
    "data:audio/wav;base64,UklGRg==",
    "concat:/etc/passwd|/etc/group",
    "subfile,,start,0,end,9,,:/etc/passwd",
    "",
)


def fetched_urls(server: ServerProcess, chance: random.Random) -> None:
    """Addresses of recordings that only the server could reach: none is fetched."""
    del chance
    for url in URLS:
        body = b'{"url": "%s"}' % url.replace("\\", "\\\\").encode()
        request = wire.posted(body, "application/json", "/v1/listen?model=nano")
        answer = wire.answer_to(server, request)
        assert answer.refused, (url, answer)
        assert b"root:" not in answer.body
        assert b"unspoken" not in answer.body
    assert "unspoken" not in server.log
