"""Measures that need more than a transcript: no-speech probabilities and word timings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from quest22.audio.mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine.openvino.engine import OpenVinoEngine
from quest22.meter import Meter
from quest22.records import Decoding, Window
from quest22.settings import EngineSettings
from recipes.nano.acoustics import RATE_HZ
from recipes.nano.narration import Narration
from recipes.nano.synthesis.spoken import Samples

BATCH = 16
SPACE = "Ġ"


def no_speech_probabilities(
    model: str, sounds: Sequence[Samples], compute_type: str
) -> list[float]:
    """What the engine thinks of sounds of up to 30 s, at the start of the transcript."""
    checkpoint = load(model)
    settings = EngineSettings(model, compute_type=compute_type, batch_size=BATCH)
    features = LogMel(checkpoint.dimensions.mel_bins)
    engine = OpenVinoEngine(checkpoint, features, settings, Meter())
    decoding = Decoding(language="en", max_new_tokens=1)
    windows = [Window(sound, 0.0, decoding) for sound in sounds]
    found: list[float] = []
    for begin in range(0, len(windows), BATCH):
        found += [one.no_speech_prob for one in engine.run(windows[begin : begin + BATCH])]
    return found


def word_time_errors(model: str, trials: Sequence[Narration]) -> list[float]:
    """Distances of word starts (s) from the synthesiser's marks, where the words are right."""
    reference = WhisperForConditionalGeneration.from_pretrained(model, dtype=torch.float32)
    processor = WhisperProcessor.from_pretrained(model)
    errors: list[float] = []
    for trial in trials:
        features = processor(trial.samples, sampling_rate=RATE_HZ, return_tensors="pt")
        out = reference.generate(
            features.input_features, language=trial.language, task="transcribe",
            return_token_timestamps=True, num_beams=1,
        )  # fmt: skip
        starts = _word_starts(processor, out["sequences"][0], out["token_timestamps"][0])
        said = trial.said[0]
        truth = list(zip(said.text.split(), said.word_starts_s, strict=True))
        if [word for word, _ in starts] == [word for word, _ in truth]:
            pairs = zip(starts, truth, strict=True)
            errors += [abs(found - true) for (_, found), (_, true) in pairs]
    return errors


def _word_starts(
    processor: WhisperProcessor, tokens: torch.Tensor, times: torch.Tensor
) -> list[tuple[str, float]]:
    """Words and the time of their first token."""
    words: list[tuple[list[int], float]] = []
    for token, time in zip(tokens.tolist(), times.tolist(), strict=True):
        if token >= processor.tokenizer.eos_token_id:
            continue
        piece = processor.tokenizer.convert_ids_to_tokens(token)
        if piece.startswith(SPACE) or not words:
            words.append(([], time))
        words[-1][0].append(token)
    return [(processor.tokenizer.decode(ids).strip(), time) for ids, time in words]
