"""``python -m recipes.nano.evaluate``: measure nano with the product and write its model card.

Text, languages, times and silence come from the product's own engine and greedy decoding; words'
times and the sample dataset go through the whole product.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from quest22.api import Transcriber
from quest22.evaluation.score import error_rate
from quest22.records import DecodingOptions, Transcript, Word
from recipes.nano.card import card
from recipes.nano.config import load
from recipes.nano.narration import Narration
from recipes.nano.pack import FOLDER
from recipes.nano.probes import word_start_errors
from recipes.nano.samples import FOLDER as SAMPLES
from recipes.nano.trials import LANGUAGES, Examiner
from recipes.nano.window_decoder import DecodedWindow, WindowDecoder

NO_SPEECH_FROM = 0.6
NOISES = ("white", "pink", "babble")
Figures = dict[str, float]


class Exam:
    """One checkpoint before the examiner; every measure returns figures by name."""

    def __init__(self, model: Path, examiner: Examiner, compute_type: str) -> None:
        self._model, self._examiner = str(model), examiner
        self._compute_type = compute_type
        self._decoder = WindowDecoder(self._model, compute_type)

    def clean(self) -> Figures:
        """Known and unheard voices, and their languages, which nobody tells."""
        figures: Figures = {}
        right: list[bool] = []
        for language in LANGUAGES:
            for name in ("known", "unseen"):
                trials = getattr(self._examiner, name)(language)
                heard = self._hear(trials, DecodingOptions())
                right += [one.language == language for one in heard]
                figures |= _texts(name, language, trials, heard)
                figures[f"speech called silence {name} {language}"] = _silence(heard)
        return figures | {"language right": float(np.mean(right))}

    def times(self) -> Figures:
        """Segment times in single clips."""
        figures: Figures = {}
        for language in LANGUAGES:
            trials = self._examiner.known(language)
            heard = self._hear(trials, DecodingOptions(language, timestamps=True))
            figures |= _times(f"single {language}", trials, heard)
            figures |= _texts("single with times", language, trials, heard)
        return figures

    def noisy(self) -> Figures:
        """Known voices at 10 dB of white, pink and babble noise."""
        figures: Figures = {}
        for language in LANGUAGES:
            for noise in NOISES:
                trials = self._examiner.noisy(language, noise)
                heard = self._hear(trials, DecodingOptions())
                figures |= _texts(f"{noise} noise", language, trials, heard)
                figures[f"speech called silence {noise} {language}"] = _silence(heard)
        return figures

    def packed(self) -> Figures:
        """Full windows with and without timestamps."""
        figures: Figures = {}
        for language in LANGUAGES:
            trials = self._examiner.packed(language)
            plain = self._hear(trials, DecodingOptions(language))
            timed = self._hear(trials, DecodingOptions(language, timestamps=True))
            figures |= _texts("packed", language, trials, plain)
            figures |= _texts("packed with times", language, trials, timed)
            figures |= _times(f"packed {language}", trials, timed)
        return figures

    def translated(self) -> Figures:
        """Russian speech in English words, against the grammar's own translation."""
        trials = self._examiner.known("ru")
        heard = self._hear(trials, DecodingOptions("ru", task="translate"))
        pairs = [(one.translation, text.text) for one, text in zip(trials, heard, strict=True)]
        return {"wer translation ru-en": error_rate(pairs).rate or 0.0}

    def nothing(self) -> Figures:
        """How often silence, noise, tones and music are known as no speech."""
        figures: Figures = {}
        everything: list[DecodedWindow] = []
        for name, sounds in self._examiner.nothing().items():
            heard = self._decoder.decode(sounds, DecodingOptions("en"))
            figures[f"no speech in {name}"] = _silence(heard)
            figures[f"no words in {name}"] = float(np.mean([not h.text.strip() for h in heard]))
            everything += heard
        return figures | {"no speech right": _silence(everything)}

    def words(self) -> Figures:
        """Starts of words against the synthesisers' own marks."""
        figures: Figures = {}
        for language in LANGUAGES:
            trials = self._examiner.known(language)
            product = Transcriber(
                self._model, compute_type=self._compute_type, language=language,
                word_timestamps=True,
            )  # fmt: skip
            texts = product.transcribe_many(trial.samples for trial in trials)
            errors = [
                error
                for trial, text in zip(trials, texts, strict=True)
                for error in word_start_errors(trial, list(_words(text)))
            ] or [float("inf")]
            figures[f"word start median s {language}"] = median(errors)
            figures[f"word start p90 s {language}"] = float(np.quantile(errors, 0.9))
            figures[f"words timed {language}"] = float(len(errors))
        return figures

    def samples(self) -> Figures:
        """The demo's dataset through the whole product, long clips in overlapping windows."""
        figures: Figures = {}
        rows = [row for path in sorted(SAMPLES.glob("*.parquet")) for row in _rows(path)]
        product = Transcriber(self._model, compute_type=self._compute_type)
        texts = product.transcribe_many(row["audio"]["bytes"] for row in rows)
        heard = [one.text for one in texts]
        for language in LANGUAGES:
            pairs = [
                (row["text"], text)
                for row, text in zip(rows, heard, strict=True)
                if row["language"] == language
            ]
            figures[f"wer samples {language}"] = error_rate(pairs).rate or 0.0
        return figures

    def _hear(self, trials: Sequence[Narration], decoding: DecodingOptions) -> list[DecodedWindow]:
        return self._decoder.decode([one.samples for one in trials], decoding)


def _words(text: Transcript) -> Iterator[Word]:
    for segment in text.segments:
        yield from segment.words or ()


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def _silence(heard: Sequence[DecodedWindow]) -> float:
    return float(np.mean([one.no_speech > NO_SPEECH_FROM for one in heard]))


def _texts(
    name: str, language: str, trials: Sequence[Narration], heard: Sequence[DecodedWindow]
) -> Figures:
    pairs = [(one.text, text.text) for one, text in zip(trials, heard, strict=True)]
    return {f"wer {name} {language}": error_rate(pairs).rate or 0.0}


def _times(name: str, trials: Sequence[Narration], heard: Sequence[DecodedWindow]) -> Figures:
    """Errors of segment edges, over clips whose number of segments is right."""
    errors: list[float] = []
    matched = 0
    for one, text in zip(trials, heard, strict=True):
        if len(one.said) != len(text.spans_s):
            continue
        matched += 1
        for said, (start_s, end_s) in zip(one.said, text.spans_s, strict=True):
            errors += [abs(said.start_s - start_s), abs(said.end_s - end_s)]
    errors = errors or [float("inf")]
    return {
        f"segment time median s {name}": median(errors),
        f"segment time p95 s {name}": float(np.quantile(errors, 0.95)),
        f"segments right {name}": matched / len(trials),
    }


PARTS = ("clean", "times", "noisy", "packed", "translated", "nothing", "words", "samples")


def main() -> None:
    """Measure; with all parts, also write the model card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=FOLDER)
    parser.add_argument("--count", type=int, default=300, help="sentences a language, condition")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--compute-type", default="auto")
    options = parser.parse_args()
    config = load()
    exam = Exam(options.model, Examiner.of(config, options.count), options.compute_type)
    figures: Figures = {}
    for part in options.parts:
        begin = time.monotonic()
        found = getattr(exam, part)()
        figures |= found
        for name, value in found.items():
            print(f"{name:42} {value:.4f}", flush=True)
        print(f"-- {part}: {time.monotonic() - begin:.0f} s", flush=True)
    if set(options.parts) == set(PARTS):
        text = card(figures, options.count)
        (options.model / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    kept = json.dumps(figures, indent=1, ensure_ascii=False)
    (config.cache / "evaluation.json").write_text(kept + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
