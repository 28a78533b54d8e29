"""What a shorter audio context costs on sound that grows, as that of a live session does.

    python -m benchmarks.audio_context MODEL [--speech FOLDER] [--clips N]

Recordings are cut at every half second, within words too, and each beginning is transcribed
greedily, with the whole context of 30 s and with shorter ones. What is right is the reference up
to the cut: an alignment of the reference with the whole recording says which words were spoken
until then, and the word at the cut may be there or not. Text that is doubtful in a short context is
heard again in full, as always; the table says how often. Times are processor time of one core.
The whole context is decoded without a draft, and its text is the draft in the shorter ones. Prints
a table of docs/live.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.accuracy.recordings import Recording, decoded, read_set
from benchmarks.speech_folder import speech_folder
from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.word_splitting import split_to_words
from quest22.decoding.alignment import ENCODER_FRAMES_PER_S, AlignmentInput
from quest22.engine.backend import CrossKV, Features
from quest22.engine.build import open_backend
from quest22.engine.engine import WhisperEngine
from quest22.evaluation.normalise import basic, english
from quest22.evaluation.score import ErrorRate, word_errors
from quest22.metrics import Metrics
from quest22.records import (
    SAMPLE_RATE_HZ,
    AudioContext,
    DecodingOptions,
    Samples,
    SearchOptions,
    Window,
)
from quest22.settings import EngineSettings

SETS = ("fleurs5x10", "en_commonvoice100", "en_ljspeech30")
STEP_S, LONGEST_S = 0.5, 28.0
LEAST_FRAMES = 384
MARGINS = (None, 320, 256, 128, 64)
"""Encoder frames of silence after the sound; None: the whole context."""


class CountingBackend:
    """A backend that counts the windows that it encodes."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.encoded = 0
        self._backend = open_backend(checkpoint, EngineSettings(threads=1, batch_size=1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def encode(self, features: Sequence[Callable[[], Features]]) -> CrossKV:
        """As a backend does."""
        self.encoded += len(features)
        return self._backend.encode(features)


@dataclass(slots=True)
class Tally:
    """What came of the windows in one context."""

    errors: ErrorRate
    windows: int = 0
    same: int = 0
    doubted: int = 0
    processor_s: float = 0.0


class Study:
    """Transcribes beginnings of recordings in all contexts, and counts."""

    def __init__(self, model: str) -> None:
        self._checkpoint = load(model)
        self._features = LogMel(self._checkpoint.dimensions.mel_bins, 1)
        self._backend: Any = CountingBackend(self._checkpoint)
        self._engine = WhisperEngine(self._checkpoint, self._backend, self._features, Metrics())
        self.tallies = {margin: Tally(ErrorRate()) for margin in MARGINS}

    def add(self, recording: Recording) -> None:
        """Cut a recording at every half second, and transcribe what is before the cut."""
        samples = decoded(recording.path)
        words = list(self._spoken(samples, recording))
        for number in range(1, int(len(samples) / SAMPLE_RATE_HZ / STEP_S) + 1):
            cut_s = number * STEP_S
            said = [text for text, end_s in words if end_s <= cut_s]
            right = ["".join(said), "".join(text for text, _ in words[: len(said) + 1])]
            self._compare(samples[: round(cut_s * SAMPLE_RATE_HZ)], right, recording.language)

    def _spoken(self, samples: Samples, recording: Recording) -> Iterator[tuple[str, float]]:
        """The words of the reference, and when each ends in seconds."""
        tokens = self._checkpoint.tokens
        language = recording.language if tokens.is_multilingual else None
        start = tokens.initial_tokens(language, "transcribe", timestamps=False)
        text = tuple(tokens.encode(" " + recording.text.strip()))
        frames = len(samples) * ENCODER_FRAMES_PER_S // SAMPLE_RATE_HZ
        cross_kv = self._backend.encode([lambda: self._features(samples)])
        (found,) = self._backend.align(cross_kv, [AlignmentInput(0, start, text, frames)])
        words = split_to_words(text, tokens, language)
        for word, stop in zip(words, accumulate(len(each.tokens) for each in words), strict=True):
            yield word.text, found.bounds_s[stop]

    def _compare(self, samples: Samples, right: Sequence[str], language: str | None) -> None:
        draft: tuple[int, ...] = ()
        for margin, tally in self.tallies.items():
            options = DecodingOptions(
                language if self._checkpoint.tokens.is_multilingual else None,
                search=SearchOptions(max_repeats=3),
                audio_context=_context(len(samples), margin),
                draft=draft,
            )
            encoded, begun = self._backend.encoded, time.process_time()
            (heard,) = self._engine.run([Window(samples, 0.0, options)])
            tally.processor_s += time.process_time() - begun
            tally.doubted += self._backend.encoded - encoded - 1
            tally.windows += 1
            draft = draft if tally is not self.tallies[None] else heard.tokens
            tally.same += heard.tokens == draft
            normalize = english if language == "en" else basic
            text = self._checkpoint.tokens.decode(heard.tokens)
            tally.errors += min(
                (word_errors(each, text, normalize) for each in right), key=lambda each: each.errors
            )


def _context(samples: int, margin: int | None) -> AudioContext:
    """Seconds of context for so much sound and a margin in frames."""
    if margin is None:
        return "full"
    sound = samples * ENCODER_FRAMES_PER_S / SAMPLE_RATE_HZ
    return max(sound + margin, LEAST_FRAMES) / ENCODER_FRAMES_PER_S


def _print_table(tallies: dict[int | None, Tally]) -> None:
    print("\n| frames beyond the sound | word error rate | as in full | heard again | ms |")
    print("|---|---|---|---|---|")
    for margin, tally in tallies.items():
        rate, of = tally.errors.rate or 0.0, max(tally.windows, 1)
        print(
            f"| {margin or 'full'} | {rate:.2%} | {tally.same / of:.1%} "
            f"| {tally.doubted / of:.2%} | {1000 * tally.processor_s / of:.0f} |",
            flush=True,
        )


def main() -> int:
    """Print the table, and again after every tenth recording."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audio_context")
    parser.add_argument("model")
    parser.add_argument("--speech", type=Path, default=speech_folder())
    parser.add_argument("--clips", type=int, default=60, help="recordings of each set, at most")
    given = parser.parse_args()
    study, done = Study(given.model), 0
    for name in SETS:
        recordings = [
            each
            for each in read_set(given.speech / name).recordings
            if each.duration_s <= LONGEST_S and (each.language == "en" or ".en" not in given.model)
        ]
        for recording in recordings[:: max(1, -(-len(recordings) // given.clips))]:
            study.add(recording)
            done += 1
            if done % 10 == 0:
                print(f"\n{given.model}: {done} recordings", end="")
                _print_table(study.tallies)
    print(f"\n{given.model}: {done} recordings, {study.tallies[None].windows} beginnings", end="")
    _print_table(study.tallies)
    return 0


if __name__ == "__main__":
    sys.exit(main())
