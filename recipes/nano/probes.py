"""Word timings from cross attention, by the reference implementation's own method."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from recipes.nano.acoustics import RATE_HZ
from recipes.nano.narration import Narration

BATCH = 20
SPACE = "Ġ"


def word_time_errors(model: str, trials: Sequence[Narration]) -> list[float]:
    """Distances of word starts (s) from the synthesiser's marks, where the words are right.

    All trials must be in one language and of one sentence each.
    """
    reference = WhisperForConditionalGeneration.from_pretrained(model, dtype=torch.float32)
    processor = WhisperProcessor.from_pretrained(model)
    errors: list[float] = []
    for begin in range(0, len(trials), BATCH):
        batch = trials[begin : begin + BATCH]
        sounds = [trial.samples for trial in batch]
        features = processor(
            sounds, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True
        )
        out = reference.generate(
            **features, language=batch[0].language, task="transcribe",
            return_token_timestamps=True, num_beams=1,
        )  # fmt: skip
        for trial, tokens, times in zip(
            batch, out["sequences"], out["token_timestamps"], strict=True
        ):
            errors += _errors(trial, _word_starts(processor, tokens, times))
    return errors


def _errors(trial: Narration, starts: list[tuple[str, float]]) -> list[float]:
    said = trial.said[0]
    words = said.text.split()
    if not said.marked or [word for word, _ in starts] != words:
        return []
    pairs = zip(starts, said.word_starts_s, strict=True)
    return [abs(found - true) for (_, found), true in pairs]


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
