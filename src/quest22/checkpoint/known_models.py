"""The short names of Whisper checkpoints, with their Hub ids and sizes, and which are better."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from quest22.checkpoint.config import Dimensions


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A checkpoint with a short name.

    ``parameters_m`` is in millions. ``download_mb`` is the approximate size of the weights on the
    Hub, None if unknown. ``multilingual`` is False for models trained on English alone.
    ``converted_ids`` are the same weights on the Hub as CTranslate2 folders.
    """

    name: str
    hub_id: str
    parameters_m: int
    download_mb: int | None
    multilingual: bool

    @property
    def converted_ids(self) -> tuple[str, ...]:
        return _CONVERTED.get(self.hub_id, ())

    @property
    def dimensions(self) -> Dimensions:
        """As in its ``config.json``, which need not be here."""
        return _dimensions(*_SHAPES[self.hub_id.rpartition("/")[2]])

    @property
    def languages(self) -> int:
        """How many languages it writes."""
        return language_count(self.dimensions.vocab_size) if self.multilingual else 1


_MULTILINGUAL_VOCABULARY = 51_865


def language_count(vocab_size: int) -> int:
    """How many languages a vocabulary of OpenAI's has: 1, 99 or 100.

    As openai/whisper's ``Whisper.num_languages`` has it.
    """
    return vocab_size - 51_766 if vocab_size >= _MULTILINGUAL_VOCABULARY else 1


def _dimensions(
    d_model: int, encoder_layers: int, decoder_layers: int, mel_bins: int, vocab_size: int
) -> Dimensions:
    """Heads of 64, feed-forward layers four times as wide, as in every model of OpenAI's."""
    return Dimensions(
        d_model=d_model,
        encoder_layers=encoder_layers,
        encoder_heads=d_model // 64,
        encoder_ffn=4 * d_model,
        decoder_layers=decoder_layers,
        decoder_heads=d_model // 64,
        decoder_ffn=4 * d_model,
        mel_bins=mel_bins,
        max_source_positions=1500,
        max_target_positions=448,
        vocab_size=vocab_size,
    )


_SHAPES = MappingProxyType(
    {
        "whisper-tiny": (384, 4, 4, 80, 51865),
        "whisper-tiny.en": (384, 4, 4, 80, 51864),
        "whisper-base": (512, 6, 6, 80, 51865),
        "whisper-base.en": (512, 6, 6, 80, 51864),
        "whisper-small": (768, 12, 12, 80, 51865),
        "whisper-small.en": (768, 12, 12, 80, 51864),
        "whisper-medium": (1024, 24, 24, 80, 51865),
        "whisper-medium.en": (1024, 24, 24, 80, 51864),
        "whisper-large": (1280, 32, 32, 80, 51865),
        "whisper-large-v2": (1280, 32, 32, 80, 51865),
        "whisper-large-v3": (1280, 32, 32, 128, 51866),
        "whisper-large-v3-turbo": (1280, 32, 4, 128, 51866),
        "distil-small.en": (768, 12, 4, 80, 51864),
        "distil-medium.en": (1024, 24, 2, 80, 51864),
        "distil-large-v2": (1280, 32, 2, 80, 51865),
        "distil-large-v3": (1280, 32, 2, 128, 51866),
        "distil-large-v3.5": (1280, 32, 2, 128, 51866),
    }
)
"""The end of an id on the Hub → width, layers of encoder and decoder, mel bins, vocabulary."""


_ROWS = (
    KnownModel("tiny", "openai/whisper-tiny", 39, 151, True),
    KnownModel("tiny.en", "openai/whisper-tiny.en", 39, 151, False),
    KnownModel("base", "openai/whisper-base", 74, 290, True),
    KnownModel("base.en", "openai/whisper-base.en", 74, 290, False),
    KnownModel("small", "openai/whisper-small", 244, 967, True),
    KnownModel("small.en", "openai/whisper-small.en", 244, 967, False),
    KnownModel("medium", "openai/whisper-medium", 769, 3056, True),
    KnownModel("medium.en", "openai/whisper-medium.en", 769, 3056, False),
    KnownModel("large-v1", "openai/whisper-large", 1550, 6174, True),
    KnownModel("large-v2", "openai/whisper-large-v2", 1550, 6174, True),
    KnownModel("large-v3", "openai/whisper-large-v3", 1550, 3087, True),
    KnownModel("large", "openai/whisper-large-v3", 1550, 3087, True),
    KnownModel("large-v3-turbo", "openai/whisper-large-v3-turbo", 809, 1618, True),
    KnownModel("turbo", "openai/whisper-large-v3-turbo", 809, 1618, True),
    KnownModel("distil-small.en", "distil-whisper/distil-small.en", 166, 332, False),
    KnownModel("distil-medium.en", "distil-whisper/distil-medium.en", 394, 789, False),
    KnownModel("distil-large-v2", "distil-whisper/distil-large-v2", 756, 1513, False),
    KnownModel("distil-large-v3", "distil-whisper/distil-large-v3", 756, 1513, False),
    KnownModel("distil-large-v3.5", "distil-whisper/distil-large-v3.5", 756, None, False),
)

_SYSTRAN = MappingProxyType(
    {
        "large": "large-v1",
        **{f"large-{version}": f"large-{version}" for version in ("v2", "v3")},
        **{size: size for size in ("tiny", "base", "small", "medium")},
        **{f"{size}.en": f"{size}.en" for size in ("tiny", "base", "small", "medium")},
    }
)
"""The end of OpenAI's names on the Hub → the end of Systran's."""

_CONVERTED = MappingProxyType(
    {
        **{
            f"openai/whisper-{theirs}": (
                f"Systran/faster-whisper-{ours}",
                f"guillaumekln/faster-whisper-{ours}",
            )
            for theirs, ours in _SYSTRAN.items()
        },
        "openai/whisper-large-v3-turbo": (
            "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
            "deepdml/faster-whisper-large-v3-turbo-ct2",
        ),
        **{
            f"distil-whisper/distil-{size}": (f"Systran/faster-distil-whisper-{size}",)
            for size in ("small.en", "medium.en", "large-v2", "large-v3")
        },
        "distil-whisper/distil-large-v3.5": ("distil-whisper/distil-large-v3.5-ct2",),
    }
)
"""Original → conversions, as faster-whisper (``_MODELS`` in its ``utils.py``) names them, now and
in former versions.
"""

KNOWN_MODELS = MappingProxyType({model.name: model for model in _ROWS})
"""Short name → checkpoint on the Hub, in order of size, without the embedded ones."""

EMBEDDED_MODELS = ("nano",)
"""Names of the checkpoints that come with the package."""

BEST_FIRST = (
    *("large-v3-turbo", "large-v3", "large-v2", "large-v1", "medium", "small", "base", "tiny"),
    *("distil-large-v3.5", "distil-large-v3", "distil-large-v2"),
    *("medium.en", "distil-medium.en", "small.en", "distil-small.en", "base.en", "tiny.en"),
)
"""Which of several checkpoints is taken where none is named.

Multilingual ones come first, because the others write English whatever is spoken; larger ones
before smaller ones. large-v3-turbo is as right as large-v2 with an eighth of its decoder's layers,
so it comes before the large models, which a CPU runs slower than real time.
"""
