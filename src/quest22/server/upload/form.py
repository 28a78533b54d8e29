"""A form with one recording, which can be used while it arrives.

The other fields may come before or after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from quest22.server.refusal import Refusal
from quest22.server.upload.body import Body
from quest22.server.upload.growing_file import GrowingFile
from quest22.server.upload.multipart import MultipartReader, PartStart
from quest22.server.upload.receiving import concurrently
from quest22.server.upload.temporary_space import TemporarySpace

MAX_FIELD_BYTES = 64 << 10
MAX_FORM_BYTES = 1 << 20
"""Limit of everything but the recording: fields, headers and boundaries."""
GRACE_S = 0.2
"""How long to wait for the rest of a form: most are then complete, and no field comes later."""


class Form:
    """What has arrived so far: ``fields`` as names and values, and the recording."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.file: GrowingFile | None = None
        self.suffix = ""
        self.complete = asyncio.Event()
        self._file_began = asyncio.Event()

    async def begun(self, needed: str) -> None:
        """Wait until transcription can begin.

        That is when the recording has begun and the field ``needed`` has arrived, or at the end.
        """
        await self._file_began.wait()
        if not any(name == needed for name, _ in self.fields):
            await self.complete.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.complete.wait(), GRACE_S)

    def begin_file(self, file: GrowingFile, suffix: str) -> None:
        """The recording begins."""
        self.file, self.suffix = file, suffix
        self._file_began.set()

    def end(self) -> None:
        """Everything has arrived."""
        self.complete.set()
        self._file_began.set()


@asynccontextmanager
async def receiving_form(
    body: Body,
    content_type: str,
    file_name: str,
    check: Callable[[str], None],
    space: TemporarySpace,
) -> AsyncIterator[Form]:
    """Receive a form whose part ``file_name`` is a recording, while the block runs.

    ``check`` is called with the name of each field as it begins, and may raise :class:`Refusal`.
    ``space`` is where large recordings are counted. Errors end the block as in
    :func:`quest22.server.upload.receiving.receiving`.
    """
    form = Form()
    reader = MultipartReader(content_type)
    receiver = _FormReceiver(form, reader, body.stated_bytes, file_name, check, space)

    async def receive() -> None:
        async for data in body:
            await receiver.feed(data)
        receiver.end()
        await body.gone()

    try:
        async with concurrently(receive()):
            yield form
    finally:
        if form.file is not None:
            form.file.close()


class _FormReceiver:
    """Fills a form from the parts of a body."""

    def __init__(
        self,
        form: Form,
        reader: MultipartReader,
        stated_bytes: int | None,
        file_name: str,
        check: Callable[[str], None],
        space: TemporarySpace,
    ) -> None:
        self._form = form
        self._reader = reader
        self._stated_bytes = stated_bytes
        self._file_name = file_name
        self._check = check
        self._space = space
        self._part: PartStart | None = None
        self._value = bytearray()
        self._in_file = False
        self._overhead_bytes = 0

    async def feed(self, data: bytes) -> None:
        self._overhead_bytes += len(data)
        for event in self._reader.feed(data):
            if isinstance(event, PartStart):
                self._begin(event)
            elif event is None:
                self._end_part()
            elif self._in_file and self._form.file is not None:
                self._overhead_bytes -= len(event)
                await self._form.file.add(event)
            else:
                self._add(event)
        if self._overhead_bytes > MAX_FORM_BYTES:
            raise Refusal(
                "too_large", f"the fields of the form are larger than {MAX_FORM_BYTES >> 20} MiB"
            )

    def end(self) -> None:
        self._reader.end()
        self._form.end()

    def _begin(self, part: PartStart) -> None:
        self._part = part
        self._in_file = part.name == self._file_name
        if not self._in_file:
            self._check(part.name)
            if part.is_file:
                raise Refusal(
                    "bad_request",
                    f"the form has a file {part.name!r}: expected the recording as "
                    f"{self._file_name!r}, and no other",
                    parameter=part.name,
                )
            return
        if self._form.file is not None:
            raise Refusal(
                "bad_request", "the form has two recordings: expected one", parameter=part.name
            )
        stated = self._stated_bytes
        expected = None if stated is None else stated - part.offset - self._reader.closing_bytes
        self._form.begin_file(GrowingFile(self._space, expected), part.suffix)

    def _add(self, data: bytes) -> None:
        self._value += data
        if len(self._value) > MAX_FIELD_BYTES:
            name = self._part.name if self._part else ""
            raise Refusal(
                "too_large",
                f"the field {name!r} is larger than {MAX_FIELD_BYTES >> 10} KiB",
                parameter=name,
            )

    def _end_part(self) -> None:
        if self._in_file and self._form.file is not None:
            self._form.file.finish()
        elif self._part is not None:
            try:
                self._form.fields.append((self._part.name, self._value.decode()))
            except UnicodeDecodeError as exc:
                raise Refusal(
                    "bad_request",
                    f"the field {self._part.name!r} is not UTF-8 text",
                    parameter=self._part.name,
                ) from exc
        self._value.clear()
        self._part, self._in_file = None, False
