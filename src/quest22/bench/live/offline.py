"""The same model's transcript of the whole sound, in a process of its own: what live text may be.

Its words' times, bounded by the speech that Silero finds, also tell when the words of a recording
had been said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from quest22.api import Transcriber
from quest22.audio.vad.endpoints import Endpointer, EndpointRules, Span
from quest22.audio.vad.silero.model import SileroModel
from quest22.errors import Quest22Error
from quest22.records import SAMPLE_RATE_HZ, Samples, Transcript

PAUSE_MS = 100
"""Silence of this length bounds a word."""

SNAP_S = 0.3
"""The last word before a pause ends with the speech, if it is as near to its end as this."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a transcript with its times in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class OfflineText:
    """A transcript, its words, and its language."""

    text: str
    words: tuple[TimedWord, ...]
    language: str | None


def transcribe(
    job: Mapping[str, Any], sounds: Sequence[Samples], folder: Path
) -> list[OfflineText]:
    """Transcribe sounds in another process, whose memory and threads are gone afterwards.

    Raises :class:`Quest22Error` if it fails.
    """
    file = folder / "offline.npz"
    np.savez(file, *sounds)
    done = subprocess.run(
        [sys.executable, "-m", "quest22.bench.live.offline"],
        input=json.dumps({**job, "samples": str(file)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Quest22Error(f"the offline transcript failed: {lines[-1] if lines else 'no reason'}")
    return [
        OfflineText(text, tuple(TimedWord(*word) for word in words), language)
        for text, language, words in json.loads(done.stdout)
    ]


def main() -> None:
    """Read a job, write the transcripts."""
    job = json.loads(sys.stdin.readline())
    options = {"language": job["language"], "word_timestamps": True}
    with np.load(job["samples"]) as stored:
        sounds = list(stored.values())
    with Transcriber(job["model"], **job["model_options"]) as whisper:
        found = [_row(whisper.transcribe(samples, **options), samples) for samples in sounds]
    json.dump(found, sys.stdout)


def _row(found: Transcript, samples: Samples) -> tuple[Any, ...]:
    words = [
        TimedWord(word.text.strip(), word.start_s, word.end_s)
        for segment in found.segments
        for word in segment.words or ()
    ]
    timed = within_speech(words, speech_spans(samples))
    rows = [(word.text, word.start_s, word.end_s) for word in timed]
    return found.text, found.language, rows


def speech_spans(samples: Samples) -> list[Span]:
    """Where Silero hears speech, cut at every short pause."""
    stream = SileroModel().open()
    rules = EndpointRules(min_silence=PAUSE_MS * SAMPLE_RATE_HZ // 1000, pad=0)
    endpointer, spans = Endpointer(rules), list[Span]()
    for probability in np.concatenate([stream.feed(samples), stream.flush()]):
        spans += endpointer.feed(float(probability))
    return [*spans, *endpointer.flush(len(samples))]


def within_speech(words: list[TimedWord], spans: list[Span]) -> list[TimedWord]:
    """Words that end no later than the speech they begin in, and the last of it with it."""
    ends = np.array([span.end / SAMPLE_RATE_HZ for span in spans])
    bounded: list[TimedWord] = []
    for word, after in zip_longest(words, words[1:]):
        at = int(np.searchsorted(ends, word.start_s, side="right"))
        end_s = word.end_s
        if at < len(ends):
            is_last = after is None or after.start_s >= ends[at]
            near = is_last and abs(ends[at] - end_s) <= SNAP_S
            end_s = float(ends[at]) if near else min(end_s, float(ends[at]))
        bounded.append(replace(word, end_s=max(end_s, word.start_s)))
    return bounded


if __name__ == "__main__":
    main()
