"""Recordings to play, joined with pauses, and what is said in them.

When each word had been said is told by the model's own transcript of the whole recording, bounded
by the speech that Silero finds: good to about a tenth of a second. A text beside a recording
(``talk.txt``, or the line of ``talk.wav`` in a ``manifest.jsonl``) is what was said; without one,
the model's transcript is, and error rates tell how far live text is from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quest22.bench.clips import read_clips
from quest22.bench.live.alignment import Heard, Said, align
from quest22.bench.live.offline import OfflineText, TimedWord, transcribe
from quest22.bench.live.reference import Sound, SpokenWord, joined
from quest22.bench.live.tokens import tokens_of
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples

ENDS = "about 0.1 s, from the model's own offline words and Silero"

PAUSE_S = 1.0
"""Between recordings that are joined."""

UTTERANCE_PAUSE_S = 0.6
"""Words with a longer pause between them are of two utterances."""


def recorded(inputs: Sequence[str], seconds: float, job: Mapping[str, Any], folder: Path) -> Sound:
    """The files' first ``seconds``, joined; whole files, but for the first.

    Raises :class:`UsageError` if nothing can be decoded.
    """
    files = _files(inputs, seconds)
    texts = transcribe(job, [samples for _, samples, _ in files], folder)
    sounds = [
        _with_pause(name, samples, spoken_words(found, text), found.language)
        for (name, samples, text), found in zip(files, texts, strict=True)
    ]
    name = sounds[0].name if len(sounds) == 1 else f"{len(sounds)} recordings"
    return joined(name, sounds)


def _files(inputs: Sequence[str], seconds: float) -> list[tuple[str, Samples, str | None]]:
    files: list[tuple[str, Samples, str | None]] = []
    for path in _paths(inputs):
        if seconds <= 0:
            break
        (samples,) = read_clips([str(path)], seconds)
        if files and len(samples) / SAMPLE_RATE_HZ >= seconds:
            break
        whole = len(samples) / SAMPLE_RATE_HZ < seconds
        files.append((path.name, samples, text_beside(path) if whole else None))
        seconds -= len(samples) / SAMPLE_RATE_HZ + PAUSE_S
    if not files:
        raise UsageError(f"no recordings in {', '.join(inputs)}: expected files or folders of them")
    return files


def _paths(inputs: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for each in map(Path, inputs):
        inside = sorted(each.iterdir()) if each.is_dir() else [each]
        found += [path for path in inside if path.suffix not in (".jsonl", ".txt", ".md")]
    if missing := [str(path) for path in found if not path.is_file()]:
        raise UsageError(f"{missing[0]} is no file: expected recordings, or folders of them")
    return found


def text_beside(path: Path) -> str | None:
    """What is said in a recording, from a text file or a manifest in its folder."""
    beside = path.with_suffix(".txt")
    if beside.is_file():
        return beside.read_text(encoding="utf-8").strip()
    manifest = path.with_name("manifest.jsonl")
    if manifest.is_file():
        for line in manifest.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("file") == path.name and isinstance(row.get("text"), str):
                return str(row["text"])
    return None


def spoken_words(found: OfflineText, text: str | None) -> list[SpokenWord]:
    """The words of a text with the times of those that the model heard in their places."""
    words = found.words
    utterances = _utterances(words)
    if text is None:
        return [
            SpokenWord(word.text, word.end_s, utterance)
            for word, utterance in zip(words, utterances, strict=True)
        ]
    if not words:
        return [SpokenWord(word, None, 0) for word in text.split()]
    heard_at = _aligned(text.split(), words, found.language)
    spoken, utterance = [], 0
    for word, at in zip(text.split(), heard_at, strict=True):
        utterance = utterance if at is None else utterances[at]
        spoken.append(SpokenWord(word, None if at is None else words[at].end_s, utterance))
    return spoken


def _utterances(words: Sequence[TimedWord]) -> list[int]:
    numbers, number = [], 0
    for at, word in enumerate(words):
        if at and word.start_s - words[at - 1].end_s > UTTERANCE_PAUSE_S:
            number += 1
        numbers.append(number)
    return numbers


def _aligned(
    said: Sequence[str], words: Sequence[TimedWord], language: str | None
) -> list[int | None]:
    """For each word that was said, the index of the one that was heard in its place."""
    of_said = [(token, at) for at, word in enumerate(said) for token in tokens_of(word, language)]
    of_heard = [
        (token, at) for at, word in enumerate(words) for token in tokens_of(word.text, language)
    ]
    pairs = align(
        [Said(token, 0.0) for token, _ in of_said], [Heard(token, 0.0) for token, _ in of_heard]
    )
    found: list[int | None] = [None] * len(said)
    for first, second in pairs:
        if first is not None and second is not None:
            found[of_said[first][1]] = of_heard[second][1]
    return found


def _with_pause(
    name: str, samples: Samples, words: Sequence[SpokenWord], language: str | None
) -> Sound:
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    return Sound(name, np.concatenate([samples, pause]), tuple(words), ENDS, language)
