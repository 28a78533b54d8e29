"""Corpora that are folders: Kaldi's data directories, LJSpeech, and text beside recordings.

A folder counts as one data file whose rows are in a fixed order. Its rows refer to recordings,
which are read when they are decoded. No command in a ``wav.scp`` is run.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeAlias

from quest22.errors import SourceError
from quest22.source.columns import Columns, Kind
from quest22.source.formats.foreign_text import as_named, decoded
from quest22.source.io.prefetch import Prefetcher
from quest22.source.limits import MAX_SIDE_FILE_BYTES, MIB
from quest22.source.listing import is_media, walk_media
from quest22.source.local_files import FileKind, exists, kind_of_path, problem_of_file
from quest22.source.locate import builder_of
from quest22.source.rows import NumberedRow, RowError, Values

SAMPLED_FILES = 1_000
MAX_TABLE_LINE_BYTES = 1 * MIB
SIDE_SUFFIXES = (".txt", ".normalized.txt", ".lab", ".trn", ".text")
_SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", "")
_COLUMNS = {
    "id": Kind.TEXT,
    "audio": Kind.AUDIO,
    "text": Kind.TEXT,
    "normalized_text": Kind.TEXT,
    "speaker": Kind.TEXT,
    "offset": Kind.NUMBER,
    "duration": Kind.NUMBER,
}

FolderRow: TypeAlias = Values | RowError


@dataclass(frozen=True, slots=True)
class Folder:
    """A corpus in a folder: its file of rows, the columns, and how its rows are read."""

    address: str
    columns: tuple[str, ...]
    read: Callable[[], Iterator[FolderRow]]


def folder_corpus(path: str, split: str) -> Folder | None:
    """The corpus in a folder; None if ``datasets`` is to find out what is in it.

    A folder below it that is named after the split is the split. Raises SourceError if there is
    none and the split is not the usual one.
    """
    below = Path(path) / split
    root = below if kind_of_path(below)[0] is FileKind.FOLDER else Path(path)
    found = _kaldi(root) or _ljspeech(root) or _beside(root)
    if found is not None and root != below and split != "train":
        raise SourceError(f"there is no split {split!r}: {path} has no folder of that name")
    return found


class FolderFormat:
    """The format of a :class:`Folder`."""

    starts_anywhere = True

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def kinds(self) -> dict[str, Kind]:
        return {name: _COLUMNS[name] for name in self._folder.columns}

    def project(self, columns: Columns) -> None:
        """Does nothing: rows are small."""

    def open(self, address: str, prefetcher: Prefetcher) -> _FolderRows:
        return _FolderRows(self._folder)


class _FolderRows:
    """The rows of a folder; a :class:`DataFile`."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @property
    def num_rows(self) -> int | None:
        return None

    def prefetch(self, start: int, only: Set[int] | None = None) -> None:
        """Does nothing: recordings are read when they are decoded."""

    def rows(self, start: int, only: Set[int] | None = None) -> Iterator[NumberedRow]:
        yield from islice(enumerate(self._folder.read()), start, None)

    def close(self) -> None:
        """Does nothing: files are open only while they are read."""


# Kaldi: wav.scp says where recordings are, segments which stretches of them are utterances


def _kaldi(root: Path) -> Folder | None:
    scp, segments = root / "wav.scp", root / "segments"
    if problem_of_file(scp) is not None:
        return None
    cut = problem_of_file(segments) is None
    columns = ("id", "audio", "text", "speaker", *(("offset", "duration") if cut else ()))
    address = str(segments if cut else scp)
    return Folder(address, columns, lambda: _kaldi_rows(root, cut))


def _kaldi_rows(root: Path, cut: bool) -> Iterator[FolderRow]:
    texts = dict(_table(root / "text"))
    speakers = dict(_table(root / "utt2spk"))
    if not cut:
        for utterance, place in _table(root / "wav.scp"):
            yield _utterance(root, utterance, place, texts, speakers)
        return
    places = dict(_table(root / "wav.scp"))
    for utterance, rest in _table(root / "segments"):
        recording, *times = rest.split() or [""]
        row = _utterance(root, utterance, places.get(recording, ""), texts, speakers)
        stretch = _stretch(times)
        if isinstance(row, RowError):
            yield row
        elif stretch is None:
            yield RowError(
                f"{root / 'segments'}: {utterance}: expected a recording, its start and its end in "
                "seconds"
            )
        else:
            yield {**row, **stretch}


def _stretch(times: list[str]) -> dict[str, float] | None:
    """Start and length in seconds; an end of −1 is that of the recording."""
    try:
        start, end = map(float, times[:2])
    except ValueError:
        return None
    if end < 0:
        return {"offset": start}
    return {"offset": start, "duration": end - start} if end > start else None


def _utterance(
    root: Path, name: str, place: str, texts: dict[str, str], speakers: dict[str, str]
) -> FolderRow:
    path = place
    if place.rstrip().endswith("|"):
        path = _decoded_file(place.rstrip().removesuffix("|")) or ""
        if not path:
            return RowError(f"{root / 'wav.scp'}: {name}: it is a command, and none is ever run")
    if not path:
        return RowError(f"{root / 'wav.scp'}: {name}: it names no recording")
    if not os.path.isabs(path) and not exists(root / path) and exists(path):  # noqa: PTH117 -- a str
        path = str(Path(path).resolve())  # Kaldi's paths are relative to where recipes run
    return {"id": name, "audio": path, "text": texts.get(name), "speaker": speakers.get(name)}


def _decoded_file(command: str) -> str | None:
    """The file of a command that does nothing but decode it, such as ``flac -c -d -s a.flac``."""
    try:
        program, *words = shlex.split(command)
    except ValueError:
        return None
    files = [word for word in words if not word.startswith("-")]
    if program not in {"cat", "flac"} or len(files) != 1 or set("|><;&$`*") & set(command):
        return None
    return files[0]


def _table(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a file of Kaldi: a name, white space, and the rest; none without the file."""
    if problem_of_file(path) is not None:
        return
    for line in _lines(path):
        name, _, rest = line.replace("\t", " ").partition(" ")
        if name:
            yield name, rest.strip()


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        while line := _line(file):
            yield as_named(line).strip()


def _line(file: BinaryIO) -> bytes:
    """The next line, up to a limit; the rest of a longer one is left out."""
    line = file.readline(MAX_TABLE_LINE_BYTES)
    rest = line
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(MAX_TABLE_LINE_BYTES)
    return line


# LJSpeech: metadata.csv without a header, recordings in wavs/


def _ljspeech(root: Path) -> Folder | None:
    table = root / "metadata.csv"
    if problem_of_file(table) is not None:
        return None
    cells = next(iter(_lines(table)), "").split("|")
    if len(cells) < 2 or not exists(root / _recording_of(root, cells[0])):
        return None
    columns = ("id", "audio", "text", *(("normalized_text",) if len(cells) > 2 else ()))
    return Folder(str(table), columns, lambda: _ljspeech_rows(root, table))


def _ljspeech_rows(root: Path, table: Path) -> Iterator[FolderRow]:
    for number, line in enumerate(_lines(table), 1):
        if not line:
            continue
        name, *texts = line.split("|")
        if not texts:
            yield RowError(f"{table}, line {number}: expected name|text")
            continue
        row = {"id": name, "audio": _recording_of(root, name), "text": texts[0]}
        yield {**row, "normalized_text": texts[-1]} if len(texts) > 1 else row


def _recording_of(root: Path, name: str) -> str:
    candidates = [f"wavs/{name}{suffix}" for suffix in _SOUND_SUFFIXES] + [name, f"{name}.wav"]
    found = (each for each in candidates if kind_of_path(root / each)[0] is FileKind.FILE)
    return next(found, candidates[0])


# Recordings, perhaps with text beside them: a.wav and a.txt, or LibriSpeech's *.trans.txt


def _beside(root: Path) -> Folder | None:
    if _holds_data_files(root):
        return None
    recordings = walk_media(str(root))
    tables: dict[str, dict[str, str]] = {}
    sampled = [path for path, problem in recordings[:SAMPLED_FILES] if problem is None]
    if not sampled:
        return None
    has_text = any(_text_beside(path, tables) is not None for path in sampled)
    columns = ("audio", "text") if has_text else ("audio",)
    return Folder(str(root / "*"), columns, lambda: _rows_beside(root))


def _holds_data_files(root: Path) -> bool:
    names = os.listdir(root)  # noqa: PTH208 -- names alone
    return any(builder_of(name) or name.startswith("metadata.") for name in names)


def _rows_beside(root: Path) -> Iterator[FolderRow]:
    tables: dict[str, dict[str, str]] = {}
    for path, problem in walk_media(str(root)):
        if problem is not None and not is_media(path):
            yield RowError(problem)
            continue
        text = _text_beside(path, tables)
        name = Path(path).relative_to(root).as_posix()
        yield text if isinstance(text, RowError) else {"audio": name, "text": text}


def _text_beside(path: str, tables: dict[str, dict[str, str]]) -> str | RowError | None:
    """The text of a recording, from a file with its name or a table in its folder."""
    stem = str(Path(path).with_suffix(""))
    for suffix in SIDE_SUFFIXES:
        side = f"{stem}{suffix}"
        if problem_of_file(side) is None:
            return _short_text(side)
    folder = str(Path(path).parent)
    if folder not in tables:
        tables.clear()  # those of other folders are not needed any more
        tables[folder] = {
            name: text
            for table in sorted(Path(folder).glob("*.trans.txt"))
            for name, text in _table(table)
        }
    return tables[folder].get(Path(stem).name)


def _short_text(path: str) -> str | RowError:
    with Path(path).open("rb") as file:
        content = file.read(MAX_SIDE_FILE_BYTES + 1)
    if len(content) > MAX_SIDE_FILE_BYTES:
        return RowError(f"{path}: it is longer than {MAX_SIDE_FILE_BYTES // MIB} MiB")
    return decoded(content)[0].strip()
