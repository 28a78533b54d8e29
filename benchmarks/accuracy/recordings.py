"""Sets of recordings with transcripts: a folder for each, with a ``manifest.jsonl``.

A manifest has one line of JSON for each recording: ``file``, ``text``, and, where known,
``language``, ``duration_s`` and ``part``. Without ``part``, rows are "even" and "odd" in turn, so
that choices can be made on one half and checked on the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quest22.audio.decode import MediaDecoder
from quest22.errors import UsageError
from quest22.evaluation.texts import known_code
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, WINDOW_S, Clip, Origin, Samples
from quest22.settings import AudioSettings

MANIFEST = "manifest.jsonl"
MARK = "made-from.txt"
"""Written last into a folder of made recordings: what they were made from."""

HALVES = ("even", "odd")


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, what is said in it, and the part of its set that it belongs to.

    ``language`` is Whisper's code, None if unknown; ``text`` is empty if nobody speaks.
    """

    path: Path
    text: str
    language: str | None
    duration_s: float
    part: str

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class RecordingSet:
    """The recordings of one folder, in the order of its manifest."""

    name: str
    recordings: tuple[Recording, ...]

    @property
    def is_long(self) -> bool:
        """Whether its recordings are on average longer than Whisper's window of 30 s."""
        total_s = sum(each.duration_s for each in self.recordings)
        return total_s > WINDOW_S * len(self.recordings)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its parts, as they first appear."""
        return tuple(dict.fromkeys(each.part for each in self.recordings))

    def of(self, part: str, language: str | None = None) -> tuple[Recording, ...]:
        """The recordings of a part; with a language, those in it or in an unknown one."""
        wanted = (None, language)
        return tuple(
            each
            for each in self.recordings
            if each.part == part and (language is None or each.language in wanted)
        )


def read_sets(folder: Path) -> list[RecordingSet]:
    """The sets within a folder, by name; raises :class:`UsageError` if there are none."""
    sets = [read_set(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    if not sets:
        raise UsageError(
            f"{folder} has no recordings: expected folders with a {MANIFEST}; name another folder "
            "with --speech or QUEST22_SPEECH"
        )
    return sets


def read_set(folder: Path) -> RecordingSet:
    """One set; raises :class:`UsageError` for a line without ``file`` or ``text``."""
    lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    rows = [(number, line) for number, line in enumerate(lines) if line.strip()]
    recordings = tuple(_recording(folder, number, line) for number, line in rows)
    return RecordingSet(folder.name, recordings)


def _recording(folder: Path, number: int, line: str) -> Recording:
    row = json.loads(line)
    if missing := [name for name in ("file", "text") if name not in row]:
        raise UsageError(
            f"{folder / MANIFEST}, line {number + 1}: expected {' and '.join(missing)} in it"
        )
    path = folder / row["file"]
    duration_s = row.get("duration_s")
    return Recording(
        path=path,
        text=row["text"],
        language=known_code(row.get("language")),
        duration_s=len(decoded(path)) / SAMPLE_RATE_HZ if duration_s is None else duration_s,
        part=row.get("part", HALVES[number % 2]),
    )


def decoded(path: Path) -> Samples:
    """A file's samples as the product decodes them; raises :class:`quest22.errors.ClipError`."""
    clip = Clip(str(path), str(path), path, Origin(str(path)))
    blocks = list(MediaDecoder(AudioSettings(), Metrics()).decode(clip).blocks)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def is_made(folder: Path, recipe: str) -> bool:
    """Whether a folder holds a complete set that was made from this."""
    mark = folder / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8") == recipe


def write_set(folder: Path, made: Iterable[tuple[Recording, Samples]], recipe: str) -> None:
    """Store made recordings as 16-bit FLAC, their manifest, and what they were made from."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).unlink(missing_ok=True)
    rows = []
    for recording, samples in made:
        soundfile.write(folder / recording.name, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
        rows.append({"file": recording.name} | _described(recording))
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / MARK).write_text(recipe, encoding="utf-8")


def _described(recording: Recording) -> dict[str, Any]:
    """A row of a manifest, but for the file's name."""
    row = asdict(recording)
    del row["path"]
    return row


def fingerprint(sets: Sequence[RecordingSet], version: int) -> str:
    """A digest of what is said in which files, and of a recipe's version."""
    digest = hashlib.sha256(str(version).encode())
    for each in sets:
        for recording in each.recordings:
            digest.update(f"{each.name}/{recording.name}/{recording.text}\n".encode())
    return digest.hexdigest()
