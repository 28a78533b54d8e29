"""Transformers' Whisper on the same weights: the truth that engines are compared with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.records import DecodingOptions


class WhisperReference:
    """``WhisperForConditionalGeneration`` in float32 over a checkpoint's folder."""

    def __init__(self, folder: Path) -> None:
        self._torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        self._torch.set_num_threads(1)  # threads that wait for one another crawl on a busy machine
        transformers = pytest.importorskip("transformers", reason="Transformers is not installed")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        model = transformers.WhisperForConditionalGeneration
        self.model = model.from_pretrained(folder, dtype=self._torch.float32).eval()

    def tokens(self, features: NDArray[np.float32], decoding: DecodingOptions) -> tuple[int, ...]:
        """Text and timestamp tokens that ``generate`` chooses for one window's features."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = self.model.generate(
                self._torch.from_numpy(features[None]),
                force_unique_generate_call=True,
                do_sample=False,
                num_beams=1,
                **self._options(decoding),
            )[0].tolist()
        return self._after_prompt(made)

    def token_ends(
        self, features: NDArray[np.float32], frames: int, decoding: DecodingOptions
    ) -> tuple[tuple[int, ...], list[float]]:
        """Text tokens, and where ``generate`` says each ends, in seconds.

        ``features`` are one window's, ``frames`` of them hold sound.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = self.model.generate(
                self._torch.from_numpy(features[None]),
                return_token_timestamps=True,
                num_frames=frames,
                do_sample=False,
                num_beams=1,
                **self._options(decoding),
            )
        tokens = made["sequences"][0].tolist()
        ends = made["token_timestamps"][0].tolist()
        eot = self.model.generation_config.eos_token_id
        text = [(token, end_s) for token, end_s in zip(tokens, ends, strict=True) if token < eot]
        return tuple(token for token, _ in text), [end_s for _, end_s in text]

    def logits(self, features: NDArray[np.float32], tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits after each of ``tokens``: ``[T, vocabulary]``."""
        with self._torch.no_grad():
            outcome = self.model(
                input_features=self._torch.from_numpy(features[None]),
                decoder_input_ids=self._torch.tensor([list(tokens)]),
            )
        logits: NDArray[np.float32] = outcome.logits[0].numpy()
        return logits

    def _options(self, decoding: DecodingOptions) -> dict[str, Any]:
        config = self.model.generation_config
        options: dict[str, Any] = {"return_timestamps": decoding.timestamps}
        if config.is_multilingual:
            options |= {"language": decoding.language, "task": decoding.task}
        if decoding.max_new_tokens is not None:
            options["max_new_tokens"] = decoding.max_new_tokens
        if decoding.previous:
            prompt = [config.prev_sot_token_id, *decoding.previous]
            options["prompt_ids"] = self._torch.tensor(prompt)
        return options

    def _after_prompt(self, made: Sequence[int]) -> tuple[int, ...]:
        """Without prompt, control tokens and what follows the end of text."""
        config = self.model.generation_config
        begin = config.no_timestamps_token_id + 1
        start = (
            made.index(config.decoder_start_token_id)
            if config.decoder_start_token_id in made
            else 0
        )
        body = list(made[start:])
        eot = config.eos_token_id
        body = body[: body.index(eot)] if eot in body else body
        return tuple(token for token in body if token < eot or token >= begin)
