"""Chooses the long form of each clip by its settings, and refuses what the model cannot do."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from quest22.errors import UsageError
from quest22.protocols import ConfiguredStrategy, LongForm
from quest22.records import SAMPLE_RATE_HZ, Clip
from quest22.settings.clip_options import ClipOptions, ClipSettings

if TYPE_CHECKING:
    from quest22.audio.log_mel import LogMel
    from quest22.audio.vad.silero.model import SileroModel
    from quest22.checkpoint.load import Checkpoint
    from quest22.decoding.logits_rules import LogitsRulesCache

TURBO_LAYERS = (32, 4)
"""Layers of the encoder and the decoder of large-v3-turbo, and of no other model."""

RECENT_SETTINGS = 64
"""So many settings have their strategies at hand."""

_log = logging.getLogger("quest22")


class PerClipStrategy:
    """Opens clips of one checkpoint: see :class:`quest22.protocols.Strategy`.

    Chunked or sequential, with or without voice activity detection: as a clip's settings say;
    ``settings`` are those of clips without options. May be used from several threads.
    """

    def __init__(self, checkpoint: Checkpoint, features: LogMel, settings: ClipSettings) -> None:
        self._checkpoint = checkpoint
        self._features = features
        self._settings = settings
        self._recent: dict[ClipSettings, ConfiguredStrategy] = {}

    def open(self, clip: Clip, options: ClipOptions | None = None) -> LongForm:
        return self.configured(options).open(clip)

    def configured(self, options: ClipOptions | None = None) -> ConfiguredStrategy:
        """The strategy for all clips with these options.

        Raises :class:`UsageError` for what the checkpoint or the long form cannot do.
        """
        settings = self._settings if options is None else options.applied_to(self._settings)
        strategy = self._recent.pop(settings, None) or self._build(settings)
        self._recent[settings] = strategy
        for oldest in list(self._recent)[:-RECENT_SETTINGS]:
            self._recent.pop(oldest, None)
        return strategy

    def _build(self, settings: ClipSettings) -> ConfiguredStrategy:
        self._check_decoding(settings)
        check_long_form(settings)
        strategy = self._long_form(settings)
        return strategy if settings.vad.vad == "off" else self._vad_filtered(strategy, settings)

    def _long_form(self, settings: ClipSettings) -> ConfiguredStrategy:
        from quest22.audio.mel_stream import LogMelStream
        from quest22.longform.chunked import ChunkedStrategy
        from quest22.longform.sequential import SequentialStrategy

        arguments = (
            settings.longform,
            settings.decoding,
            self._checkpoint.tokens,
            settings.hallucination,
        )
        if settings.longform.long_form == "chunked":
            return ChunkedStrategy(*arguments, packed=settings.vad.vad != "off")
        return SequentialStrategy(*arguments, lambda: LogMelStream(self._features))

    def _vad_filtered(
        self, strategy: ConfiguredStrategy, settings: ClipSettings
    ) -> ConfiguredStrategy:
        """The strategy, given nothing but speech."""
        from quest22.audio.vad.endpoints import EndpointRules
        from quest22.audio.vad.speech_stream import SpeechStream
        from quest22.longform.vad_filtered import VadFilteredStrategy, VadFilterOptions

        rules = EndpointRules.of(settings.vad, settings.longform)
        window = round(settings.longform.chunk_length_s * SAMPLE_RATE_HZ)
        options = VadFilterOptions(
            whole_spans=settings.longform.long_form == "chunked",
            whole_clip=window if settings.vad.vad == "auto" else 0,
            language=settings.decoding.language,
        )
        silero = self._silero
        return VadFilteredStrategy(strategy, lambda: SpeechStream(silero.open(), rules), options)

    @cached_property
    def _silero(self) -> SileroModel:
        from quest22.audio.vad.silero.model import SileroModel

        return SileroModel()

    @cached_property
    def _rules(self) -> LogitsRulesCache:
        from quest22.decoding.logits_rules import LogitsRulesCache

        checkpoint = self._checkpoint
        vocabulary = checkpoint.dimensions.vocab_size
        return LogitsRulesCache(checkpoint.tokens, checkpoint.generation, vocabulary)

    def _check_decoding(self, settings: ClipSettings) -> None:
        """Refuse what the checkpoint cannot do now, not at the first window.

        A model that was never taught to translate is warned of.
        """
        checkpoint, decoding = self._checkpoint, settings.decoding
        tokens = checkpoint.tokens
        named = (decoding.language, decoding.fallback_language, *decoding.languages)
        languages: list[str | None] = [language for language in named if language is not None]
        for language in languages or ["en" if tokens.is_multilingual else None]:
            tokens.initial_tokens(language, decoding.task, timestamps=decoding.timestamps)
        self._rules.rules(decoding.suppression())
        layers = (checkpoint.dimensions.encoder_layers, checkpoint.dimensions.decoder_layers)
        if decoding.task == "translate" and layers == TURBO_LAYERS:
            _log.warning(
                "%s: the turbo model was not taught to translate and will mostly transcribe; "
                "large-v3 and medium translate",
                checkpoint.name,
            )


def check_long_form(settings: ClipSettings) -> None:
    """Refuse what only the other long form does, rather than leave it out in silence."""
    longform, silence = settings.longform, settings.hallucination.hallucination_silence_threshold
    if longform.long_form == "chunked" and (silence is not None or longform.clip_timestamps):
        raise UsageError(
            "clip timestamps and the hallucination silence threshold belong to the sequential "
            "long form: give --long-form sequential"
        )
    if silence is not None and not settings.decoding.word_timestamps:
        raise UsageError(
            "the hallucination silence threshold looks at times of words: give --word-timestamps"
        )
    if settings.vad.vad != "off" and longform.clip_timestamps:
        raise UsageError("clip timestamps say what is heard, and so does vad: expected one of them")
