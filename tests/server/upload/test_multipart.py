"""The parts of a form, however its bytes are divided."""

from __future__ import annotations

import pytest

from quest22.server.refusal import Refusal
from quest22.server.upload.multipart import MAX_PARTS, MultipartReader, PartStart

TYPE = "multipart/form-data; boundary=xx"


def part(name: str, value: bytes, more: str = "") -> bytes:
    return (
        f'--xx\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        + value
        + b"\r\n"
    )


def parts(body: bytes, step: int) -> list[tuple[str, bool, str, bytes]]:
    reader = MultipartReader(TYPE)
    found: list[tuple[PartStart, bytes]] = []
    content = b""
    begun = None
    for start in range(0, len(body), step):
        for event in reader.feed(body[start : start + step]):
            if isinstance(event, PartStart):
                begun, content = event, b""
            elif event is None:
                assert begun is not None
                found.append((begun, content))
                assert body[begun.offset :].startswith(content)
            else:
                content += event
    reader.end()
    return [(each.name, each.is_file, each.suffix, content) for each, content in found]


BODY = (
    part("model", b"nano")
    + part("file", b"\r\n--x\r\n-- sound", '; filename="../../a/talk.MP3"')
    + part("empty", b"")
    + b"--xx--\r\n"
)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10_000])
def test_parts(step: int) -> None:
    assert parts(BODY, step) == [
        ("model", False, "", b"nano"),
        ("file", True, ".mp3", b"\r\n--x\r\n-- sound"),
        ("empty", False, "", b""),
    ]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.wav", ".wav"),
        ("", ""),
        ("C:\\x\\y.ogg", ".ogg"),
        ("a.tar.gz", ".gz"),
        ("a./../../etc", ""),
        ("a.b c", ""),
        ("a.waytoolongsuffix", ""),
        ("ä.ä", ""),
    ],
)
def test_only_the_suffix_of_a_file_name_is_kept(name: str, suffix: str) -> None:
    body = part("file", b"x", f'; filename="{name}"') + b"--xx--\r\n"
    assert parts(body, 1000) == [("file", True, suffix, b"x")]


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=a"]
)
def test_what_is_no_form(content_type: str) -> None:
    with pytest.raises(Refusal, match="expected multipart/form-data"):
        MultipartReader(content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary",
        b"--xx\r\nContent-Disposition: form-data\r\n\r\nx\r\n--xx--\r\n",
        b"--xx\r\nX: " + b"a" * 10_000,
        b"--xx\r\n" + b"A: b\r\n" * 100,
        part("a", b"") * (MAX_PARTS + 1),
    ],
)
def test_forms_that_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        list(MultipartReader(TYPE).feed(body))


def test_a_boundary_that_is_too_long() -> None:
    with pytest.raises(Refusal):
        MultipartReader(f"multipart/form-data; boundary={'x' * 5000}")
