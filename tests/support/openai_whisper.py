"""openai/whisper itself on the same weights: a checkpoint's folder, converted in memory."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.openai_weights import openai_name
from quest22.records import Samples


class OpenaiWhisper:
    """``whisper.model.Whisper`` in float32 over a checkpoint's folder."""

    def __init__(self, folder: Path) -> None:
        self._torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        self._torch.set_num_threads(1)  # threads that wait for one another crawl on a busy machine
        self._whisper = pytest.importorskip("whisper", reason="openai-whisper is not installed")
        config = json.loads((folder / "config.json").read_text())
        self.model = self._whisper.model.Whisper(_dimensions(self._whisper, config)).eval()
        self.model.load_state_dict(self._weights(folder))
        heads = json.loads((folder / "generation_config.json").read_text())["alignment_heads"]
        mask = self._torch.zeros(config["decoder_layers"], config["decoder_attention_heads"])
        for layer, head in heads:
            mask[layer, head] = 1
        self.model.register_buffer("alignment_heads", mask.bool().to_sparse(), persistent=False)

    def decode(self, features: NDArray[np.float32], **options: Any) -> Any:
        """One window's ``DecodingResult``; ``features`` are ``[mel bins, 3000]``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = self._whisper.DecodingOptions(fp16=False, **options)
            return self.model.decode(self._torch.from_numpy(features), asked)

    def language_probabilities(self, features: NDArray[np.float32]) -> dict[str, float]:
        """The probability of each language in one window; ``features`` are ``[mel bins, 3000]``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its vocabulary's file open
            _, shares = self.model.detect_language(self._torch.from_numpy(features))
            return dict(shares)

    def transcribe(self, samples: Samples, **options: Any) -> dict[str, Any]:
        """A recording's text, segments and language."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            heard: dict[str, Any] = self.model.transcribe(samples, fp16=False, **options)
            return heard

    def log_mel(self, samples: Samples) -> NDArray[np.float32]:
        """Features of a whole recording and 30 s of silence behind it."""
        made = self._whisper.log_mel_spectrogram(samples, self.model.dims.n_mels, padding=480_000)
        features: NDArray[np.float32] = made.numpy()
        return features

    def alignment(
        self, samples: Samples, text: Sequence[int], language: str, task: str = "transcribe"
    ) -> list[Any]:
        """Words with times for the text tokens of up to 30 s, as ``find_alignment`` finds them."""
        from whisper.timing import find_alignment

        features = self._torch.from_numpy(self.log_mel(samples))
        window = self._whisper.pad_or_trim(features, 3000)
        tokenizer = self.tokenizer(language, task)
        found: list[Any] = find_alignment(
            self.model, tokenizer, list(text), window, features.shape[-1] - 3000
        )
        return found

    def tokenizer(self, language: str, task: str = "transcribe") -> Any:
        """That of the multilingual vocabulary."""
        count = self.model.num_languages
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its vocabulary's file open
            return self._whisper.tokenizer.get_tokenizer(
                True, num_languages=count, language=language, task=task
            )

    def _weights(self, folder: Path) -> Mapping[str, Any]:
        from safetensors.torch import load_file

        stored = load_file(folder / "model.safetensors")
        return {
            openai_name(name.removeprefix("model.")): tensor.float()
            for name, tensor in stored.items()
            if not name.startswith("proj_out")
        }


def _dimensions(whisper: Any, config: Mapping[str, Any]) -> Any:
    return whisper.model.ModelDimensions(
        n_mels=config["num_mel_bins"],
        n_audio_ctx=config["max_source_positions"],
        n_audio_state=config["d_model"],
        n_audio_head=config["encoder_attention_heads"],
        n_audio_layer=config["encoder_layers"],
        n_vocab=config["vocab_size"],
        n_text_ctx=config["max_target_positions"],
        n_text_state=config["d_model"],
        n_text_head=config["decoder_attention_heads"],
        n_text_layer=config["decoder_layers"],
    )
