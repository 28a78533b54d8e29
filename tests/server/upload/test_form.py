"""A form with a recording, which is worked on while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from quest22.server.refusal import Refusal
from quest22.server.upload.body import Body
from quest22.server.upload.form import MAX_FIELD_BYTES, receiving_form
from quest22.server.upload.temporary_space import TemporarySpace
from tests.server.upload.test_multipart import TYPE, part
from tests.server.upload.test_receiving import sender

END = b"--xx--\r\n"
FILE = part("file", b"sound", '; filename="a.wav"')
MODEL = part("model", b"nano")


def nothing(_: str) -> None:
    pass


async def received(pieces: Sequence[bytes]) -> tuple[list[tuple[str, str]], bytes]:
    body = Body(sender(*pieces), len(b"".join(pieces)), 10_000_000)  # type: ignore[arg-type]
    async with receiving_form(body, TYPE, "file", nothing, TemporarySpace()) as form:
        await form.begun("model")
        await form.complete.wait()
        assert form.file is not None
        assert form.suffix == ".wav"
        assert form.file.expected_bytes is not None
        assert form.file.expected_bytes >= form.file.size
        return form.fields, await asyncio.to_thread(form.file.open().read)


@pytest.mark.parametrize("pieces", [[MODEL, FILE, END], [FILE, MODEL, END], [FILE + MODEL + END]])
def test_the_file_may_come_first_or_last(pieces: list[bytes]) -> None:
    assert asyncio.run(received(pieces)) == ([("model", "nano")], b"sound")


def test_work_begins_while_the_file_still_comes() -> None:
    async def work() -> bytes:
        body = Body(sender(MODEL, FILE[:-4], at_end=False), None, 10_000)  # type: ignore[arg-type]
        async with receiving_form(body, TYPE, "file", nothing, TemporarySpace()) as form:
            await form.begun("model")
            assert not form.complete.is_set()
            assert form.file is not None
            return await asyncio.to_thread(form.file.open().read, 2)

    assert asyncio.run(work()) == b"so"


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([MODEL, FILE], "incomplete"),
        ([MODEL, FILE, FILE, END], "two recordings"),
        ([MODEL, part("other", b"x", '; filename="b"'), FILE, END], "and no other"),
        ([part("prompt", b"\xff"), FILE, END], "UTF-8"),
        ([part("prompt", b"x" * (MAX_FIELD_BYTES + 1)), FILE, END], "larger than 64 KiB"),
        ([*[part("a", b"x" * MAX_FIELD_BYTES)] * 17, FILE, END], "larger than 1 MiB"),
    ],
)
def test_forms_that_are_refused(pieces: list[bytes], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        asyncio.run(received(pieces))


def test_a_field_is_refused_as_it_begins() -> None:
    def check(name: str) -> None:
        raise Refusal("bad_request", f"no {name}")

    async def work() -> None:
        body = Body(sender(MODEL, at_end=False), None, 10_000)  # type: ignore[arg-type]
        async with receiving_form(body, TYPE, "file", check, TemporarySpace()) as form:
            await form.begun("model")

    with pytest.raises(Refusal, match="no model"):
        asyncio.run(work())
