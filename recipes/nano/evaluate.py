"""``python -m recipes.nano.evaluate``: measure nano through the product and write its table.

Text, languages and times come from the product's own greedy decoding; word timings from the
reference implementation's cross attention.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from quest22.api import Transcriber
from quest22.records import Transcript
from quest22.score import error_rate
from recipes.nano.config import load
from recipes.nano.narration import Narration
from recipes.nano.pack import FOLDER
from recipes.nano.probes import no_speech_probabilities, word_time_errors
from recipes.nano.trials import LANGUAGES, Examiner

NO_SPEECH_FROM = 0.6
NOISES = ("white", "pink", "babble")
Figures = dict[str, float]


class Exam:
    """One checkpoint before the examiner; every measure returns figures by name."""

    def __init__(self, model: Path, examiner: Examiner, compute_type: str) -> None:
        self._model, self._examiner, self._compute_type = str(model), examiner, compute_type

    def clean(self) -> Figures:
        """Known and unseen voices, detected languages, and the times of single clips."""
        figures: Figures = {}
        right, total = 0, 0
        for language in LANGUAGES:
            for name in ("known", "unseen"):
                trials = getattr(self._examiner, name)(language)
                heard = self._heard(trials)
                right += sum(one.language == language for one in heard)
                total += len(heard)
                told = self._heard(trials, language=language)
                figures[f"wer {name} {language}"] = _wer(trials, told)
                if name == "known":
                    timed = self._heard(trials, language=language, timestamps=True)
                    figures |= _times(f"single {language}", trials, timed)
                figures[f"speech called silence {name} {language}"] = self._silenced(trials)
        figures["language right"] = right / total
        return figures

    def noisy(self) -> Figures:
        """Known voices at 10 dB of white, pink and babble noise."""
        figures: Figures = {}
        for language in LANGUAGES:
            for noise in NOISES:
                trials = self._examiner.noisy(language, noise)
                heard = self._heard(trials, language=language)
                figures[f"wer {noise} noise {language}"] = _wer(trials, heard)
                figures[f"speech called silence {noise} {language}"] = self._silenced(trials)
        return figures

    def packed(self) -> Figures:
        """Full windows with and without timestamps."""
        figures: Figures = {}
        for language in LANGUAGES:
            trials = self._examiner.packed(language)
            plain = self._heard(trials, language=language)
            timed = self._heard(trials, language=language, timestamps=True)
            figures[f"wer packed {language}"] = _wer(trials, plain)
            figures[f"wer packed with times {language}"] = _wer(trials, timed)
            figures |= _times(f"packed {language}", trials, timed)
        return figures

    def translated(self) -> Figures:
        """Russian speech in English words, against the grammar's own translation."""
        trials = self._examiner.known("ru")
        heard = self._heard(trials, language="ru", task="translate")
        pairs = [(one.translation, text.text) for one, text in zip(trials, heard, strict=True)]
        return {"wer translation ru-en": error_rate(pairs).rate or 0.0}

    def nothing(self) -> Figures:
        """How often silence, noise, tones and music are known as no speech."""
        figures: Figures = {}
        everything: list[float] = []
        for name, sounds in self._examiner.nothing().items():
            found = no_speech_probabilities(self._model, sounds, self._compute_type)
            figures[f"no speech in {name}"] = float(np.mean(np.array(found) > NO_SPEECH_FROM))
            everything += found
        figures["no speech right"] = float(np.mean(np.array(everything) > NO_SPEECH_FROM))
        return figures

    def words(self) -> Figures:
        """Word timings against the synthesisers' own marks."""
        figures: Figures = {}
        for language in LANGUAGES:
            trials = self._examiner.known(language)[:100]
            errors = word_time_errors(self._model, trials)
            figures[f"word start median s {language}"] = median(errors)
            figures[f"word start p90 s {language}"] = float(np.quantile(errors, 0.9))
            figures[f"words matched {language}"] = float(len(errors))
        return figures

    def _heard(self, trials: list[Narration], **options: object) -> list[Transcript]:
        given: dict[str, Any] = {"compute_type": self._compute_type, **options}
        return list(
            Transcriber(self._model, **given).transcribe_many(one.samples for one in trials)
        )

    def _silenced(self, trials: list[Narration]) -> float:
        sounds = [one.samples for one in trials]
        found = no_speech_probabilities(self._model, sounds, self._compute_type)
        return float(np.mean(np.array(found) > NO_SPEECH_FROM))


def _wer(trials: list[Narration], heard: list[Transcript]) -> float:
    pairs = [(one.text, text.text) for one, text in zip(trials, heard, strict=True)]
    return error_rate(pairs).rate or 0.0


def _times(name: str, trials: list[Narration], heard: list[Transcript]) -> Figures:
    """Errors of segment edges, over clips whose number of segments is right."""
    errors, matched = [], 0
    for one, text in zip(trials, heard, strict=True):
        if len(one.said) != len(text.segments):
            continue
        matched += 1
        for said, segment in zip(one.said, text.segments, strict=True):
            errors += [abs(said.start_s - segment.start_s), abs(said.end_s - segment.end_s)]
    if not errors:
        return {f"segments right {name}": 0.0}
    return {
        f"segment time median s {name}": median(errors),
        f"segment time p95 s {name}": float(np.quantile(errors, 0.95)),
        f"segments right {name}": matched / len(trials),
    }


PARTS = ("clean", "noisy", "packed", "translated", "nothing", "words")


def main() -> None:
    """Measure and write ``evaluation.json`` beside the training state."""
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
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (config.cache / "evaluation.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
