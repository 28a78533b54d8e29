"""Files that grow while somebody speaks: whole whenever the program dies.

Each final segment is appended at once, in one piece. A file that cannot be written for a while, as
on a full disk, gets what it missed with a later segment; captions go on meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from quest22.errors import SinkError, UsageError
from quest22.records import LiveEvent
from quest22.settings import CaptionSettings
from quest22.sink.files import AppendedFile, make_folder
from quest22.sink.formats.live_documents import LIVE_FORMATS, live_document, live_format

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """A file, and its format of :data:`LIVE_FORMATS`."""

    path: Path
    format: str


def parse_live_outputs(named: Iterable[str]) -> tuple[LiveOutput, ...]:
    """``talk.srt,jsonl,vtt`` as ``talk.srt``, ``talk.jsonl`` and ``talk.vtt``; each file once.

    Raises :class:`UsageError` for a file whose suffix is no format.
    """
    found: dict[Path, LiveOutput] = {}
    for text in named:
        before: Path | None = None
        for part in filter(None, (part.strip() for part in text.split(","))):
            output = _output(part, before)
            before = output.path
            found[output.path] = output
    return tuple(found.values())


def _output(part: str, before: Path | None) -> LiveOutput:
    path = Path(part)
    if before is not None and path.name == part and "." not in part.lstrip("."):
        name = live_format(part.lstrip("."))
        return LiveOutput(before.with_suffix(f".{name}"), name)
    suffix = path.suffix.removeprefix(".")
    if not suffix or path.name == f".{suffix}":
        raise UsageError(
            f"output {part!r} has no suffix that names its format: expected a file such as "
            f"talk.srt, or talk.srt,jsonl (formats: {', '.join(LIVE_FORMATS)})"
        )
    return LiveOutput(path, live_format(suffix))


def check_live_outputs(outputs: Iterable[LiveOutput], *, overwrite: bool) -> None:
    """Make the folders of files, and write none.

    Raises :class:`UsageError` if a file exists and is not to be replaced, :class:`SinkError` if its
    folder cannot be made or written to.
    """
    for output in outputs:
        if not overwrite and output.path.exists():
            raise UsageError(
                f"{output.path} exists: choose another --output, or replace it with --overwrite"
            )
        with _named(output.path):
            make_folder(output.path.parent)


class LiveFiles:
    """The files of one session, begun at once. Raises as :func:`check_live_outputs`."""

    def __init__(
        self, outputs: Sequence[LiveOutput], settings: CaptionSettings, *, overwrite: bool = False
    ) -> None:
        check_live_outputs(outputs, overwrite=overwrite)
        self._files = [_LiveFile(output, settings) for output in outputs]

    def add(self, event: LiveEvent) -> None:
        """Append a final event to each."""
        for file in self._files:
            file.add(event)

    def close(self) -> None:
        """Make the files durable. Raises :class:`SinkError` if something is missing in one."""
        with ExitStack() as closing:
            for file in reversed(self._files):
                closing.callback(file.close)


def numbered(outputs: Sequence[LiveOutput], number: int, *, taken: bool) -> list[LiveOutput]:
    """The files of another session beside the first: ``talk-2.srt`` for ``talk.srt``.

    ``taken``: numbers of which a file exists are passed over.
    """
    while True:
        found = [_with_number(output, number) for output in outputs]
        if not taken or not any(output.path.exists() for output in found):
            return found
        number += 1


def _with_number(output: LiveOutput, number: int) -> LiveOutput:
    return output if number == 1 else _with_suffix(output, str(number))


def suffixed(outputs: Iterable[LiveOutput], name: str) -> list[LiveOutput]:
    """The files of a channel by its name: ``talk-left.srt`` for ``talk.srt`` and ``[LEFT]``."""
    suffix = name.strip("[]").lower().replace(" ", "-")
    return [_with_suffix(output, suffix) for output in outputs]


def _with_suffix(output: LiveOutput, suffix: str) -> LiveOutput:
    path = output.path
    return LiveOutput(path.with_name(f"{path.stem}-{suffix}{path.suffix}"), output.format)


class _LiveFile:
    def __init__(self, output: LiveOutput, settings: CaptionSettings) -> None:
        self._path = output.path
        self._document = live_document(output.format, settings)
        self._file = AppendedFile(output.path)
        self._missing = ""
        with _named(self._path):
            self._file.write(self._document.head)

    def add(self, event: LiveEvent) -> None:
        """Append what a final event adds, and what could not be written before."""
        is_behind = bool(self._missing)
        self._missing += self._document.add(event)
        if not self._missing:
            return
        try:
            self._file.write(self._missing)
        except SinkError as exc:
            if not is_behind:
                logger.warning(
                    "cannot write %s: %s; captions go on, and each segment tries again",
                    self._path,
                    _reason(exc),
                )
            return
        self._missing = ""
        if is_behind:
            logger.warning("%s has all that it missed", self._path)

    def close(self) -> None:
        try:
            if self._missing:
                self._file.write(self._missing)
            self._file.close()
        except SinkError as exc:
            raise SinkError(
                f"{self._path} lacks its last captions: {_reason(exc)}; free some space, and copy "
                "them from the terminal"
            ) from exc


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of writing in the words of this command, which has no folder of outputs."""
    try:
        yield
    except SinkError as exc:
        raise SinkError(f"cannot write {path}: {_reason(exc)}") from exc


def _reason(error: SinkError) -> str:
    """What the system said of a file that cannot be written."""
    cause = error.__cause__
    return getattr(cause, "strerror", None) or str(cause or error)
